"""A terminal that stops reading costs the run nothing, and shows what is true when it reads again (case 20)."""

from pathlib import Path

from console_program import LIMIT_S, Console, make_videos

from pipeline.model import JobState, RunState

VIDEOS = 30
GROWN_MB = 10.0
"""What the console may grow by while nobody reads: Textual keeps 30 writes, and the run's own facts grow a little."""


def shown_states(console: Console) -> set[str]:
    """Return what the queue says of the videos in view."""
    return {row[2:10].strip() for row in console.rows() if ".mp4" in row[:40]}


def test_a_run_goes_on_to_its_end_while_nobody_reads_the_terminal(tmp_path: Path) -> None:
    videos = make_videos(tmp_path / "videos", VIDEOS, seconds=0.4)
    with Console(tmp_path / "home", (120, 36), {"VCONSOLE_CONSOLE__REFRESH_HZ": "20"}) as console:
        console.wait_for("Nothing to do yet.")
        console.start_run(videos)
        console.until(lambda: console.count(JobState.DONE) > 0, "a first video that is done")
        console.reads.clear()
        console.until(console.is_stuck, "a screen that can write no more")
        before, done = console.rss_mb(), console.count(JobState.DONE)
        assert done < VIDEOS, "the run was over too early"
        console.until(lambda: console.run_state() is RunState.DONE, "the end of the run")
        assert console.is_stuck()
        assert console.rss_mb() - before < GROWN_MB
        assert not console.shows(f"✓ {VIDEOS} done")

        console.reads.set()
        console.wait_for(f"✓ {VIDEOS} done")
        console.wait_for("finished; outputs in")
        console.until(lambda: shown_states(console) == {"✓ done"}, "a queue in which every video is done")
        console.press("q")
        assert console.process.wait(LIMIT_S) == 0
        assert console.violations() == []
