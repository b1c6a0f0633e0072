"""Lets a fake program stop itself, or be stopped, and yet leave nothing behind when the tests are cut off."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Let the kernel kill this process, stopped or not, when the thread that started it ends (Linux)."""
    if hasattr(prctl := ctypes.CDLL(None), "prctl"):
        prctl.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def stop() -> None:
    """Stop this process until it is killed."""
    end_with_parent()
    os.kill(os.getpid(), signal.SIGSTOP)
