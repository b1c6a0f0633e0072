"""What this process may still open and start, before the system refuses it."""

import errno
import os
import resource
import threading

DESCRIPTORS_WANTED = 8192
"""Open files to which the soft limit is raised, as far as the hard one allows: 256 workers need about 800."""
SPARE_DESCRIPTORS = 20
"""Descriptors that must be left before a child is started: it takes nine for a moment, discovery and reports ten."""
LEAST_DESCRIPTORS = 8
"""Descriptors that must be left for anything else."""


def raise_descriptors() -> None:
    """Raise the soft limit of open files; workers and hosts inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft not in (resource.RLIM_INFINITY, wanted) and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def need_room(descriptors: int = SPARE_DESCRIPTORS) -> None:
    """Raise OSError (EMFILE, EAGAIN) if fewer are left, or no thread: a child would leave the engine too little."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft - _descriptors_open() < descriptors:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    try:
        threading.Thread(target=lambda: None, name="room", daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, "No further thread can be started") from error


def has_room() -> bool:
    """Whether this process can open and start anything at all."""
    try:
        need_room(LEAST_DESCRIPTORS)
    except OSError:
        return False
    return True


def _descriptors_open() -> int:
    """Return how many there are; 0 where the system does not tell. Raises OSError if not even that can be asked."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except FileNotFoundError:
        return 0
