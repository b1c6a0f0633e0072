"""The tuning advisor: workers, decode threads and batch size that suit this machine, with the numbers that say why."""

from dataclasses import dataclass

from pipeline.snapshot import Snapshot, WorkerPlan
from pipeline.text import plural
from screens.presenters.words import size
from screens.sheet import Key

_CPU_BATCH, _GPU_BATCH = 16, 64


@dataclass(frozen=True, slots=True)
class Advice:
    """What one setting had best be."""

    key: Key
    value: str
    reason: str


def advise(snapshot: Snapshot) -> tuple[Advice, ...]:
    """Return the advice for this machine; none before the engine has looked at it."""
    plan = snapshot.worker_plan
    if plan is None:
        return ()
    return (_workers(plan), _threads(plan), _batch(snapshot))


def _counted(plan: WorkerPlan) -> int:
    """Return how many workers `auto` means, whatever is set now."""
    return min(plan.by_cores, plan.by_memory, plan.by_gpu or plan.by_cores)


def _workers(plan: WorkerPlan) -> Advice:
    parts = [
        f"{plan.by_cores} by {plural(plan.cores, 'core')} / 2",
        f"{plan.by_memory} by {size(plan.free_memory_bytes)} of free memory / 4 GiB",
    ]
    if plan.by_gpu is not None:
        parts.append(f"{plan.by_gpu} by GPU memory / (engine.job_memory_gb + 2 GB)")
    reason = f"auto is {_counted(plan)} on this machine, the least of {', '.join(parts)}."
    return Advice(("engine", "workers"), "auto", reason)


def _threads(plan: WorkerPlan) -> Advice:
    workers = _counted(plan)
    threads = max(1, plan.cores // workers)
    reason = f"0 is {threads} on this machine: {plural(plan.cores, 'core')} / {plural(workers, 'worker')}."
    return Advice(("engine", "decode_threads"), "0", reason)


def _batch(snapshot: Snapshot) -> Advice:
    key = ("host", "batch_size")
    halved = [host for host in snapshot.hosts if host.state == "ready" and 0 < host.batch_size < _usual(snapshot)]
    if halved:
        least = min(halved, key=lambda host: host.batch_size)
        return Advice(
            key, str(least.batch_size), f"The model host on {least.device} works with {least.batch_size} now."
        )
    if snapshot.machine.gpus:
        why = "A GPU wants more pictures at once than a CPU; the batch is halved by itself where its memory is short."
    else:
        why = "There is no GPU here, and on a CPU a larger batch embeds no more pictures a second."
    return Advice(key, str(_usual(snapshot)), why)


def _usual(snapshot: Snapshot) -> int:
    return _GPU_BATCH if snapshot.machine.gpus else _CPU_BATCH
