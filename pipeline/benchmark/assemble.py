"""Turns what a child measured into a result, and lays results over their floors."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from pipeline.benchmark.judge import reasons_of
from pipeline.benchmark.plan import Kind
from pipeline.benchmark.reference import compared
from pipeline.benchmark.report import Floor, Output, Rates, Report, Result, Sample
from pipeline.benchmark.request import Request
from pipeline.benchmark.statistics import outliers, stable, statistics_of, windows
from pipeline.model import Stage
from pipeline.text import visible

FLOORS = {
    (Kind.EXTRACTOR, "image"): Kind.FORWARD,
    (Kind.EXTRACTOR, "text"): Kind.FORWARD,
    (Kind.EXTRACTOR, "video"): Kind.DECODE,
    (Kind.PRESET, "video"): Kind.DECODE,
    (Kind.TRANSCODE, "video"): Kind.DECODE,
    (Kind.STAGE, "video"): Kind.DECODE,
    (Kind.DECODE, "video"): Kind.DEMUX,
}
"""What stands on which floor. That of videos is of their codec, and compared by seconds of video; others by items."""


def result_of(
    request: Request, measured: Mapping[str, Any], samples: tuple[Sample, ...], cores: int, baseline: Report | None
) -> Result:
    """Return the result of one subject, judged."""
    subject, times_s = request.subject, measured["times_s"]
    items = max(1, round(sum(measured["items"]) / len(measured["items"])))
    medians_s = windows(times_s)
    timeout_s = float(str(subject.description.get("timeout_s", 0.0)))
    output = _output(request, measured, baseline)
    errors = measured.get("errors", {})
    others = measured.get("other_cores", fmean(one.other_cores for one in samples) if samples else 0.0)
    return Result(
        name=subject.name,
        kind=subject.kind,
        target=visible(subject.target),
        input=subject.input,
        codec=visible(subject.codec),
        parameters=dict(subject.parameters),
        unit=measured["unit"],
        items=items,
        load_s=measured["load_s"],
        first_s=measured["first_s"],
        warmup_s=tuple(measured["warmup_s"]),
        times_s=tuple(times_s),
        paces_s=tuple(measured.get("paces_s", ())),
        disturbed_s=tuple(measured.get("disturbed_s", ())),
        outliers=outliers(times_s),
        statistics=statistics_of([seconds / items for seconds in times_s]),
        rates=_rates(measured, measured.get("wall_s") or sum(times_s)),
        stable=stable(medians_s),
        windows_s=medians_s,
        stages={name: statistics_of(spent) for name, spent in measured["stages"].items()},
        floor=None,
        samples=samples,
        output=output,
        errors=errors,
        retries=measured.get("retries", 0),
        copied=measured.get("copied", 0),
        notes=tuple(visible(note, 400) for note in measured.get("notes", ())),
        reasons=reasons_of(times_s, medians_s, samples, others, output, request.method, cores, errors, timeout_s),
    )


def with_floors(results: Sequence[Result]) -> tuple[Result, ...]:
    """Return the results, each with its share of its floor where that was measured."""
    return tuple(result.model_copy(update={"floor": _floor(result, results)}) for result in results)


def _floor(result: Result, results: Sequence[Result]) -> Floor | None:
    kind = FLOORS.get((Kind(result.kind), result.input))
    if result.kind == Kind.STAGE and result.target != Stage.SCENES:
        return None  # the others decode nothing, or only a little
    if result.copied:
        kind = Kind.DEMUX if result.copied == result.items else None
    same_model = kind is Kind.FORWARD
    decoder = result.parameters.get("hwaccel", "none") if kind is Kind.DECODE else ""
    for other in results:
        if other.kind != kind or other.codec != result.codec or (same_model and other.target != result.target):
            continue
        if same_model and (other.input, other.parameters) != (result.input, result.parameters):
            continue
        if decoder and other.parameters.get("hwaccel", "none") != decoder:
            continue
        if result.input == "video":
            rates = result.rates.video_s_per_s, other.rates.video_s_per_s
            return Floor(name=other.name, share=rates[0] / rates[1]) if rates[1] else None
        return Floor(name=other.name, share=other.statistics.p50 / result.statistics.p50)
    return None


def _output(request: Request, measured: Mapping[str, Any], baseline: Report | None) -> Output:
    if measured["problem"]:
        return Output(problem=visible(measured["problem"], 400))
    if not measured["vectors"]:
        return Output()
    subject = request.subject
    return compared(subject.target, subject.input, measured["vectors"], request.host.precision, baseline)


def _rates(measured: Mapping[str, Any], wall_s: float) -> Rates:
    return Rates(
        items_per_s=sum(measured["items"]) / wall_s,
        video_s_per_s=measured["video_s"] / wall_s,
        mb_per_s=measured["size_bytes"] / wall_s / 1e6,
    )
