"""What happens to a run when its volumes go, fill up or refuse: a program, to be run alone in a mount namespace.

    unshare -rm python volume_cases.py FOLDER CASE

Each case drives an engine over real tmpfs volumes and asserts what must hold; see `CASES`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from engine_harness import Bench, Driven, jobs, settings
from volumes import Volume

from pipeline.commands import ResumeRun, Unpause
from pipeline.engine.ledger import Ledger
from pipeline.engine.surroundings import PROBE_BYTES
from pipeline.model import FailureClass, JobState, RunState
from pipeline.snapshot import Snapshot


class Stage:
    """A bench whose inputs and outputs lie on volumes of their own, and a gate that lets its videos go on."""

    def __init__(self, folder: Path, *, out_size: str = "64m") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.gate = folder / "gate"
        self.bench = Bench(folder)
        self.source = Volume(folder / "disk-in", self.bench.source)
        self.out = Volume(folder / "disk-out", self.bench.out, size=out_size)

    def videos(self, count: int, line: str = "") -> None:
        """Add videos that wait at the gate."""
        for number in range(count):
            self.bench.video(f"{number:02}.mp4", line or f"gate {self.gate}")

    def sources(self) -> list[str]:
        """Return the names of all inputs."""
        return sorted(path.name for path in self.bench.source.iterdir())


def held(driven: Driven, words: str) -> Snapshot:
    """Wait until the run is paused with these words, and no video has paid for it."""
    snapshot = driven.until(
        lambda seen: seen.run and seen.run.state is RunState.PAUSED and words in seen.run.paused_because, words
    )
    assert any(words in note.text and note.level == "error" for note in snapshot.notices), "told as a notice too"
    assert snapshot.run and "the run goes on by itself" in snapshot.run.paused_because
    assert not snapshot.failures, snapshot.failures
    return snapshot


def finished(driven: Driven, stage: Stage, count: int, *, words: str = "") -> None:
    """Wait for the end; every video is done, and none was charged for what its surroundings did."""
    done = driven.until_done()
    assert [row.state for row in done.jobs] == [JobState.DONE] * count, done.jobs
    assert {row.attempts for row in done.jobs} == {1}, [row.attempts for row in done.jobs]
    assert any(f"{words}; the run goes on" in note.text for note in done.notices), [n.text for n in done.notices]
    ends = stage.bench.log("end")
    assert set(ends.values()) == {1}, f"done twice: {ends}"


def input_volume_goes(folder: Path) -> None:
    """It goes while files wait, run and settle."""
    stage = Stage(folder)
    stage.videos(6)
    options = settings(settle_s=0)
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until_running("01.mp4")
        stage.source.unmount()
        stage.gate.touch()
        held(driven, f"The volume of {stage.bench.source} is gone. Mount it again")
        driven.engine.send(Unpause())
        driven.until(lambda seen: any(note.text.startswith("It is as before: The volume") for note in seen.notices))
        assert driven.engine.latest().run.state is RunState.PAUSED  # type: ignore[union-attr]
        stage.source.mount()
        finished(driven, stage, 6, words="The volume of the inputs is back")
    stage.bench.oracle()


def input_volume_comes_back_with_another_number(folder: Path) -> None:
    """As network volumes do: the files are the same, the device number is not, and no video pays."""
    stage = Stage(folder)
    stage.videos(4)
    options = settings()
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until_running("01.mp4")
        stage.source.unmount()
        stage.gate.touch()
        held(driven, "is gone. Mount it again")
        stage.source.renew()
        stage.source.mount()
        finished(driven, stage, 4, words="The volume of the inputs is back")
    stage.bench.oracle()


def settling_files_wait_for_their_volume(folder: Path) -> None:
    stage = Stage(folder)
    stage.videos(3, "done")
    options = settings(settle_s=0.7)
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until(lambda seen: seen.run and len(seen.jobs) == 3 and seen.run.count(JobState.SETTLING) == 3)
        stage.source.unmount()
        held(driven, f"The volume of {stage.bench.source} is gone")
        stage.source.mount()
        finished(driven, stage, 3, words="The volume of the inputs is back")
    stage.bench.oracle()


def a_file_that_is_deleted_pays_for_itself(folder: Path) -> None:
    stage = Stage(folder)
    stage.videos(2)
    stage.bench.video("late.mp4")
    options = settings(workers=1)
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until(lambda seen: len(seen.jobs) == 3 and seen.jobs[0].state is JobState.RUNNING)
        (stage.bench.source / "late.mp4").unlink()
        stage.gate.touch()
        done = driven.until_done()
    row = jobs(done)["late.mp4"]
    assert (row.state, row.failure) == (JobState.FAILED, FailureClass.IO)
    assert not any("is gone" in note.text for note in done.notices)


def output_volume_goes(folder: Path) -> None:
    """Nothing is written to the folder that it leaves behind."""
    stage = Stage(folder)
    stage.videos(4)
    options = settings()
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until_running("01.mp4")
        stage.out.unmount()
        stage.gate.touch()
        held(driven, f"The volume of the output folder {stage.bench.out} is gone. Mount it again")
        assert not list(stage.bench.out.iterdir()), "written onto the bare mount point"
        stage.out.mount()
        finished(driven, stage, 4, words="The volume of the output folder is back")
    stage.out.unmount()
    assert not list(stage.bench.out.iterdir()), "written onto the bare mount point"
    stage.out.mount()
    stage.bench.oracle()


def output_volume_refuses(folder: Path) -> None:
    stage = Stage(folder)
    stage.videos(4)
    options = settings()
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until_running("01.mp4")
        stage.out.refuse()
        stage.gate.touch()
        held(driven, f"The output folder {stage.bench.out} cannot be written to")
        stage.out.accept()
        finished(driven, stage, 4, words="The output folder can be written to again")
    stage.bench.oracle()


def volumes_are_gone_when_a_run_is_resumed(folder: Path) -> None:
    """After a restart of the machine, say: neither is its folder made anew nor its files taken for deleted."""
    stage = Stage(folder)
    stage.bench.video("!first.mp4")
    stage.videos(3)
    options = settings(workers=1)
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until(lambda seen: seen.run and seen.run.count(JobState.DONE))
    for volume, words in ((stage.source, "The volume of"), (stage.out, "The volume of the output folder")):
        volume.unmount()
        with stage.bench.engine(options) as driven:
            driven.engine.send(ResumeRun())
            snapshot = held(driven, f"{words} {volume.path} is gone. Mount it again")
            assert not list(volume.path.iterdir())
            volume.mount()
            driven.until(lambda seen: seen.run and seen.run.state is RunState.RUNNING)
            assert snapshot.run and snapshot.run.run_id == 1
    stage.gate.touch()
    with stage.bench.engine(options) as driven:
        driven.engine.send(ResumeRun())
        done = driven.until_done()
    assert [row.state for row in done.jobs] == [JobState.DONE] * 4
    stage.bench.oracle()


def output_volume_is_full_when_the_reports_are_due(folder: Path) -> None:
    stage = Stage(folder, out_size="3m")
    stage.videos(2)
    options = settings()
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until_running("01.mp4")
        (stage.bench.out / "features").mkdir(exist_ok=True)
        stage.out.fill(leave_bytes=2 * 4096)
        stage.gate.touch()
        driven.until(lambda seen: seen.run and seen.run.count(JobState.DONE) == 2)
        held(driven, "The output volume is full. Free space for")
        assert not (stage.bench.out / "manifest.jsonl.gz").exists()
        stage.out.free()
        finished(driven, stage, 2, words="The output volume has room again")
    stage.bench.oracle()


def state_volume_fills_up(folder: Path) -> None:
    """The ledger's own volume: told as paused, and no attempt is charged twice."""
    stage = Stage(folder)
    state = Volume(folder / "disk-state", stage.bench.state, size="3m")
    stage.videos(12)
    options = settings()
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until_running("01.mp4")
        for _ in range(2):
            state.fill()
            stage.gate.touch()
            full = driven.until(lambda seen: seen.run and "ledger cannot be written" in seen.run.paused_because)
            assert full.run and full.run.state is RunState.PAUSED
            assert str(stage.bench.state) in full.run.paused_because
            assert "the run goes on by itself" in full.run.paused_because
            state.free()
            stage.gate.unlink()
            driven.until(lambda seen: seen.run and not seen.run.paused_because)
        stage.gate.touch()
        finished(driven, stage, 12, words="The ledger can be written again")
        told = [note.text for note in driven.engine.latest().notices if "cannot be written" in note.text]
        assert len(told) <= 4, "told once, not at every try"
    with_attempts(stage, 12)
    stage.bench.oracle()


def one_volume_for_all_fills_up(folder: Path) -> None:
    """State and outputs on the same 3 MB."""
    stage = Stage(folder, out_size="3m")
    (stage.out.store / "state").mkdir()
    stage.bench.state = stage.bench.out / "state"
    stage.videos(12)
    options = settings()
    with stage.bench.engine(options) as driven:
        driven.engine.send(stage.bench.start(options))
        driven.until_running("01.mp4")
        for _ in range(2):
            stage.out.fill()
            stage.gate.touch()
            driven.until(lambda seen: seen.run and seen.run.state is RunState.PAUSED)
            stage.out.free()
            stage.gate.unlink()
            driven.until(lambda seen: seen.run and seen.run.state is RunState.RUNNING)
        stage.gate.touch()
        finished(driven, stage, 12)
    with_attempts(stage, 12)
    stage.bench.oracle()


def with_attempts(stage: Stage, count: int) -> None:
    """See in the ledger that each video was charged once, and finished once."""
    ledger = Ledger(stage.bench.state)
    try:
        for job in ledger.jobs(1):
            outcomes = [one["outcome"] for one in ledger.attempts(job.job_id)]
            assert job.attempts == 1 and outcomes.count("done") == 1, (job.relative, job.attempts, outcomes)
            assert set(outcomes) <= {"done", "surroundings"}, outcomes
            count -= 1
    finally:
        ledger.close()
    assert count == 0


CASES: dict[str, Callable[[Path], None]] = {
    case.__name__: case
    for case in (
        input_volume_goes,
        input_volume_comes_back_with_another_number,
        settling_files_wait_for_their_volume,
        a_file_that_is_deleted_pays_for_itself,
        output_volume_goes,
        output_volume_refuses,
        volumes_are_gone_when_a_run_is_resumed,
        output_volume_is_full_when_the_reports_are_due,
        state_volume_fills_up,
        one_volume_for_all_fills_up,
    )
}

if __name__ == "__main__":
    assert PROBE_BYTES < 3 << 20, "a volume of 3 MB must be able to pass the probe"
    CASES[sys.argv[2]](Path(sys.argv[1]))
