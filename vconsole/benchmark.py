"""`vconsole benchmark`: plans from the command line, has it measured, writes the reports, and says how it went."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from pipeline.benchmark.compare import compare, regressions
from pipeline.benchmark.facts import fact_of
from pipeline.benchmark.gate import gate
from pipeline.benchmark.markdown import comparison_markdown
from pipeline.benchmark.numbers import change, seconds, throughput
from pipeline.benchmark.order import REPORT, Order, read_order, write_order
from pipeline.benchmark.report import Comparison, Missing, Report, Result, measured_before, read_report
from pipeline.benchmark.runner import Progress
from pipeline.benchmark.runner import run as measure_all
from pipeline.benchmark.write import ENDINGS, write_reports
from pipeline.benchmark.write import write_json as write_so_far
from pipeline.commands import StartRun
from pipeline.engine.apart import recorded
from pipeline.engine.lab import job_of
from pipeline.engine.records import RunRecord
from pipeline.engine.redo import as_command
from pipeline.errors import SettingsError
from pipeline.lab import LabRequest
from pipeline.model import RunState
from pipeline.settings import Settings
from pipeline.text import plural
from vconsole.config import load
from vconsole.exits import Exit
from vconsole.lab_order import command_of, new_folder, order_of
from vconsole.options import absolute, from_arguments
from vconsole.output import say, write_json
from vconsole.places import state_dir

REGRESSION = 3
"""Exit code when something got slower than allowed."""


def run(args: argparse.Namespace) -> int:
    """Carry out `vconsole benchmark` and return the exit code. Raises SettingsError for bad usage."""
    if args.schema:
        sys.stdout.write(json.dumps(Report.model_json_schema(), indent=1) + "\n")
        return Exit.OK
    if args.compare:
        return _compare_only([Path(name) for name in args.compare], args.fail_on_regression)
    settings = load(from_arguments(args))
    prefix = os.fsdecode(absolute(args.output_report_prefix)) if args.output_report_prefix else ""
    folder = os.path.dirname(prefix) or None  # noqa: PTH120 - the prefix may hold any bytes
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vconsole-benchmark-", dir=folder) as scratch:
        report = _measured(args, settings, scratch)
    return _told(report, write_reports(report, prefix) if prefix else (), as_json=args.json)


def go_on(record: RunRecord, settings: Settings, *, as_json: bool) -> int:
    """Measure what an unfinished benchmark had not measured, keep the rest, and return the exit code of the whole.

    Raises SettingsError if it is not known any more what it was to measure.
    """
    with tempfile.TemporaryDirectory(prefix=b".measuring-", dir=record.out) as scratch:
        try:
            order = read_order(record.out, os.fsdecode(scratch))
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise SettingsError(f"what run {record.run_id} measured is not known any more: {error}") from error
        report = _carried_out(order, as_command(record), settings, record.run_id, as_json=as_json)
    prefix = os.path.join(os.fsdecode(record.out), os.fsdecode(REPORT))  # noqa: PTH118 - the path may hold any bytes
    return _told(report, [prefix + ending for ending in ENDINGS], as_json=as_json)


def _told(report: Report, paths: Sequence[str], *, as_json: bool) -> int:
    """Say how it went and return the exit code."""
    found, allowed = report.comparison, report.allowed_percent
    slower = regressions(found, allowed) if found is not None and allowed is not None else ()
    code = _exit_code(report, failed=bool(slower))
    _sum_up(report, paths, code, as_json=as_json)
    if found and not as_json:
        _say_gate((found,), allowed)
    if not report.complete and not as_json:
        say("to go on: vconsole resume")
    return code


def _measured(args: argparse.Namespace, settings: Settings, scratch: str) -> Report:
    """Have everything measured; the run and its reports stay in the state folder, too."""
    folder = state_dir(settings)
    place = cache(lambda: new_folder(folder))
    order, inputs = order_of(_request(args), settings, place, ("vconsole", *sys.argv[1:]))
    write_order(order, bytes(place()))
    command = command_of(order, inputs, place())
    return _carried_out(replace(order, scratch=scratch), command, settings, as_json=args.json)


def _carried_out(order: Order, command: StartRun, settings: Settings, run_id: int = 0, *, as_json: bool) -> Report:
    """Measure what the folder of a benchmark does not hold yet; after each subject it is there, however this ends."""
    prefix = os.path.join(command.out, REPORT)  # noqa: PTH118 - the path may hold any bytes
    known = measured_before(Path(os.fsdecode(prefix + b".json")))
    teller = _Teller(as_json=as_json)
    with recorded(state_dir(settings), command, run_id) as ended:
        report = measure_all(order, teller.progress, teller.over, known, lambda so_far: write_so_far(so_far, prefix))
        write_reports(report, os.fsdecode(prefix))
        how = RunState.DONE if report.complete else RunState.INTERRUPTED
        ended(how, [job_of(one) for one in (*map(fact_of, report.results), *map(fact_of, report.missing))])
    return report


def _request(args: argparse.Namespace) -> LabRequest:
    return LabRequest(
        extractors=tuple(args.extractors),
        stages=tuple(args.stages),
        presets=tuple(args.presets),
        floors=args.floors,
        services=args.service_config,
        inputs=tuple(args.inputs),
        sweep=" ".join(args.sweep),
        iterations=str(args.iterations),
        warmup_iterations=str(args.warmup_iterations),
        min_seconds=str(args.min_seconds),
        max_seconds=str(args.max_seconds),
        baseline=args.baseline,
        allowed_percent="" if args.fail_on_regression is None else str(args.fail_on_regression),
    )


def _compare_only(paths: Sequence[Path], percent: float | None) -> int:
    if len(paths) < 2:
        raise SettingsError("--compare needs two reports or more")
    first, *others = (read_report(path) for path in paths)
    found = [compare(first, other) for other in others]
    sys.stdout.write("\n".join(comparison_markdown(one) for one in found))
    _say_gate(found, percent)
    if percent is not None and any(regressions(one, percent) for one in found):
        return REGRESSION
    return Exit.OK


def _exit_code(report: Report, *, failed: bool) -> int:
    if not report.complete:
        return Exit.INTERRUPTED
    if failed:
        return REGRESSION
    return Exit.SOME_FAILED if report.missing else Exit.OK


class _Teller:
    """Says what is measured: a line a result, or an object a line."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._said = ""

    def progress(self, now: Progress) -> None:
        """Say what is at hand, on a terminal only."""
        if self._as_json or not sys.stderr.isatty():
            return
        calls = f", {plural(now.calls, 'call')}" if now.calls else ""
        sys.stderr.write(f"\r\x1b[K[{now.number}/{now.of}] {now.name}: {now.phase}{calls}"[: _columns()])
        sys.stderr.flush()

    def over(self, one: Result | Missing) -> None:
        """Say what was measured, or why it was not."""
        if sys.stderr.isatty() and not self._as_json:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        if self._as_json:
            fields = {"event": "missing", **one.model_dump()} if isinstance(one, Missing) else _event(one)
            write_json(fields, sys.stdout)
        elif isinstance(one, Missing):
            say(f"not measured  {one.name}: {one.message}")
        else:
            p50, p99 = seconds(one.statistics.p50), seconds(one.statistics.p99)
            say(f"{one.verdict:<12}  {one.name}: {throughput(one)}; p50 {p50}, p99 {p99} an item")
            for reason in one.reasons:
                say(f"              {reason.text}. {reason.recommendation}")


def _columns() -> int:
    return os.get_terminal_size(sys.stderr.fileno()).columns + len("\r\x1b[K") - 1


def _event(result: Result) -> dict[str, object]:
    fields = result.model_dump(include={"name", "parameters", "unit", "statistics", "rates", "reasons", "errors"})
    return {"event": "result", "verdict": result.verdict, **fields}


def _sum_up(report: Report, paths: Sequence[str], code: int, *, as_json: bool) -> None:
    valid = sum(result.valid for result in report.results)
    if as_json:
        counts = {"results": len(report.results), "valid": valid, "missing": len(report.missing)}
        write_json({"event": "summary", "exit_code": int(code), **counts, "reports": list(paths)}, sys.stdout)
        return
    if report.comparison:
        _say_changes(report.comparison)
    say(
        f"\n{plural(len(report.results), 'result')}, {valid} VALID, {len(report.missing)} not measured; "
        f"{report.elapsed_s:.0f} s"
    )
    for path in paths:
        say(path)


def _say_gate(found: Sequence[Comparison], percent: float | None) -> None:
    """Say what the gate found, and what it could not judge."""
    for verdict, sentence in (told for one in found for told in gate(one, percent)):
        say(f"{verdict:<12}  {sentence}")


def _say_changes(found: Comparison) -> None:
    say(f"\nagainst {found.before}:")
    for one in found.differences:
        say(f"{one.verdict:<12}  {one.name}: {change(one)}")
    for fact in found.surroundings:
        say(f"differs       {fact.what}: {fact.before} -> {fact.after}")
