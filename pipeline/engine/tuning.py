"""How many workers there are to be, and the numbers that say why."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from pipeline.sections import EngineSettings
from pipeline.snapshot import WorkerPlan
from pipeline.text import plural

GIB = 1 << 30
MEMORY_PER_WORKER = 4 * GIB
GPU_SPARE = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker takes of the machine."""

    cores: int
    """How many its threads keep busy."""
    gpu: bool = False
    """Whether its job needs memory of the GPU, by `engine.job_memory_gb`."""
    encodes: bool = False


EXTRACTING = Share(cores=2, gpu=True)
_ENCODERS = {"libsvtav1": 8, "copy": 1, "h264_nvenc": 2, "hevc_nvenc": 2, "av1_nvenc": 2}
"""Cores that one encoder keeps busy where that is not ENCODER_CORES; those of the GPU only need pictures."""
ENCODER_CORES = 4
ENCODER_SPARE = 1.5
"""Encoder threads for a core: x264 itself starts as many, since they wait for each other."""


def transcoding(encoder: str) -> Share:
    """Return what a worker takes that encodes with `encoder`."""
    return Share(cores=_ENCODERS.get(encoder, ENCODER_CORES), encodes=True)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def plan_workers(
    limits: EngineSettings,
    *,
    core_count: int,
    free_memory_bytes: int,
    gpu_memory_bytes: Sequence[int] = (),
    wanted: int | None = None,
    share: Share = EXTRACTING,
) -> WorkerPlan:
    """Return the number of workers: `wanted`, else the setting, else for auto

    min(GPU memory / (job memory + 2 GB), cores / those of a share, free memory / 4 GB), at least 1; without a GPU, or
    where jobs need none, it does not count. Workers that encode get 1.5 threads a core for that.
    """
    by_cores = max(1, core_count // share.cores)
    by_memory = max(1, free_memory_bytes // MEMORY_PER_WORKER)
    per_job = limits.job_memory_gb * 1e9 + GPU_SPARE
    by_gpu = max(1, int(sum(gpu_memory_bytes) // per_job)) if gpu_memory_bytes and share.gpu else None
    if wanted is not None or limits.workers != "auto":
        workers = wanted if wanted is not None else int(limits.workers)
        sentence = f"{plural(workers, 'worker')} as asked for."
    else:
        workers = min(by_cores, by_memory, by_gpu or by_cores)
        gpu = f", {by_gpu} by GPU memory" if by_gpu else ""
        sentence = f"{plural(workers, 'worker')}: the least of {by_cores} by cores, {by_memory} by free memory{gpu}."
    cores_each = max(1, core_count // workers)
    threads = limits.decode_threads or cores_each
    encode = max(min(2, core_count), math.ceil(cores_each * ENCODER_SPARE)) if share.encodes else 0
    if encode:
        sentence = f"{sentence[:-1]}; each has {plural(encode, 'thread')} to encode."
    return WorkerPlan(workers, threads, by_cores, by_memory, by_gpu, sentence, core_count, free_memory_bytes, encode)


def free_memory_bytes() -> int:
    """Return the memory that new processes could have without swapping."""
    return int(psutil.virtual_memory().available)
