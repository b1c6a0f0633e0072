"""A scan of very many files: the engine stays live, work begins at once, and a cancel ends it at once (case 17)."""

import json
import os
from pathlib import Path

import pytest
from crowd import Watch, make, names
from engine_harness import Bench, settings

from pipeline.commands import CancelRun
from pipeline.engine.discover import LISTED_AT_ONCE, walk
from pipeline.model import JobState, RunState

FILES = 20_000
LIVE_S = 2.0
"""A snapshot this old would be seen by an operator; a busy machine has the rest of it for itself."""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Many files with odd names: in many folders and in one large one."""
    root = os.fsencode(tmp_path_factory.mktemp("crowd"))
    assert make(root, FILES) == FILES
    return root


def test_a_large_scan_is_watched_live_while_work_goes_on_and_no_name_is_taken_for_another(
    bench: Bench, crowd: bytes
) -> None:
    bench.source = Path(os.fsdecode(crowd))
    options = settings()
    with bench.engine(options) as driven, Watch(driven.engine) as watch:
        driven.engine.send(bench.start(options))
        driven.until(
            lambda snapshot: snapshot.run and snapshot.run.discovering and snapshot.run.count(JobState.DONE),
            "a first result while the scan goes on",
        )
        done = driven.until_done()
    assert max(watch.gaps_s) < LIVE_S
    assert max(watch.late_s) < LIVE_S, "the console's own thread is kept from running"
    assert {os.fsencode(row.name) for row in done.jobs} == {path for path, _ in names(FILES)}
    media = [content for path, content in names(FILES) if path.endswith(b".mp4")]
    worked = sum(content.startswith(b"done") for content in media)
    assert bench.oracle() == {JobState.DONE: worked, JobState.SKIPPED: FILES - worked}


def test_a_cancel_in_the_middle_of_a_large_scan_ends_it(bench: Bench, crowd: bytes) -> None:
    bench.source = Path(os.fsdecode(crowd))
    options = settings(scan_batch=100)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        begun = driven.until(lambda snapshot: snapshot.run and snapshot.run.total > 100)
        assert begun.run
        driven.engine.send(CancelRun(begun.run.run_id))
        report = bench.out / "run.json"
        driven.until(lambda _: report.exists() and json.loads(report.read_text())["state"] == "cancelled", "the end")
        ended = driven.engine.latest()
        assert ended.run and ended.run.state is RunState.CANCELLED
        assert sum(number for _, number in ended.run.counts) == ended.run.total < FILES
    counts = bench.oracle()
    assert not counts.keys() & {JobState.QUEUED, JobState.RUNNING, JobState.SETTLING, JobState.WAITING}


def test_a_stop_is_heeded_between_folders_too(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / str(number)).mkdir()
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 100

    assert list(walk([os.fsencode(tmp_path)], b"/none", stop)) == []
    assert len(asked) <= 102


def test_a_folder_larger_than_one_listing_is_walked_whole(tmp_path: Path) -> None:
    expected = {b"%06d" % number for number in range(LISTED_AT_ONCE + 10)}
    for name in expected:
        (tmp_path / name.decode()).touch()
    found = [one.relative for one in walk([os.fsencode(tmp_path)], b"/none")]
    assert len(found) == len(expected)
    assert set(found) == expected
