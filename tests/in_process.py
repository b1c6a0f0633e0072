"""Carries out a command line of the program in this process; its workers and model hosts are processes of their own."""

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from vconsole import cli


def vconsole(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Return how the program ended and what it said."""
    line = [str(one) for one in arguments]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.run(line)
    return subprocess.CompletedProcess(line, code, out.getvalue(), err.getvalue())
