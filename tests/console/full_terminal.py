"""Whether a terminal that nobody reads holds all that it can."""

import array
import fcntl
import termios
import time


def is_stuck(master: int) -> bool:
    """Whether nobody reads the terminal of which this is the master, and its program has written all that fits."""
    before, end = _unread(master), time.monotonic() + 1.0
    while time.monotonic() < end:
        time.sleep(0.05)
        if _unread(master) != before:
            return False
    return before > 0


def _unread(master: int) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(master, termios.FIONREAD, count)
    return count[0]
