"""The lines of the devices pane: GPU cards first; on a machine without one, CPU and memory large."""

from collections.abc import Sequence

from pipeline.machine import HostView, MachineView, ModelView
from pipeline.snapshot import Snapshot
from pipeline.text import plural
from screens.presenters.gpus import gpu_lines
from screens.presenters.words import (
    LABEL,
    NONE,
    bar,
    gauge,
    graph,
    joined,
    load_tone,
    number,
    of_total,
    percent,
    size,
    spark,
)
from screens.widgets.outside import Cell, Line, Tone, cell, sentence, wrap

_CORE = 16
_ROOMY = 9
"""Lines of a pane from which on it tells what the disks read and write, and how hosts spend their time."""
_CPU_ALWAYS = 2
"""Lines that the CPU takes below its gauge where there is no GPU, if need be by scrolling others away."""
_GRAPH, _GPU_GRAPH = 8, 6
"""Lines of a graph at most."""


def devices(snapshot: Snapshot, width: int, height: int) -> tuple[Line, ...]:
    """Return the lines for a pane of `width` cells; `height` says how much room the graphs and the cores may take."""
    machine = snapshot.machine
    if not machine.memory_total_bytes:
        return ((Cell("The gauges start in a moment.", "quiet"),),)
    memory = machine.memory_used_bytes / machine.memory_total_bytes
    below = [
        gauge("mem", memory, of_total(machine.memory_used_bytes, machine.memory_total_bytes), width),
        *_disk(machine, width, with_rates=height >= _ROOMY),
        *_tail(snapshot, width, roomy=height >= _ROOMY),
    ]
    lines: list[Line] = []
    room = height - len(below) - 1
    for number_left, gpu in zip(range(len(machine.gpus), 0, -1), machine.gpus, strict=True):
        plain = gpu_lines(gpu, snapshot, width, 0)
        rows = min(_GPU_GRAPH, max(1, (room - len(lines)) // number_left - len(plain) - 1))
        lines += gpu_lines(gpu, snapshot, width, rows)
    lines.append(gauge("CPU", machine.cpu_share, percent(machine.cpu_share), width))
    room = max(height - len(lines) - len(below), 0 if machine.gpus else _CPU_ALWAYS)
    return (*lines, *_cpu(machine, width, room), *below)


def _tail(snapshot: Snapshot, width: int, *, roomy: bool) -> list[Line]:
    lines: list[Line] = []
    for host in snapshot.hosts:
        lines.append(_host(host, width, roomy=roomy))
        lines += [*(_time(host, width) if roomy else ()), *(_model(model, host, width) for model in host.served)]
    lines += [(cell(host.note, width, "warn"),) for host in snapshot.hosts if host.note]
    plan = snapshot.worker_plan
    if plan is not None:
        lines += [(Cell(row, "quiet"),) for row in wrap(plan.sentence, width)]
    if snapshot.machine.gpu_note and not snapshot.machine.gpus:
        lines += [(Cell(row, "quiet"),) for row in wrap(snapshot.machine.gpu_note, width)]
    return lines


def _cpu(machine: MachineView, width: int, room: int) -> list[Line]:
    """Return the graph of the CPU where there is no GPU, and its cores as large as there is room for."""
    if room < 1:
        return []
    cores = _cores(machine.cpu_per_core, width, room) if len(machine.cpu_per_core) > 1 else []
    rows = 0 if machine.gpus or not machine.cpu_history else min(_GRAPH, room - len(cores))
    drawn = graph(machine.cpu_history, width - LABEL, rows, top=1.0)
    return [(Cell(" " * LABEL), Cell(row, "graph")) for row in drawn] + cores


def _cores(cores: Sequence[float], width: int, room: int) -> list[Line]:
    """Return a gauge for each core; where there is no room for that, a column each."""
    columns = max(1, (width - LABEL) // _CORE)
    if -(-len(cores) // columns) > max(1, room // 2):
        columns = max(1, width - LABEL)
        rows = [cores[first : first + columns] for first in range(0, len(cores), columns)][:room]
        return [(Cell(" " * LABEL), Cell(spark(row, len(row), top=1.0), "graph")) for row in rows]
    lines: list[Line] = []
    for first in range(0, len(cores), columns):
        line: list[Cell] = [Cell(" " * LABEL)]
        for index in range(first, min(first + columns, len(cores))):
            done, rest = bar(cores[index], 6, load_tone(cores[index]))
            line += [Cell(f"{index:<3}", "quiet"), done, rest, Cell(f"{percent(cores[index]):>5}  ")]
        lines.append(tuple(line))
    return lines


def _disk(machine: MachineView, width: int, *, with_rates: bool) -> list[Line]:
    """Return the volume of the outputs, and what all disks read and write now."""
    if not machine.disk_total_bytes:
        return [(cell("disk", LABEL), cell(NONE, width - LABEL, "quiet", right=True))]
    full = 1 - machine.disk_free_bytes / machine.disk_total_bytes
    lines = [gauge("disk", full, f"{size(machine.disk_free_bytes)} free", width)]
    if with_rates:
        read, write = (number(rate / 2**20) for rate in (machine.disk_read_bytes_per_s, machine.disk_write_bytes_per_s))
        lines.append((Cell(" " * LABEL), sentence(f"reads {read}, writes {write} MiB/s", width - LABEL, "quiet")))
    return lines


def _host(host: HostView, width: int, *, roomy: bool) -> Line:
    state = "taken out" if host.state == "out" else host.state
    parts = [f"{host.device} {state}", *(() if host.served else host.models)]
    if host.restarts:
        parts.append(plural(host.restarts, "restart"))
    if host.state == "ready" and not roomy:
        parts.append(f"busy {percent(host.busy_share)}")
    if host.takes_turns:
        parts.append("models in turn")
    if host.pictures_per_s:
        parts.append(f"{number(host.pictures_per_s)}/s")
    if host.state == "ready":
        parts.append(f"queue {host.queue_pictures:,}")
    if host.batch_size and not host.served:
        parts.append(f"batch {host.batch_size}")
    if host.cache_hits:
        parts.append(f"cache {percent(host.cache_hits / max(1, host.cache_asked))}")
    tone: Tone = "bad" if host.state in {"failed", "out"} else "warn" if host.state == "restarting" else ""
    return cell("host", LABEL), cell(joined(parts, width - LABEL), width - LABEL, tone)


def _time(host: HostView, width: int) -> list[Line]:
    """Return how a host that serves spends its time."""
    if host.state != "ready":
        return []
    copies = min(host.copying_share, host.busy_share)
    shares = (("computes", host.busy_share - copies), ("waits", 1 - host.busy_share), ("copies", copies))
    told = [joined([f"{what} {percent(share)}" for what, share in shares], width - LABEL)]
    if host.takes_turns:
        changes = f"models take turns in {size(host.budget_bytes)}: {plural(host.unloads, 'change')}"
        told.append(changes)
    return [(Cell(" " * LABEL), cell(text, width - LABEL, "quiet")) for text in told]


def _model(model: ModelView, host: HostView, width: int) -> Line:
    """Return what a host runs a model with, and in turns which one is there and what each takes."""
    takes = "memory unknown" if model.memory_bytes is None else size(model.memory_bytes)
    turn = [model.state, takes] if host.takes_turns else []
    made = [model.precision, *(["compiled"] if model.compiled else [])]
    parts = [model.key, *turn, *made, f"batch {model.batch_size}", f"{model.pictures_done:,} done"]
    return Cell(" " * LABEL), cell(joined(parts, width - LABEL), width - LABEL, "quiet")
