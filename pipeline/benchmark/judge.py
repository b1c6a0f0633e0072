"""Whether a result can be trusted, and what to do where it cannot."""

from collections.abc import Mapping, Sequence

from pipeline.benchmark.others import disturbing
from pipeline.benchmark.report import Method, Output, Reason, Sample
from pipeline.benchmark.statistics import TOLERANCE, stable

LEAST_SAMPLES = 5


def reasons_of(
    times_s: Sequence[float],
    windows_s: Sequence[float],
    samples: Sequence[Sample],
    other_cores: float,
    output: Output,
    method: Method,
    cores: int,
    errors: Mapping[str, int],
) -> tuple[Reason, ...]:
    """Return why the result is INVALID; nothing if it is VALID."""
    found = (
        _wrong(output),
        _errors(errors, len(times_s)),
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
        text=f"requests failed: {told}; {answered} were answered",
        recommendation="See the service's own log; the times are those of its answers only.",
    )


def _few(times_s: Sequence[float], method: Method) -> Reason | None:
    wanted = max(LEAST_SAMPLES, method.iterations)
    if len(times_s) >= wanted:
        return None
    if method.iterations < LEAST_SAMPLES and len(times_s) >= method.iterations:
        advice = f"Ask for at least {LEAST_SAMPLES} iterations."
    else:
        advice = "Raise --max-seconds, or give smaller inputs or a smaller batch."
    return Reason(
        code="too_few_samples", text=f"{len(times_s)} calls were timed, {wanted} are needed", recommendation=advice
    )


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
