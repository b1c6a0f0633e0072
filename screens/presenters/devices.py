"""The lines of the devices pane: GPU cards first; on a machine without one, CPU and memory large."""

from pipeline.snapshot import GpuView, HostView, MachineView, Snapshot
from pipeline.text import plural
from screens.presenters.words import NONE, bar, graph, joined, load_tone, number, of_total, percent, size, spark
from screens.widgets.outside import Cell, Line, Tone, cell, sentence, wrap

_LABEL = 5
_FIGURE = 15
_CORE = 16
_GRAPH = 8


def devices(snapshot: Snapshot, width: int, height: int) -> tuple[Line, ...]:
    """Return the lines for a pane of `width` cells; `height` says how much room the graph and the cores may take."""
    machine = snapshot.machine
    if not machine.memory_total_bytes:
        return ((Cell("The gauges start in a moment.", "quiet"),),)
    tail = _tail(snapshot, width)
    lines: list[Line] = []
    for gpu in machine.gpus:
        lines += _gpu(gpu, width)
    lines.append(_gauge("CPU", machine.cpu_share, percent(machine.cpu_share), width))
    room = height - len(lines) - 2 - len(tail)
    if not machine.gpus:
        lines += _cpu_large(machine, width, room)
    memory = machine.memory_used_bytes / machine.memory_total_bytes
    lines.append(_gauge("mem", memory, of_total(machine.memory_used_bytes, machine.memory_total_bytes), width))
    lines.append(_disk(machine, width))
    return (*lines, *tail)


def _tail(snapshot: Snapshot, width: int) -> list[Line]:
    lines: list[Line] = [_host(host, width) for host in snapshot.hosts]
    lines += [(cell(host.note, width, "warn"),) for host in snapshot.hosts if host.note]
    plan = snapshot.worker_plan
    if plan is not None:
        lines += [(Cell(row, "quiet"),) for row in wrap(plan.sentence, width)]
    if snapshot.machine.gpu_note and not snapshot.machine.gpus:
        lines += [(Cell(row, "quiet"),) for row in wrap(snapshot.machine.gpu_note, width)]
    return lines


def _gauge(label: str, share: float, figure: str, width: int) -> Line:
    done, rest = bar(share, max(4, width - _LABEL - _FIGURE), load_tone(share))
    return cell(label, _LABEL), done, rest, cell(figure, _FIGURE, right=True)


def _cpu_large(machine: MachineView, width: int, room: int) -> list[Line]:
    lines: list[Line] = []
    cores = machine.cpu_per_core
    columns = max(1, (width - _LABEL) // _CORE)
    core_rows = -(-len(cores) // columns) if len(cores) > 1 else 0
    if core_rows > room:
        core_rows = 0
    graph_rows = min(_GRAPH, room - core_rows)
    if machine.cpu_history and graph_rows >= 1:
        drawn = graph(machine.cpu_history, width - _LABEL, graph_rows, top=1.0)
        lines += [(Cell(" " * _LABEL), Cell(row, "graph")) for row in drawn]
    if not core_rows:
        return lines
    for first in range(0, len(cores), columns):
        line: list[Cell] = [Cell(" " * _LABEL)]
        for index in range(first, min(first + columns, len(cores))):
            done, rest = bar(cores[index], 6, load_tone(cores[index]))
            line += [Cell(f"{index:<3}", "quiet"), done, rest, Cell(f"{percent(cores[index]):>5}  ")]
        lines.append(tuple(line))
    return lines


def _gpu(gpu: GpuView, width: int) -> list[Line]:
    title = f"GPU {gpu.index}  {gpu.name}"
    if gpu.fault:
        return [(cell(title, width, "strong"),), (cell(f"✗ {gpu.fault}", width, "bad"),)]
    temperature = NONE if gpu.temperature_c is None else f"{gpu.temperature_c:.0f} °C"
    power = NONE if gpu.power_w is None else f"{gpu.power_w:.0f} W"
    sensors = f"{temperature:>7}{power:>7}"
    lines: list[Line] = [
        (sentence(title, width - len(sensors), "strong"), Cell(sensors)),
        _gauge_or_dash("use", gpu.utilisation, percent(gpu.utilisation), width),
    ]
    used, total = gpu.memory_used_bytes, gpu.memory_total_bytes
    if used is None or not total:
        lines.append(_gauge_or_dash("mem", None, NONE, width))
    else:
        lines.append(_gauge("mem", used / total, of_total(used, total), width))
    engines = f"decoder {percent(gpu.decoder)}   encoder {percent(gpu.encoder)}"
    lines.append((Cell(" " * _LABEL), cell(engines, width - _LABEL, "quiet")))
    if gpu.history and width >= 40:
        lines.append((Cell(" " * _LABEL), Cell(spark(gpu.history, width - _LABEL, top=1.0), "graph")))
    return lines


def _gauge_or_dash(label: str, share: float | None, figure: str, width: int) -> Line:
    if share is None:
        return cell(label, _LABEL), cell(NONE, width - _LABEL, "quiet", right=True)
    done, rest = bar(share, max(4, width - _LABEL - _FIGURE))
    return cell(label, _LABEL), done, rest, cell(figure, _FIGURE, right=True)


def _disk(machine: MachineView, width: int) -> Line:
    full = 1 - machine.disk_free_bytes / machine.disk_total_bytes if machine.disk_total_bytes else 0.0
    text = f"{size(machine.disk_free_bytes)} free" if machine.disk_total_bytes else NONE
    if machine.disk_read_bytes_per_s or machine.disk_write_bytes_per_s:
        read, write = (number(rate / 2**20) for rate in (machine.disk_read_bytes_per_s, machine.disk_write_bytes_per_s))
        text = joined((text, f"r {read} w {write} MiB/s"), width - _LABEL)
    tone = load_tone(full)
    return cell("disk", _LABEL), cell(text, width - _LABEL, "" if tone == "bar" else tone)


def _host(host: HostView, width: int) -> Line:
    parts = [f"{host.device} {host.state}", *host.models]
    if host.restarts:
        parts.append(plural(host.restarts, "restart"))
    if host.state == "ready":
        parts.append(f"busy {percent(host.busy_share)}")
    if host.batch_size:
        parts.append(f"batch {host.batch_size}")
    tone: Tone = "bad" if host.state == "failed" else "warn" if host.state == "restarting" else ""
    return cell("host", _LABEL), cell(joined(parts, width - _LABEL), width - _LABEL, tone)
