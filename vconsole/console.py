"""`vconsole` without a command: opens the console, or says why it cannot."""

import argparse
import gc
import os
import sys
import termios

from pipeline.errors import SettingsError

_WITHOUT = "Without one: `vconsole extract INPUT... --out DIR`, `vconsole resume`, `vconsole runs`."
_USUAL = (24, 80)
"""Lines and columns of a terminal that tells none."""


def run(args: argparse.Namespace) -> int:
    """Open the console and return its exit code. Raises SettingsError where there is no terminal that can show it."""
    kind = os.environ.get("TERM", "")
    streams = {"input": sys.stdin, "output": sys.stdout, "error": sys.stderr}
    if elsewhere := [name for name, stream in streams.items() if not stream.isatty()]:
        which = "this is none" if len(elsewhere) == 3 else f"its standard {' and '.join(elsewhere)} is none"
        raise SettingsError(f"the console needs a terminal, and {which}", remedy=_WITHOUT)
    if kind in {"", "dumb"}:
        raise SettingsError(f"a terminal that says TERM={kind} cannot show the console", remedy=_WITHOUT)
    _size(sys.stdout.fileno())
    gc.disable()  # what is imported now stays for good: looking through it again and again delays the first picture
    from vconsole.app import run_console
    from vconsole.options import from_arguments

    return run_console(from_arguments(args), os.environ)


def _size(terminal: int) -> None:
    """Give a terminal that tells no size, as some containers and serial lines do, the usual one.

    Textual and Rich have two different sizes for those, and would lay the screen out for each in turn for ever.
    """
    told = termios.tcgetwinsize(terminal)
    if 0 in told:
        termios.tcsetwinsize(terminal, (told[0] or _USUAL[0], told[1] or _USUAL[1]))
