"""The tuning advisor: workers, decode threads and batch size that suit this machine, with the numbers that say why."""

from dataclasses import dataclass

from pipeline.snapshot import Snapshot, WorkerPlan
from pipeline.text import plural
from screens.presenters.words import size
from screens.sheet import Key


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
    reason = "auto measures once at which size a model is quickest on its device, remembers it, and halves it where "
    reason += "memory is short."
    sizes = [
        f"{model.batch_size} for {model.key} on {host.device}"
        for host in snapshot.hosts
        if host.state == "ready"
        for model in host.served
    ]
    return Advice(("host", "batch_size"), "auto", f"{reason} It is now {', '.join(sizes)}." if sizes else reason)
