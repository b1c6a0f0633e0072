"""How many workers there are to be, and the numbers that say why."""

import os
from collections.abc import Sequence

import psutil

from pipeline.sections import EngineSettings
from pipeline.snapshot import WorkerPlan
from pipeline.text import plural

GIB = 1 << 30
MEMORY_PER_WORKER = 4 * GIB
GPU_SPARE = 2_000_000_000


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
) -> WorkerPlan:
    """Return the number of workers: `wanted`, else the setting, else for auto

    min(GPU memory / (job memory + 2 GB), cores / 2, free memory / 4 GB), at least 1; without a GPU it does not count.
    """
    by_cores = max(1, core_count // 2)
    by_memory = max(1, free_memory_bytes // MEMORY_PER_WORKER)
    per_job = limits.job_memory_gb * 1e9 + GPU_SPARE
    by_gpu = max(1, int(sum(gpu_memory_bytes) // per_job)) if gpu_memory_bytes else None
    if wanted is not None or limits.workers != "auto":
        workers = wanted if wanted is not None else int(limits.workers)
        sentence = f"{plural(workers, 'worker')} as asked for."
    else:
        workers = min(by_cores, by_memory, by_gpu or by_cores)
        gpu = f", {by_gpu} by GPU memory" if by_gpu else ""
        sentence = f"{plural(workers, 'worker')}: the least of {by_cores} by cores, {by_memory} by free memory{gpu}."
    threads = limits.decode_threads or max(1, core_count // workers)
    return WorkerPlan(workers, threads, by_cores, by_memory, by_gpu, sentence, core_count, free_memory_bytes)


def free_memory_bytes() -> int:
    """Return the memory that new processes could have without swapping."""
    return int(psutil.virtual_memory().available)
