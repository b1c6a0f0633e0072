"""What a benchmark ran on: cores, memory, GPUs, versions, commit."""

import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import pynvml

from pipeline.benchmark.report import GpuFacts, Machine
from pipeline.engine.gpus import GpuReader
from pipeline.engine.tuning import cores
from pipeline.text import visible

LIBRARIES = ("vconsole", "av", "torch", "open_clip_torch", "timm", "numpy", "pillow", "h5py", "httpx2")
GIT_S = 10.0


def machine(gpus: GpuReader) -> Machine:
    """Return the facts of this machine; `gpus` has read once."""
    return Machine(
        host=visible(platform.node()),
        system=f"{platform.system()} {platform.release()}",
        cpu=_cpu(),
        cores=cores(),
        memory_bytes=int(psutil.virtual_memory().total),
        gpus=tuple(GpuFacts(name=visible(gpu.name), memory_bytes=gpu.memory_total_bytes) for gpu in gpus.view()[0]),
        driver=_driver(),
        versions={"python": platform.python_version(), **_versions()},
        commit=_commit(),
    )


def has_gpu() -> bool:
    """Return whether a driver tells of a GPU."""
    return bool(_driver())


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return visible(line.partition(":")[2].strip())
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _driver() -> str:
    try:
        pynvml.nvmlInit()
        told = pynvml.nvmlSystemGetDriverVersion()
    except pynvml.NVMLError:
        return ""
    return told.decode() if isinstance(told, bytes) else str(told)


def _commit() -> str:
    """Return the commit of the working tree that the program runs from, empty where it is installed."""
    folder = Path(__file__).parent
    with suppress(OSError, subprocess.SubprocessError):
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--no-optional-locks", "-C", os.fspath(folder), *arguments],  # noqa: S607 - the operator's own
        capture_output=True, text=True, check=True, timeout=GIT_S,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout.strip()
