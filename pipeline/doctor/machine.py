"""Looks at what the program runs on: Python, the system, cores, memory and what the system lets a process have."""

import os
import platform
import resource
import socket
import sqlite3
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from pipeline.engine.limits import DESCRIPTORS_WANTED
from pipeline.engine.tuning import GIB, MEMORY_PER_WORKER, cores
from pipeline.health import Check, Grade

PROGRAM, MACHINE = "program", "machine"
LEAST_DESCRIPTORS = 1024
"""Open files that a dozen workers, their sockets and the ledger need with room to spare."""
LEAST_PROCESSES = 512
"""Processes and threads that a dozen workers and a model host need with room to spare."""
CGROUP = Path("/sys/fs/cgroup")


def program() -> list[Check]:
    """Return versions and places of what runs."""
    try:
        own = version("vconsole")
        told = Check(PROGRAM, "vconsole", Grade.OK, own)
    except PackageNotFoundError:
        told = Check(PROGRAM, "vconsole", Grade.WARNING, "runs from a folder, not installed", "pip install .")
    return [
        told,
        Check(PROGRAM, "Python", Grade.OK, f"{platform.python_version()}, {sys.executable}"),
        Check(PROGRAM, "SQLite", Grade.OK, sqlite3.sqlite_version),
        Check(PROGRAM, "system", Grade.OK, f"{platform.system()} {platform.release()}, {platform.machine()}"),
    ]


def machine() -> list[Check]:
    """Return what a process may use here."""
    return [_cores(), _memory(), _open_files(), _processes(), *_other_limits(), _temporary_folder()]


def _cores() -> Check:
    usable = cores()
    quota = _cpu_quota()
    if quota is not None and quota < usable:
        return Check(
            MACHINE,
            "cores",
            Grade.WARNING,
            f"{usable}, of which the control group allows the time of {quota:.1f}",
            f"Set engine.workers = {max(1, int(quota // 2))}: auto counts all of them.",
        )
    installed = os.cpu_count() or usable
    return Check(MACHINE, "cores", Grade.OK, f"{usable}" if usable == installed else f"{usable} of {installed}")


def _memory() -> Check:
    memory = psutil.virtual_memory()
    found = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    limit = _memory_limit()
    if limit is not None and limit < memory.available:
        return Check(
            MACHINE,
            "memory",
            Grade.WARNING,
            f"{found}, but the control group allows {limit / GIB:.1f} GiB",
            f"Set engine.workers = {max(1, limit // MEMORY_PER_WORKER)}: auto counts all that is free.",
        )
    if memory.available < MEMORY_PER_WORKER:
        wanted = f"{MEMORY_PER_WORKER / GIB:.0f} GiB"
        return Check(
            MACHINE,
            "memory",
            Grade.WARNING,
            f"{found}; one worker may need {wanted}",
            "Free memory, or keep to one worker: engine.workers = 1.",
        )
    return Check(MACHINE, "memory", Grade.OK, found)


def _open_files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < LEAST_DESCRIPTORS:
        return Check(
            MACHINE,
            "open files",
            Grade.WARNING,
            f"at most {hard:,} a process",
            f"Raise the hard limit (ulimit -Hn, LimitNOFILE=) to {DESCRIPTORS_WANTED:,}, or keep to few workers.",
        )
    return Check(MACHINE, "open files", Grade.OK, f"{_count(soft)} a process, up to {_count(hard)}")


def _processes() -> Check:
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    allowed = [] if limit == resource.RLIM_INFINITY else [limit]
    allowed += [int(value) for value in _cgroup_values("pids.max") if value.isdigit()]
    if allowed and min(allowed) < LEAST_PROCESSES:
        return Check(
            MACHINE,
            "processes",
            Grade.WARNING,
            f"at most {min(allowed):,} processes and threads",
            f"Raise the limit (ulimit -u, TasksMax=, --pids-limit) to {LEAST_PROCESSES:,} or more.",
        )
    return Check(MACHINE, "processes", Grade.OK, f"up to {min(allowed):,}" if allowed else "no limit")


def _other_limits() -> list[Check]:
    """Return the limits that should not be there at all."""
    limits = (("file size", resource.RLIMIT_FSIZE, "-f"), ("address space", resource.RLIMIT_AS, "-v"))
    found = [(name, resource.getrlimit(number)[0], option) for name, number, option in limits]
    return [
        Check(MACHINE, name, Grade.WARNING, f"limited to {limit / GIB:.1f} GiB", f"ulimit {option} unlimited")
        for name, limit, option in found
        if limit != resource.RLIM_INFINITY
    ]


def _temporary_folder() -> Check:
    """Try what a model host does there: make a folder and a socket in it."""
    try:
        with tempfile.TemporaryDirectory(prefix="vconsole-") as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(folder, "host.sock"))
    except OSError as error:
        where = tempfile.tempdir or "nowhere"
        return Check(
            MACHINE,
            "temporary folder",
            Grade.FAULT,
            f"{where}: no socket can be made there: {error.strerror or error}",
            "Set TMPDIR to a folder of yours with a short path.",
        )
    return Check(MACHINE, "temporary folder", Grade.OK, tempfile.gettempdir())


def _cpu_quota() -> float | None:
    """Return how many cores' worth of time the control group allows, None = no limit."""
    quotas = []
    for value in _cgroup_values("cpu.max"):
        quota, _, period = value.partition(" ")
        if quota.isdigit() and period.isdigit():
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _memory_limit() -> int | None:
    return min((int(value) for value in _cgroup_values("memory.max") if value.isdigit()), default=None)


def _cgroup_values(name: str) -> list[str]:
    """Return a limit of our control group (version 2) and of all above it; none where the system does not tell."""
    values = []
    with suppress(OSError):
        own = next(
            (line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")), "/"
        )
        folder = CGROUP / own.strip("/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(CGROUP):
                with suppress(OSError):
                    values.append((place / name).read_text().strip())
    return values


def _count(limit: int) -> str:
    return "no limit" if limit == resource.RLIM_INFINITY else f"{limit:,}"
