"""Turns reports into the plain facts that a screen shows."""

from pipeline.benchmark.doubts import doubts
from pipeline.benchmark.findings import findings, notes
from pipeline.benchmark.gate import gate
from pipeline.benchmark.report import Comparison, Missing, Report, Result
from pipeline.history import PastRun
from pipeline.lab import LabChange, LabComparison, LabReport, LabResult
from pipeline.text import plural

TIMES_KEPT = 240
"""Times of a subject that a screen is told at most."""


def fact_of(one: Result | Missing) -> LabResult:
    """Return what a screen is told of one subject."""
    if isinstance(one, Missing):
        return LabResult(one.name, f"{one.message} {one.remedy}".strip())
    return LabResult(
        name=one.name,
        unit=one.unit,
        calls=one.statistics.count,
        p50_s=one.statistics.p50,
        p99_s=one.statistics.p99,
        items_per_s=one.rates.items_per_s,
        video_s_per_s=one.rates.video_s_per_s,
        mb_per_s=one.rates.mb_per_s,
        floor=one.floor.name if one.floor else "",
        floor_share=one.floor.share if one.floor else 0.0,
        reasons=tuple(f"{reason.text}. {reason.recommendation}" for reason in one.reasons),
        times_s=one.times_s[-TIMES_KEPT:],
    )


def report_of(run: PastRun, report: Report) -> LabReport:
    """Return what a screen is told of a report."""
    here, method = report.machine, report.method
    gpus = ", ".join(gpu.name for gpu in here.gpus)
    facts = (
        ("machine", f"{here.host}: {here.cpu}, {here.cores} cores, {here.memory_bytes / 2**30:.1f} GiB"),
        ("GPU", f"{gpus}, driver {here.driver}" if gpus else "none"),
        ("system", here.system),
        ("commit", here.commit or "unknown"),
        (
            "method",
            f"{method.iterations} calls and {method.min_seconds:g} s at least, {method.max_seconds:g} s at most",
        ),
        ("warm-up", plural(method.warmup_iterations, "call")),
        ("versions", ", ".join(f"{name} {told}" for name, told in here.versions.items())),
    )
    told = (*map(fact_of, report.results), *map(fact_of, report.missing))
    compared = comparison_of(report.comparison) if report.comparison else None
    verdicts = tuple(gate(report.comparison, report.allowed_percent))
    doubted = tuple((one.advice, one.held) for one in doubts(report.results))
    return LabReport(
        run,
        told,
        tuple(findings(report)),
        facts,
        comparison=compared,
        gate=verdicts,
        doubts=doubted,
        notes=tuple(notes(report)),
    )


def comparison_of(found: Comparison) -> LabComparison:
    """Return what a screen is told of a comparison."""
    return LabComparison(
        before=found.before,
        after=found.after,
        changes=tuple(LabChange(**one.model_dump()) for one in found.differences),
        only_before=found.only_before,
        only_after=found.only_after,
        differs=tuple((fact.what, fact.before, fact.after) for fact in found.surroundings),
    )
