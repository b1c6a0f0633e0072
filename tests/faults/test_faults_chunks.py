"""A long video done in chunks: a bad chunk costs only itself, and no death costs a chunk that is whole."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from compare import differences
from engine_harness import Bench, jobs, settings
from media_make import shots, write_video

from pipeline.commands import CancelJob, Pause, ResumeRun, Retry, Unpause
from pipeline.engine.facade import WORKER_COMMAND
from pipeline.engine.ledger import Ledger
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import JobRecord
from pipeline.job_reader import read_job
from pipeline.model import FailureClass, JobState
from pipeline.outputs.chunks import chunk_path
from pipeline.outputs.paths import chunks_folder, features_path
from pipeline.settings import Settings
from pipeline.snapshot import JobRow, Snapshot

WORKER = (sys.executable, str(Path(__file__).with_name("chunk_worker.py")))
PROGRAM = str(Path(__file__).resolve().parents[1] / "engine" / "engine_process.py")
NAME = "long.mp4"
CHUNKS = 4
DENSE = {"g": "12", "bf": "2", "preset": "ultrafast"}
SHOTS = [20, 70, 31, 9, 55, 40, 25, 50]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds with a keyframe each half second."""
    return write_video(tmp_path_factory.mktemp("long") / NAME, shots(SHOTS), options=DENSE)


@pytest.fixture(scope="module")
def whole(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the features of the video done in one piece."""
    bench = Bench(tmp_path_factory.mktemp("whole"), video.parent)
    with bench.engine(options(chunk_s=0), WORKER_COMMAND) as driven:
        driven.engine.send(bench.start(options(chunk_s=0)))
        driven.until_done()
    return bench.out / "features"


@pytest.fixture
def deeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that tells workers what to do to which chunk."""
    folder = tmp_path / "deeds"
    folder.mkdir()
    monkeypatch.setenv("CHUNK_DEEDS", str(folder))
    return folder


@pytest.fixture
def long(bench: Bench, video: Path) -> Bench:
    """A bench whose one input is the video."""
    os.link(video, bench.source / NAME)
    return bench


def options(**engine: Any) -> Settings:
    return settings(**{"chunk_s": 3.0, "lease_ahead": 0, "max_crashes": 2, **engine})


def made(deeds: Path, word: str = "made") -> Counter[int]:
    log = deeds / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return Counter(int(line.split()[1]) for line in lines if line.startswith(f"{word} "))


def job_in(bench: Bench) -> JobRecord:
    with LedgerReader.read_only(bench.state) as ledger:
        job = ledger.job(1)
        assert job
        return job


@contextmanager
def started(bench: Bench) -> Iterator["subprocess.Popen[str]"]:
    """An engine in a process of its own that carries the run to its end."""
    asked = options().model_dump(mode="json", include={"engine", "embed"})
    command = [sys.executable, PROGRAM, str(bench.state), json.dumps(asked), str(bench.out), str(bench.source)]
    with subprocess.Popen([*command, "--worker", WORKER[1]], stdout=subprocess.PIPE, text=True) as engine:
        yield engine


def kill_all(engine: "subprocess.Popen[str]") -> None:
    """Kill an engine and its workers at once."""
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(engine.pid).children(recursive=True)
        for process in (psutil.Process(engine.pid), *family):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        assert not psutil.wait_procs(family, timeout=30)[1]


def row(snapshot: Snapshot) -> JobRow:
    return jobs(snapshot)[NAME]


def check_same(whole: Path, bench: Bench) -> None:
    """See that the features are those of the video done in one piece."""
    unlike = differences(whole, bench.out / "features")
    assert [line for line in unlike if "settings_hash" not in line] == []


def test_a_long_video_is_done_in_chunks_by_all_workers_with_the_result_of_one_piece(
    long: Bench, deeds: Path, whole: Path
) -> None:
    (deeds / "0.hold").touch()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(long.start(options()))
        held = driven.until(lambda snapshot: snapshot.jobs and row(snapshot).chunks_over == CHUNKS - 1)
        assert row(held).parts_over == f"chunks {CHUNKS - 1}/{CHUNKS}"
        assert 0.5 < row(held).progress < 0.95
        (deeds / "0.held").unlink()
        done = driven.until_done()
    assert row(done).state is JobState.DONE
    assert made(deeds) == dict.fromkeys(range(CHUNKS), 1)
    check_same(whole, long)
    facts = read_job(long.state, 1)
    assert [(chunk.number, chunk.state, chunk.attempts) for chunk in facts.chunks] == [
        (number, JobState.DONE, 1) for number in range(CHUNKS)
    ]
    assert sorted(attempt.chunk for attempt in facts.attempts) == [-1, -1, *range(CHUNKS)]


@pytest.mark.parametrize(("deed", "attempts"), [("crash", 2), ("fail", 1)])
def test_a_bad_chunk_costs_only_itself_and_is_named_and_can_be_tried_again(
    long: Bench, deeds: Path, whole: Path, deed: str, attempts: int
) -> None:
    (deeds / f"1.{deed}").touch()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(long.start(options()))
        done = driven.until_done()
        assert row(done).state is JobState.PARTIAL
        assert made(deeds, "begin") == {0: 1, 1: attempts, 2: 1, 3: 1}
        (lost,) = job_in(long).result["lost"]
        assert lost[2].startswith("part 2 of 4 is missing: ")
        assert "part 2 of 4 is missing" in row(done).note
        assert job_in(long).result["lost_s"] == pytest.approx(3.0, abs=0.6)
        (deeds / f"1.{deed}").unlink()
        driven.engine.send(Retry((1,)))
        driven.until(lambda snapshot: snapshot.jobs and row(snapshot).state is JobState.DONE)
        driven.until_done()
    assert made(deeds) == dict.fromkeys(range(CHUNKS), 1)
    check_same(whole, long)


def test_a_video_of_which_every_chunk_is_bad_fails_as_they_did(long: Bench, deeds: Path) -> None:
    for number in range(CHUNKS):
        (deeds / f"{number}.fail").touch()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(long.start(options()))
        done = driven.until_done()
    assert row(done).state is JobState.FAILED
    assert row(done).failure is FailureClass.CORRUPT


def test_a_video_that_turns_out_to_be_one_piece_is_done_as_one(long: Bench, deeds: Path, whole: Path) -> None:
    (deeds / "1.uncut").touch()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(long.start(options()))
        done = driven.until_done()
    assert row(done).state is JobState.DONE
    assert "read in one piece: it is one piece" in row(done).note
    check_same(whole, long)


def test_a_killed_worker_costs_its_chunk_alone(long: Bench, deeds: Path, whole: Path) -> None:
    (deeds / "2.hold").touch()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(long.start(options()))
        held = driven.until(lambda snapshot: snapshot.jobs and row(snapshot).chunks_over == CHUNKS - 1)
        busy = [worker.pid for worker in held.workers if worker.job_id]
        os.kill(busy[0], signal.SIGKILL)
        done = driven.until_done()
    assert row(done).state is JobState.DONE
    assert made(deeds, "begin") == {0: 1, 1: 1, 2: 2, 3: 1}
    check_same(whole, long)


@pytest.mark.parametrize("held", [0, 3])
def test_a_killed_engine_costs_no_chunk_that_is_whole(long: Bench, deeds: Path, whole: Path, held: int) -> None:
    (deeds / f"{held}.hold").touch()
    with started(long) as engine:
        wait_until(lambda: sum(made(deeds).values()) == CHUNKS - 1 and (deeds / f"{held}.held").exists())
        kill_all(engine)
    assert os.listdir(chunks_folder(features_path(os.fsencode(long.out), NAME.encode())))
    (deeds / f"{held}.held").unlink()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(ResumeRun(1))
        done = driven.until_done()
    assert row(done).state is JobState.DONE
    assert made(deeds) == dict.fromkeys(range(CHUNKS), 1)
    check_same(whole, long)


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_random_moments_lose_no_whole_chunk_and_make_none_twice(
    long: Bench, deeds: Path, whole: Path, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        with started(long) as engine:
            with suppress(subprocess.TimeoutExpired):
                engine.wait(timeout=1.5 + 2.5 * chance.random())
            kill_all(engine)
    with started(long) as engine:
        assert engine.wait(timeout=60) == 0
    assert job_in(long).state is JobState.DONE
    assert max(made(deeds).values()) == 1
    check_same(whole, long)


def test_a_chunk_that_is_damaged_on_the_disk_is_made_again(long: Bench, deeds: Path, whole: Path) -> None:
    (deeds / "3.hold").touch()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(long.start(options()))
        driven.until(lambda snapshot: snapshot.jobs and row(snapshot).chunks_over == CHUNKS - 1)
        path = chunk_path(features_path(os.fsencode(long.out), NAME.encode()), 1)
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) // 2)
        (deeds / "3.held").unlink()
        driven.until_done()
    assert made(deeds) == {0: 1, 1: 2, 2: 1, 3: 1}
    check_same(whole, long)


def test_pausing_keeps_what_is_whole_and_cancelling_leaves_nothing(long: Bench, deeds: Path) -> None:
    (deeds / "1.hold").touch()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(long.start(options()))
        driven.until(lambda snapshot: snapshot.jobs and row(snapshot).chunks_over == CHUNKS - 1)
        driven.engine.send(Pause())
        driven.until(lambda snapshot: snapshot.jobs and row(snapshot).state is JobState.QUEUED)
        (deeds / "1.held").rename(deeds / "1.hold")
        driven.engine.send(Unpause())
        driven.until(lambda snapshot: (deeds / "1.held").exists())
        driven.engine.send(CancelJob(1))
        done = driven.until_done()
    assert row(done).state is JobState.CANCELLED
    assert made(deeds) == {0: 1, 2: 1, 3: 1}
    assert not list(long.out.rglob("*.chunks"))


def test_a_video_that_changes_under_its_chunks_is_done_anew(long: Bench, deeds: Path, tmp_path: Path) -> None:
    other = write_video(tmp_path / NAME, shots(SHOTS, first_seed=50), options=DENSE)
    (deeds / "0.hold").touch()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(long.start(options()))
        driven.until(lambda snapshot: snapshot.jobs and row(snapshot).chunks_over == CHUNKS - 1)
        other.replace(long.source / NAME)
        (deeds / "0.held").unlink()
        done = driven.until_done()
    assert row(done).state is JobState.DONE
    (tmp_path / "expected").mkdir()
    expected = Bench(tmp_path / "expected", long.source)
    with expected.engine(options(chunk_s=0), WORKER_COMMAND) as driven:
        driven.engine.send(expected.start(options(chunk_s=0)))
        driven.until_done()
    check_same(expected.out / "features", long)


def test_other_videos_go_before_more_chunks_of_one(long: Bench, deeds: Path, tmp_path: Path) -> None:
    for number in range(3):
        write_video(long.source / f"short-{number}.mp4", shots([25], first_seed=10 + number))
    (deeds / "0.hold").touch()
    with long.engine(options(), WORKER) as driven:
        driven.engine.send(long.start(options()))
        driven.until(lambda snapshot: snapshot.jobs and row(snapshot).chunks_over == CHUNKS - 1)
        (deeds / "0.held").unlink()
        driven.until_done()
    order = (deeds / "log").read_text().splitlines()
    shorts = [order.index(f"whole short-{number}.mp4") for number in range(3)]
    assert max(shorts) < order.index("begin 1"), order


def test_a_ledger_of_the_schema_before_chunks_is_brought_up_to_date_and_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.video("a.mp4")
    bench.run(settings())
    with closing(sqlite3.connect(bench.state / "ledger.sqlite3")) as old:
        old.executescript(
            "ALTER TABLE jobs DROP COLUMN division; ALTER TABLE attempts DROP COLUMN chunk; DROP TABLE chunks;"
            "PRAGMA user_version = 1"
        )
    (bench.state / "ledger.seal").unlink()
    Ledger(bench.state).close()
    assert (bench.state / "ledger.sqlite3.schema-1").exists()
    assert bench.oracle() == {JobState.DONE: 1}
    assert job_in(bench).chunks == ()


def wait_until(holds: Callable[[], bool]) -> None:
    import time

    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
