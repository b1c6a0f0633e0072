"""A transcode whose output volume fills up in the midst of a video: a program, to be run alone in a mount namespace.

    unshare -rm python full_volume.py FOLDER

The run must pause with its sentence, not try again while there is less room than the output needed, go on by itself
once there is, and charge no video; no broken file may have a final name.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "media"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "transcode"))

from engine_harness import Bench, settings
from transcode_harness import broken, make_library, videos
from volumes import Volume

from pipeline.model import JobState, RunKind, RunState
from pipeline.settings import Settings

WORKER = (sys.executable, "-m", "pipeline.worker")
QUIET_S = 3.0
"""For so long no attempt may begin while the volume is full."""


def main() -> None:
    """Fill, see that it is paused and stays so, free, see that it ends well."""
    bench = Bench(Path(sys.argv[1]))
    volume = Volume(Path(sys.argv[1]) / "disk", bench.out, size="64m")
    make_library(bench.source, 3, frames=300)
    volume.fill(leave_bytes=1_500_000)  # more than the engine's own try takes, less than an output
    made = settings(workers=1)
    quick = Settings.model_validate({"transcode": {"crf": 0, "speed": "ultrafast"}}).transcode
    with bench.engine(made.model_copy(update={"transcode": quick}), WORKER) as driven:
        driven.engine.send(
            bench.start(made.model_copy(update={"transcode": quick}), kind=RunKind.TRANSCODE),
        )
        paused = driven.until(lambda seen: seen.run and seen.run.state is RunState.PAUSED, "a pause")
        assert paused.run and "full" in paused.run.paused_because, paused.run
        end = time.monotonic() + QUIET_S
        while time.monotonic() < end:
            seen = driven.engine.latest()
            assert seen.run and seen.run.state is RunState.PAUSED, "it went on though the volume is full"
            time.sleep(0.05)
        assert not videos(bench.out) and not list(bench.out.rglob("*.part"))
        volume.free()
        done = driven.until_done()
        assert [(row.state, row.attempts) for row in done.jobs] == [(JobState.DONE, 1)] * 3, done.jobs
    assert len(videos(bench.out)) == 3
    assert not [why for path in videos(bench.out) if (why := broken(path))]
    bench.oracle()
    print(os.fspath(bench.out))


if __name__ == "__main__":
    main()
