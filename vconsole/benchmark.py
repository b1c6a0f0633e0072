"""`vconsole benchmark`: plans from the command line, has it measured, writes the reports, and says how it went."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from pipeline.benchmark.compare import compare, doubtful, regressions
from pipeline.benchmark.markdown import comparison_markdown
from pipeline.benchmark.numbers import change, seconds, throughput
from pipeline.benchmark.plan import Wanted, parse_sweep, subjects_of
from pipeline.benchmark.report import Comparison, Method, Missing, Report, Result, read_report
from pipeline.benchmark.runner import Order, Progress
from pipeline.benchmark.runner import run as measure_all
from pipeline.benchmark.services import read_services
from pipeline.benchmark.write import write_reports
from pipeline.engine.sniff import EXTENSIONS, STILLS
from pipeline.errors import SettingsError
from pipeline.media.truth import read_truth
from pipeline.model import STAGES, RunKind, Stage
from pipeline.models.families import KNOW_TEXTS
from pipeline.models.registry import catalogue, require
from pipeline.settings import PRESETS, PipelineSettings, Settings, presets_of, with_preset
from pipeline.text import plural
from vconsole.config import load
from vconsole.exits import Exit
from vconsole.options import absolute, from_arguments
from vconsole.output import say, write_json

REGRESSION = 3
"""Exit code when something got slower than allowed."""
SAMPLES_S = 120.0


def run(args: argparse.Namespace) -> int:
    """Carry out `vconsole benchmark` and return the exit code. Raises SettingsError for bad usage."""
    if args.schema:
        sys.stdout.write(json.dumps(Report.model_json_schema(), indent=1) + "\n")
        return Exit.OK
    if args.fail_on_regression is not None and not (args.baseline or args.compare):
        raise SettingsError("--fail-on-regression has nothing to compare with", remedy="Name a report with --baseline.")
    if args.compare:
        return _compare_only([Path(name) for name in args.compare], args.fail_on_regression)
    baseline = read_report(Path(args.baseline)) if args.baseline else None
    settings = load(from_arguments(args))
    prefix = os.fsdecode(absolute(args.output_report_prefix)) if args.output_report_prefix else ""
    folder = os.path.dirname(prefix) or None  # noqa: PTH120 - the prefix may hold any bytes
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vconsole-benchmark-", dir=folder) as scratch:
        report = _measured(args, settings, scratch, baseline)
    if baseline:
        report = report.model_copy(update={"comparison": compare(baseline, report)})
    paths = write_reports(report, prefix) if prefix else ()
    slower = regressions(report.comparison, args.fail_on_regression or 0.0) if report.comparison else ()
    code = _exit_code(report, failed=args.fail_on_regression is not None and bool(slower))
    _sum_up(report, paths, code, as_json=args.json)
    if report.comparison and not args.json:
        _say_gate((report.comparison,), args.fail_on_regression)
    return code


def _measured(args: argparse.Namespace, settings: Settings, scratch: str, baseline: Report | None) -> Report:
    method, wanted = _method(args), _wanted(args, settings, Path(scratch))
    order = Order(
        subjects=subjects_of(wanted),
        method=method,
        settings=PipelineSettings.model_validate(settings.model_dump(include=set(PipelineSettings.model_fields))),
        scratch=scratch,
        presets={name: with_preset(settings, name, RunKind.EXTRACT) for name in wanted.presets},
        command=("vconsole", *sys.argv[1:]),
        baseline=baseline,
    )
    teller = _Teller(as_json=args.json)
    return measure_all(order, teller.progress, teller.over)


def _method(args: argparse.Namespace) -> Method:
    names = ("iterations", "warmup_iterations", "min_seconds", "max_seconds")
    try:
        return Method(**{name: getattr(args, name) for name in names})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise SettingsError(f"--{option}: {first['msg']}") from error


def _wanted(args: argparse.Namespace, settings: Settings, scratch: Path) -> Wanted:
    """Return what is asked for, with inputs made up where none are named. Raises SettingsError."""
    if not (args.extractors or args.stages or args.presets or args.service_config):
        raise SettingsError(
            "there is nothing to measure",
            remedy="Name --extractors, --stages, --presets or a --service-config, see --help.",
        )
    wrong = [name for name in args.stages if name not in STAGES[RunKind.EXTRACT]]
    if wrong:
        raise SettingsError(f"there is no stage {wrong[0]!r}; there are {', '.join(STAGES[RunKind.EXTRACT])}")
    require([*args.extractors, *(settings.embed.models if Stage.EMBED in args.stages else ())], settings)
    presets = presets_of({**PRESETS, **settings.presets}, RunKind.EXTRACT)
    for name in args.presets:
        if name not in presets:
            raise SettingsError(f"there is no preset {name!r}; there are {', '.join(sorted(presets))}")
    models = catalogue(settings)
    sweep = parse_sweep(args.sweep)
    images, videos = _inputs(args.inputs) if args.inputs else _samples(scratch / "samples")
    return Wanted(
        extractors=tuple(dict.fromkeys(args.extractors)),
        texts=frozenset(key for key in args.extractors if models[key].family in KNOW_TEXTS),
        stages=tuple(dict.fromkeys(args.stages)),
        presets=tuple(dict.fromkeys(args.presets)),
        services=read_services(args.service_config) if args.service_config else {},
        images=images,
        videos=videos,
        dummy_text=not args.inputs,
        sweep=sweep,
        cuda=settings.host.device.startswith("cuda"),
    )


def _inputs(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the pictures and the videos among paths and what is in folders, by their names."""
    found: list[str] = []
    for name in names:
        path = os.fsdecode(absolute(name))
        if not os.path.exists(path):  # noqa: PTH110 - the path may hold any bytes
            raise SettingsError(f"--inputs: there is no {name}")
        inside = (os.path.join(top, file) for top, _, files in os.walk(path) for file in sorted(files))  # noqa: PTH118
        found += [path] if os.path.isfile(path) else inside  # noqa: PTH113
    endings = {path: os.fsencode(os.path.splitext(path)[1].lower().lstrip(".")) for path in found}  # noqa: PTH122
    images = tuple(path for path in found if endings[path] in STILLS | {b"webp"})
    videos = tuple(path for path in found if endings[path] in EXTENSIONS - STILLS - {b"webp"})
    if not images and not videos:
        raise SettingsError("--inputs holds neither pictures nor videos")
    return images, videos


def _samples(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return a picture and a video that are made in a process of its own: this one holds no codec."""
    command = [sys.executable, "-P", "-m", "pipeline.media.samples", str(folder)]
    try:
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=SAMPLES_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        raise SettingsError(f"inputs could not be made up: {error}", remedy="Name some with --inputs.") from error
    samples = read_truth(folder)
    named = {kind: [str(folder / one.name) for one in samples if one.kind == kind] for kind in ("picture", "video")}
    return tuple(named["picture"]), tuple(named["video"][:1])


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
            say(f"{one.verdict:<12}  {one.name}: {throughput(one)}; p50 {p50}, p99 {p99} a {one.unit}")
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
    if percent is None:
        return
    for one in (slower for comparison in found for slower in regressions(comparison, percent)):
        say(f"regression    {one.name}: {change(one)}, {percent:g} % is allowed")
    for one in (slower for comparison in found for slower in doubtful(comparison, percent)):
        say(f"not judged    {one.name}: {change(one)}, but one of both results is INVALID; measure it again")


def _say_changes(found: Comparison) -> None:
    say(f"\nagainst {found.before}:")
    for one in found.differences:
        say(f"{one.verdict:<12}  {one.name}: {change(one)}")
    for fact in found.surroundings:
        say(f"differs       {fact.what}: {fact.before} -> {fact.after}")
