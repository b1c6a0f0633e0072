"""A benchmark is a run: the engine has a child measure it, and ledger and report outlive whatever ends it."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import report_make
from waiting import until

from pipeline.benchmark import runner
from pipeline.benchmark.order import read_order
from pipeline.benchmark.report import read_report
from pipeline.benchmark.request import Request
from pipeline.commands import CancelRun, ResumeRun, StartRun
from pipeline.engine import Engine
from pipeline.lab import LabRequest
from pipeline.model import JobState, RunKind, RunState
from pipeline.settings import Settings
from screens.ports import Exported, Refusal
from vconsole.__main__ import main
from vconsole.lab import LabDesk

QUICK = LabRequest(extractors=("perceptual",), iterations="3", warmup_iterations="0", min_seconds="0")
LONG = replace(QUICK, sweep="batch_size=" + ",".join(map(str, range(1, 33))))


def start(engine: Engine, state: Path, request: LabRequest) -> LabDesk:
    desk = LabDesk(Settings, state)
    command = desk.prepare(request)
    assert isinstance(command, StartRun)
    engine.send(command)
    return desk


def state_of(engine: Engine) -> RunState | None:
    return engine.latest().runs[0].state if engine.latest().runs else None


def test_it_is_measured_recorded_and_reported(engine: Engine, state: Path, tmp_path: Path) -> None:
    desk = start(engine, state, QUICK)
    until(lambda: engine.latest().lab and engine.latest().lab.results)
    until(lambda: state_of(engine) is RunState.DONE)
    assert engine.latest().lab is None
    (run,) = desk.reports()
    assert (run.kind, run.preset, run.state) == (RunKind.BENCHMARK, "perceptual", RunState.DONE)
    report = desk.report(run)
    assert [one.name for one in report.results if one.measured][-2:] == [
        "extractor perceptual image", "extractor perceptual video h264",
    ]  # fmt: skip
    assert run.count(JobState.DONE) == len(report.results)
    exported = desk.export(run, bytes(tmp_path / "to"))
    assert isinstance(exported, Exported)
    assert {Path(os.fsdecode(path)).suffix for path in exported.paths} == {".json", ".md", ".csv", ".html"}
    compared = desk.compare(run, run)
    assert {change.verdict for change in compared.changes} == {"same"}
    assert isinstance(desk.again(run.run_id), StartRun)


def test_a_cancelled_one_keeps_what_was_measured_and_can_be_gone_on_with(engine: Engine, state: Path) -> None:
    desk = start(engine, state, LONG)
    until(lambda: (lab := engine.latest().lab) and lab.results)
    engine.send(CancelRun(engine.latest().lab.run_id))
    until(lambda: state_of(engine) is RunState.CANCELLED)
    (run,) = desk.reports()
    kept = [one.name for one in desk.report(run).results]
    assert kept
    assert not read_report(Path(run.out) / "report.json").complete
    engine.send(ResumeRun(run.run_id))
    until(lambda: (lab := engine.latest().lab) and len(lab.results) >= len(kept))
    assert [one.name for one in engine.latest().lab.results][: len(kept)] == kept


def test_a_crash_of_what_measures_is_a_failed_run_with_its_reason(engine: Engine, state: Path) -> None:
    desk = start(engine, state, LONG)
    until(lambda: (lab := engine.latest().lab) and lab.results)
    session = next(
        child for child in psutil.Process().children() if any("benchmark.session" in word for word in child.cmdline())
    )
    os.killpg(session.pid, signal.SIGKILL)
    until(lambda: state_of(engine) is RunState.INTERRUPTED)
    (run,) = desk.reports()
    assert run.count(JobState.DONE)
    assert run.count(JobState.FAILED)
    assert "SIGKILL" in engine.latest().notices[0].text
    assert desk.report(run).results


def test_an_engine_that_ends_leaves_an_interrupted_run_with_what_was_measured(state: Path) -> None:
    engine = Engine(Settings(), state_dir=state)
    engine.start()
    desk = start(engine, state, LONG)
    until(lambda: (lab := engine.latest().lab) and lab.results)
    engine.close()
    (run,) = desk.reports()
    assert run.state is RunState.INTERRUPTED
    assert desk.report(run).results
    assert not [child for child in psutil.Process().children(recursive=True) if "session" in " ".join(child.cmdline())]


def test_a_baseline_is_compared_with_and_the_gate_says_how_that_went(
    engine: Engine, state: Path, tmp_path: Path
) -> None:
    quick = [0.1e-9, 0.101e-9, 0.102e-9] * 5
    known = report_make.report(report_make.result("extractor perceptual image", quick))
    (tmp_path / "report.json").write_text(known.model_dump_json())
    desk = start(engine, state, replace(QUICK, iterations="5", baseline=str(tmp_path), allowed_percent="10"))
    until(lambda: state_of(engine) is RunState.DONE)
    (run,) = desk.reports()
    told = desk.report(run)
    assert told.comparison is not None
    (change,) = told.comparison.changes
    assert (change.name, change.verdict) == ("extractor perceptual image", "slower")
    assert {verdict for verdict, _ in told.gate} <= {"regression", "not judged", "passed"}
    assert ("regression" in dict(told.gate)) == change.trusted  # other tests may keep the machine busy
    assert "## Regression gate" in (Path(run.out) / "report.md").read_text()
    again = desk.again(run.run_id)
    assert isinstance(again, StartRun)
    assert read_order(again.out, "").baseline == known


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ({"allowed_percent": "10"}, "nothing to compare with"),
        ({"baseline": "/nowhere.json"}, "cannot be read"),
        ({"baseline": "x", "allowed_percent": "ten"}, "percentage"),
    ],
)
def test_a_gate_that_cannot_be_is_refused(state: Path, damage: dict[str, str], told: str) -> None:
    refused = LabDesk(Settings, state).prepare(replace(QUICK, **damage))
    assert isinstance(refused, Refusal)
    assert told in refused.message


def test_what_cannot_be_measured_is_refused_with_the_reason(state: Path) -> None:
    desk = LabDesk(Settings, state)
    refused = desk.prepare(LabRequest(extractors=("perceptual",), sweep="colour=red"))
    assert isinstance(refused, Refusal)
    assert "colour" in refused.message
    assert desk.reports() == ()


@pytest.mark.parametrize("how", ["named", "newest"])
def test_resume_measures_the_rest_and_keeps_what_was_measured(
    state: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    measured = runner._measured
    asked: list[str] = []

    def interrupted(request: Request, *others: Any) -> Any:
        asked.append(request.subject.name)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return measured(request, *others)

    monkeypatch.setattr(runner, "_measured", interrupted)
    typed = ["--iterations", "3", "--warmup-iterations", "0", "--min-seconds", "0"]
    assert main(["benchmark", "--extractors", "perceptual", *typed]) == 130
    (run,) = LabDesk(Settings, state).reports()
    kept = read_report(Path(run.out) / "report.json").results
    assert (run.state, len(kept)) == (RunState.INTERRUPTED, 2)
    assert main(["resume", *([str(run.run_id)] if how == "named" else [])]) == 0
    (after,) = LabDesk(Settings, state).reports()
    report = read_report(Path(run.out) / "report.json")
    assert (after.run_id, after.state, report.complete) == (run.run_id, RunState.DONE, True)
    assert [one.times_s for one in report.results[:2]] == [one.times_s for one in kept]
    assert asked.count(asked[0]) == asked.count(asked[1]) == 1
    assert len(report.results) > 2
    assert main(["resume", str(run.run_id)]) == 2


def test_the_command_line_records_its_run_too(state: Path) -> None:
    typed = ["--iterations", "3", "--warmup-iterations", "0", "--min-seconds", "0"]
    assert main(["benchmark", "--extractors", "perceptual", *typed]) == 0
    (run,) = LabDesk(Settings, state).reports()
    assert run.state is RunState.DONE
    assert run.total >= 2
