"""What happens to a run when descriptors, processes or memory are short: a program, run under a limit of its own.

    prlimit --nofile=64:64 python scarcity_cases.py FOLDER CASE

Each case drives an engine and asserts what must hold; see `CASES`.
"""

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

import engine_harness
from disk_cycles import make_inputs
from engine_harness import FAKE_WORKER, SETTLE_S, Bench, Clock, Driven, settings

from pipeline.engine import limits, surroundings
from pipeline.media.samples import Recipe, make_video
from pipeline.model import JobState, RunState
from pipeline.settings import Settings
from pipeline.snapshot import Snapshot

engine_harness.DEADLINE_S = 45.0
SHORT_OF_FILES = "No further file can be opened or process started. Raise the limits (ulimit -n, ulimit -u)"


def all_done(bench: Bench, snapshot: Snapshot, count: int) -> None:
    """See that every video is done and none was charged for a shortage."""
    assert [row.state for row in snapshot.jobs] == [JobState.DONE] * count, snapshot.jobs
    assert {row.attempts for row in snapshot.jobs} == {1}
    bench.oracle()


def held(driven: Driven, words: str) -> Snapshot:
    """Wait until the run is held with these words; no video has failed by then."""
    snapshot = driven.until(
        lambda seen: seen.run and seen.run.state is RunState.PAUSED and words in seen.run.paused_because, words
    )
    assert not snapshot.failures, snapshot.failures
    return snapshot


def few_can_be_started(folder: Path) -> None:
    """Under a limit of open files or processes for the whole program: fewer workers with a notice."""
    bench = Bench(folder)
    for number in range(30):
        bench.video(f"{number:02}.mp4", "slow 4 0.2")
    options = settings(workers=40)
    most = 0
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        while not (done := driven.engine.latest()).run or done.run.state is not RunState.DONE:
            most = max(most, len(done.workers))
            driven.until(lambda seen, before=done: seen is not before)  # type: ignore[misc]
    assert any(note.text.startswith("Only ") and "of 40 can run: " in note.text for note in done.notices), done.notices
    assert 1 <= sum(1 for note in done.notices if note.text.startswith("Only ")) <= 12, "told when it changes"
    all_done(bench, done, 30)


def none_can_be_opened(folder: Path) -> None:
    """Not one descriptor is left: when the run begins, and again while it runs."""
    bench = Bench(folder)
    gate = folder / "gate"
    for number in range(6):
        bench.video(f"{number:02}.mp4", f"gate {gate}")
    options = settings()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with bench.engine(options) as driven:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, hard))
        driven.engine.send(bench.start(options))
        held(driven, SHORT_OF_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        driven.until_running("01.mp4")
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, hard))
        os.kill(driven.worker_pid("00.mp4"), 9)
        os.kill(driven.worker_pid("01.mp4"), 9)
        held(driven, SHORT_OF_FILES)
        gate.touch()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        done = driven.until_done()
    assert any(note.text == "Workers are tried again; the run goes on." for note in done.notices)
    all_done(bench, done, 6)


def none_can_be_opened_by_discovery(folder: Path) -> None:
    """Files that cannot be opened for want of descriptors are looked at again, not failed; settling ones too."""
    bench = Bench(folder)
    for number in range(6):
        bench.video(f"{number:02}.mp4")
    options, clock = settings(settle_s=SETTLE_S), Clock()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with bench.engine(options, clock=clock) as driven:
        driven.engine.send(bench.start(options))
        driven.until_settling()
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, hard))
        clock.offset_s += SETTLE_S
        held(driven, SHORT_OF_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        clock.settle(driven)
        done = driven.until_done()
    all_done(bench, done, 6)


def none_is_left_in_a_worker(folder: Path) -> None:
    """The real worker's own descriptors: the attempt is given back, and a fresh worker goes on."""
    bench, limit = Bench(folder), folder / "limit"
    make_inputs(bench.source, 2)
    limit.write_text("5")
    shell = f'exec prlimit --nofile=$(cat {limit}) {sys.executable} -P -m pipeline.worker "$@"'
    options = settings(workers=1, retry_pause_s=0.3, retry_pause_max_s=0.5)
    with bench.engine(options, ("sh", "-c", shell, "worker")) as driven:
        driven.engine.send(bench.start(options))
        snapshot = held(driven, SHORT_OF_FILES)
        assert {row.attempts for row in snapshot.jobs} <= {0, 1}
        limit.write_text("256")
        done = driven.until_done()
    all_done(bench, done, 2)


def memory_runs_out_in_a_worker(folder: Path) -> None:
    """A real allocation fails in a full address space; the run waits until there is memory, and no video is charged."""
    bench, limit = Bench(folder), folder / "limit"
    make_video(bench.source, Recipe("large.mp4", (("red", "star"),), width=1920, height=1080, seconds=1.0))
    limit.write_text("yes")
    program = Path(__file__).with_name("tight_worker.py")
    options = settings(workers=1, decode_threads=1, retry_pause_s=0.3, retry_pause_max_s=0.5)
    enough, surroundings.MEMORY_ENOUGH_BYTES = surroundings.MEMORY_ENOUGH_BYTES, 1 << 60
    with bench.engine(options, (sys.executable, str(program), str(limit))) as driven:
        driven.engine.send(bench.start(options))
        held(driven, "Memory ran out. The run goes on by itself when some is free")
        limit.unlink()
        surroundings.MEMORY_ENOUGH_BYTES = enough
        done = driven.until_done()
    assert any(note.text == "Memory is free again; the run goes on." for note in done.notices)
    all_done(bench, done, 1)


def the_soft_limit_is_raised(folder: Path) -> None:
    """As far as the hard one allows, by the engine."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    bench = Bench(folder)
    with bench.engine(Settings.model_validate({"engine": {"workers": 1}}), FAKE_WORKER):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == min(hard, limits.DESCRIPTORS_WANTED) > 64


CASES: dict[str, Callable[[Path], None]] = {
    case.__name__: case
    for case in (
        few_can_be_started,
        none_can_be_opened,
        none_can_be_opened_by_discovery,
        none_is_left_in_a_worker,
        memory_runs_out_in_a_worker,
        the_soft_limit_is_raised,
    )
}

if __name__ == "__main__":
    CASES[sys.argv[2]](Path(sys.argv[1]))
