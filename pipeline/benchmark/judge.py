"""Whether a result can be trusted, and what to do where it cannot."""

from collections.abc import Mapping, Sequence
from statistics import median

from pipeline.benchmark.others import disturbing
from pipeline.benchmark.report import Method, Output, Reason, Sample
from pipeline.benchmark.statistics import TOLERANCE, stable
from pipeline.text import plural, precise

LEAST_SAMPLES = 5
SHARE_OF_TIMEOUT = 0.5
"""An answer that takes a greater share of the timeout is late."""
SHARE_LATE = 0.1
"""Share of the answers that may be late."""
GROWN = 1.5
"""How many times as long the last third of the answers may take as the first."""
LEAST_OF_THIRD = 3
"""Answers of a third that can be compared with another."""


def reasons_of(
    times_s: Sequence[float],
    windows_s: Sequence[float],
    samples: Sequence[Sample],
    other_cores: float,
    output: Output,
    method: Method,
    cores: int,
    errors: Mapping[str, int],
    timeout_s: float = 0.0,
) -> tuple[Reason, ...]:
    """Return why the result is INVALID; nothing if it is VALID. `timeout_s` is that of a service, 0 for others."""
    found = (
        _wrong(output),
        _errors(errors, len(times_s)),
        _slow(times_s, timeout_s),
        _few(times_s, method),
        _unstable(windows_s),
        _throttled(samples),
        _load(other_cores, cores),
    )
    return tuple(reason for reason in found if reason is not None)


def _wrong(output: Output) -> Reason | None:
    if not output.problem:
        return None
    return Reason(
        code="wrong_output",
        text=output.problem,
        recommendation="Do not use these figures: find out why the output is wrong, then measure again.",
    )


def _errors(errors: Mapping[str, int], answered: int) -> Reason | None:
    if not errors:
        return None
    told = ", ".join(f"{count} x {what}" for what, count in sorted(errors.items()))
    return Reason(
        code="errors",
        text=f"requests failed: {told}; {plural(answered, 'answer')} came",
        recommendation="See the service's own log; the times are those of its answers only.",
    )


def _slow(times_s: Sequence[float], timeout_s: float) -> Reason | None:
    """A service whose answers come ever later, or so late that others would not have come in time."""
    if not timeout_s:
        return None
    late_s, third = SHARE_OF_TIMEOUT * timeout_s, len(times_s) // 3
    late = sum(seconds > late_s for seconds in times_s)
    if late > len(times_s) * SHARE_LATE:
        return Reason(
            code="slow",
            text=f"{late} of {len(times_s)} answers took more than {precise(late_s)}, "
            f"{SHARE_OF_TIMEOUT:.0%} of the timeout of {precise(timeout_s)}",
            recommendation="Ask with less concurrency, give the service more room, or raise its timeout_s.",
        )
    if third < LEAST_OF_THIRD:
        return None
    first_s, middle_s, last_s = (median(times_s[third * place : third * (place + 1)]) for place in range(3))
    if first_s < middle_s < last_s and last_s > GROWN * first_s:
        return Reason(
            code="slow",
            text=f"answers took longer and longer: {precise(first_s)} in the first third, {precise(last_s)} at last",
            recommendation="Requests pile up: ask with less concurrency, or see what the service still does for them.",
        )
    return None


def _few(times_s: Sequence[float], method: Method) -> Reason | None:
    wanted = max(LEAST_SAMPLES, method.iterations)
    if len(times_s) >= wanted:
        return None
    if method.iterations < LEAST_SAMPLES and len(times_s) >= method.iterations:
        advice = f"Ask for at least {LEAST_SAMPLES} iterations."
    else:
        advice = "Raise --max-seconds, or give smaller inputs or a smaller batch."
    timed = f"{plural(len(times_s), 'call')} {'was' if len(times_s) == 1 else 'were'} timed"
    return Reason(code="too_few_samples", text=f"{timed}, {wanted} are needed", recommendation=advice)


def _unstable(windows_s: Sequence[float]) -> Reason | None:
    if stable(windows_s) or not windows_s:
        return None
    apart = max(windows_s) / min(windows_s) - 1
    return Reason(
        code="unstable",
        text=f"the last three windows lie {apart:.0%} apart, {TOLERANCE:.0%} is allowed",
        recommendation="Raise --warmup-iterations and --min-seconds, and keep other work off the machine.",
    )


def _throttled(samples: Sequence[Sample]) -> Reason | None:
    causes = sorted({gpu.throttle for sample in samples for gpu in sample.gpus if gpu.throttle and gpu.utilisation})
    if not causes:
        return None
    return Reason(
        code="throttled",
        text=f"the clocks of a GPU were held down: {', '.join(causes)}",
        recommendation="Let it cool, or raise the limit that is named, then measure again.",
    )


def _load(other_cores: float, cores: int) -> Reason | None:
    if not disturbing(other_cores, cores):
        return None
    return Reason(
        code="other_load",
        text=f"other programs kept {other_cores:.1f} of {cores} cores busy",
        recommendation="Stop them, or measure when the machine is idle.",
    )
