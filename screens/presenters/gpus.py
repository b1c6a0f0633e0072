"""The lines of one GPU: what it does, what holds it back, and which videos use it now."""

from bisect import bisect_left

from pipeline.machine import GpuView
from pipeline.model import JobState, Stage
from pipeline.snapshot import JobRow, Snapshot
from screens.presenters.words import LABEL, NONE, gauge, graph, of_total, percent
from screens.widgets.outside import Cell, Line, Tone, cell, sentence

_BUSY = 0.01
"""Share of its time from which on a host is at work, as far as a rounded figure tells."""
_SERVED = frozenset({Stage.SCENES, Stage.FRAMES, Stage.DEDUPE})
"""Stages that send pictures to the model host while they go on."""


def gpu_lines(gpu: GpuView, snapshot: Snapshot, width: int, graph_rows: int) -> list[Line]:
    """Return title with temperature and power, gauges, engines, clocks, users, and a graph of its past."""
    title = f"GPU {gpu.index}  {gpu.name}"
    if gpu.fault:
        return [(cell(title, width, "strong"),), (cell(f"✗ {gpu.fault}", width, "bad"),)]
    temperature = NONE if gpu.temperature_c is None else f"{gpu.temperature_c:.0f} °C"
    power = NONE if gpu.power_w is None else f"{gpu.power_w:.0f} W"
    sensors = f"{temperature:>7}{power:>7}"
    engines = f"decoder {percent(gpu.decoder)}   encoder {percent(gpu.encoder)}"
    clocks, tone = _clocks(gpu.throttle)
    lines: list[Line] = [
        (sentence(title, width - len(sensors), "strong"), Cell(sensors)),
        gauge("use", gpu.utilisation, percent(gpu.utilisation), width, "bar"),
        _memory(gpu, width),
        _labelled("", engines, width, "quiet"),
        _labelled("", clocks, width, tone),
        _labelled("for", _users(gpu, snapshot), width),
    ]
    drawn = graph(gpu.history, width - LABEL, graph_rows, top=1.0) if gpu.history else []
    return lines + [(Cell(" " * LABEL), Cell(row, "graph")) for row in drawn]


def _memory(gpu: GpuView, width: int) -> Line:
    used, total = gpu.memory_used_bytes, gpu.memory_total_bytes
    if used is None or not total:
        return gauge("mem", None, NONE, width)
    return gauge("mem", used / total, of_total(used, total), width)


def _labelled(label: str, text: str, width: int, tone: Tone = "") -> Line:
    return cell(label, LABEL), sentence(text, width - LABEL, tone)


def _clocks(throttle: str | None) -> tuple[str, Tone]:
    if throttle is None:
        return f"clocks {NONE}", "quiet"
    return (f"clocks held down: {throttle}", "warn") if throttle else ("clocks free", "quiet")


def _users(gpu: GpuView, snapshot: Snapshot) -> str:
    """Return the stage and the videos that the model host on this GPU works for now."""
    hosts = [
        host
        for host in snapshot.hosts
        if host.gpu == gpu.index or (host.gpu < 0 and host.device == f"cuda:{gpu.index}")
    ]
    if not any(host.busy_share >= _BUSY or host.queue_pictures for host in hosts):
        return NONE
    jobs = [job for worker in snapshot.workers if (job := _job(snapshot, worker.job_id)) is not None]
    names = [job.name for job in jobs if job.stage is Stage.EMBED or job.waiting_for == "model host"]
    names = names or [job.name for job in jobs if job.stage in _SERVED]
    return f"embed: {', '.join(names)}" if names else NONE


def _job(snapshot: Snapshot, job_id: int) -> JobRow | None:
    index = bisect_left(snapshot.jobs, job_id, key=lambda job: job.job_id)
    found = snapshot.jobs[index] if index < len(snapshot.jobs) else None
    return found if found is not None and found.job_id == job_id and found.state is JobState.RUNNING else None
