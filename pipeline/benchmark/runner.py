"""Measures subject after subject, each in a process of its own, and puts the report together."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.benchmark.assemble import result_of, with_floors
from pipeline.benchmark.compare import compare
from pipeline.benchmark.machine import machine
from pipeline.benchmark.order import Order
from pipeline.benchmark.plan import OF_PRESETS
from pipeline.benchmark.report import Missing, Report, Result, Sample
from pipeline.benchmark.request import Request
from pipeline.benchmark.sampling import Sampler, gpu_reader
from pipeline.text import visible

LOAD_S = 120.0
"""What loading, warm-up and one last call may take beyond `max_seconds` and `host.load_timeout_s`."""
FIRST_GPU_S = 5.0
TAIL_BYTES = 4096
END_S = 2.0
"""How long a child may take to end before its group is killed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How the subject at hand gets on."""

    number: int
    of: int
    name: str
    phase: str
    calls: int = 0
    last_s: float = 0.0
    """Seconds of the last call."""


@dataclass(slots=True)
class _Answer:
    """What a child told."""

    measured: dict[str, Any] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()


class _FailedError(Exception):
    """A child could not measure."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


def run(
    order: Order,
    progress: Callable[[Progress], None],
    over: Callable[[Result | Missing], None] = lambda _: None,
    known: Sequence[Result] = (),
    so_far: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Measure everything but what is known and return the report; a KeyboardInterrupt ends it with what there is.

    `over` is told of each subject that is over, and `so_far` is given the report as it is then.
    """
    began, created = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    gpus = gpu_reader()
    gpus.start()
    gpus.first.wait(FIRST_GPU_S)
    here = machine(gpus)
    results = {result.name: result for result in known}
    missing: list[Missing] = []

    def report(*, complete: bool) -> Report:
        return Report(
            created_utc=created,
            elapsed_s=time.monotonic() - began,
            complete=complete,
            command=order.command,
            method=order.method,
            settings=_flat(order.settings.model_dump(mode="json")),
            machine=here,
            results=with_floors([results[one.name] for one in order.subjects if one.name in results]),
            missing=tuple(missing),
            allowed_percent=order.allowed_percent,
        )

    def ended(*, complete: bool) -> Report:
        made = report(complete=complete)
        return made.model_copy(update={"comparison": compare(order.baseline, made)}) if order.baseline else made

    try:
        for number, subject in enumerate(order.subjects, 1):
            if subject.name in results:
                continue
            settings = order.presets[subject.target] if subject.kind in OF_PRESETS else order.settings
            request = Request(subject, order.method, settings, order.scratch)

            def told(phase: str, calls: int, last_s: float, number: int = number, name: str = subject.name) -> None:
                progress(Progress(number, len(order.subjects), name, phase, calls, last_s))

            try:
                answer = _measured(request, told, lambda pid: Sampler(pid, gpus))
            except _FailedError as error:
                missing.append(Missing(name=subject.name, message=str(error), remedy=error.remedy))
                over(missing[-1])
            else:
                result = result_of(request, answer.measured, answer.samples, here.cores, order.baseline)
                results[subject.name] = result
                over(with_floors([*results.values()])[-1])
            so_far(report(complete=False))
    except KeyboardInterrupt:
        return ended(complete=False)
    finally:
        gpus.stop()
    return ended(complete=True)


def _measured(
    request: Request, told: Callable[[str, int, float], None], sampler_of: Callable[[int], Sampler]
) -> _Answer:
    """Have a child measure. Raises _FailedError if it fails, dies or takes too long."""
    limit_s = request.method.max_seconds + request.settings.host.load_timeout_s + LOAD_S
    complaints = os.path.join(request.scratch, "stderr")
    with open(complaints, "wb") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline.benchmark.child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True,
        )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    sampler, answer, phase = sampler_of(child.pid), _Answer(), "loading"
    try:
        with child.stdin as stdin, suppress(BrokenPipeError):
            stdin.write(request.to_json().encode())
        for event in _events(child.stdout.fileno(), time.monotonic() + limit_s):
            match event["event"]:
                case "phase":
                    phase = event["phase"]
                    if phase == "measuring":
                        sampler.begin()
                    elif phase == "over":
                        answer.samples = sampler.end()
                    told(phase, 0, 0.0)
                case "calls":
                    told(phase, event["count"], event["seconds"])
                case "failed":
                    raise _FailedError(event["message"], event["remedy"])
                case "measured":
                    answer.measured = event
        if not answer.measured:
            how, remedy = _end_of(child, phase, limit_s)
            raise _FailedError(how + _last_words(complaints), remedy)
        return answer
    finally:
        sampler.end()
        _end(child)


def _events(descriptor: int, until_s: float) -> Iterator[dict[str, Any]]:
    """Yield what a child tells, until it has told all or its time is over."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while (left_s := until_s - time.monotonic()) > 0:
            if not selector.select(left_s):
                return
            data = os.read(descriptor, 1 << 16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from (json.loads(line) for line in lines)


def _end_of(child: "subprocess.Popen[bytes]", phase: str, limit_s: float) -> tuple[str, str]:
    """Return how a child ended that has measured nothing, and what to do."""
    try:
        code = child.wait(END_S)
    except subprocess.TimeoutExpired:
        remedy = "Give --inputs of which one call takes less, shorter videos for example, or raise --max-seconds."
        return f"it was still {phase} after {limit_s:.0f} s and was ended", remedy
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"the process that measured ended while {phase}: {how}", ""


def _last_words(path: str) -> str:
    """Return the last line of what a child complained of, empty if there is none."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - TAIL_BYTES))
        lines = [line for line in file.read().splitlines() if line.strip()]
    return f": {visible(lines[-1], 300)}" if lines else ""


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Make sure that a child and all it started are gone."""
    assert child.stdout is not None
    child.stdout.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(END_S if child.poll() is None else 0)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = json.dumps(value) if not isinstance(value, str) else value
    return found
