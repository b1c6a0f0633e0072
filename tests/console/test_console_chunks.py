"""A long video that is done in chunks: its one row, and its chunks with their attempts on the screen of the video."""

from dataclasses import replace

from console_script import ScriptedEngine, facts_of, job

from pipeline.engine.scheduler import Queue
from pipeline.job_facts import AttemptFacts, ChunkFacts, JobFacts
from pipeline.model import FailureClass, JobState, Stage
from screens.presenters.job import job_body
from screens.presenters.job_head import job_head
from screens.presenters.queue import queue_row
from screens.widgets.outside import Line, line_width

LONG = job(
    1, JobState.RUNNING, name="long.mp4", stage=Stage.SCENES, progress=0.4, rate=9.5, worker=1, chunks=24, chunks_over=3
)
CHUNKS = (
    ChunkFacts(0, 0.0, 300.0, JobState.DONE, 1, ""),
    ChunkFacts(1, 300.0, 601.5, JobState.QUARANTINED, 2, "The worker crashed: SIGSEGV."),
    ChunkFacts(2, 601.5, 900.0, JobState.RUNNING, 1, ""),
)


def words(line: Line) -> str:
    return "".join(part.text for part in line)


def facts() -> JobFacts:
    engine = ScriptedEngine()
    engine.snapshot = replace(engine.snapshot, jobs=(LONG,))
    found = facts_of(engine, 1)
    assert isinstance(found, JobFacts)
    attempts = (
        AttemptFacts(2, "done", None, "", 1.0, 2.0, 0),
        AttemptFacts(3, "crashed", FailureClass.WORKER_CRASHED, "", 1.0, 2.0, 1),
    )
    return replace(found, chunks=CHUNKS, attempts=attempts)


def test_the_row_of_a_long_video_tells_its_chunks() -> None:
    assert "40% chunks 3/24" in words(queue_row(LONG, 100))
    assert "chunks" not in words(queue_row(replace(LONG, chunks=0), 100))
    assert words(queue_row(LONG, 55)).endswith("3/24   40%")
    assert all(line_width(queue_row(LONG, width)) <= width for width in (43, 76, 138))


def test_the_screen_of_a_long_video_names_its_chunks_with_their_attempts() -> None:
    assert "chunks 3/24" in words(job_head(facts(), LONG, "long.mp4", 100)[1])
    for width in (60, 80, 140):
        lines = job_body(facts(), width)
        assert all(line_width(line) <= width for line in lines)
    page = [words(line) for line in lines]
    told = page[page.index("chunks") + 1 :][:3]
    assert "0:00-5:00" in told[0] and "done · 1 attempt" in told[0]
    assert "quarantined · 2 attempts · The worker crashed: SIGSEGV." in told[1]
    assert "running · 1 attempt" in told[2]
    assert any("chunk 2: crashed: worker crashed" in line for line in page)


def test_a_video_in_one_piece_tells_of_no_chunk() -> None:
    assert "chunks" not in [words(line) for line in job_body(replace(facts(), chunks=()), 100)]


def test_chunks_fill_free_workers_only_when_nothing_else_is_ready() -> None:
    queue = Queue()
    queue.add(1)
    queue.add(2)
    queue.spread(1, 2)
    assert queue.ready() == 4
    assert queue.take_many(5) == [], "no chunk is handed ahead"
    assert [queue.take(1) for _ in range(5)] == [(1, False), (2, False), (1, False), (1, False), None]
    queue.spread(1, 1)
    queue.drop(1)
    assert queue.take(0) is None
