"""Whole runs with the real worker and the fake model, for the short and the long form of case 23."""

import json
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
from engine_harness import Bench

from pipeline.settings import Settings
from pipeline.snapshot import Snapshot

sys.path.extend(str(Path(__file__).resolve().parents[1] / name) for name in ("torture", "worker"))

from compare import differences
from worker_harness import make_video

HOST_PROGRAM = Path(__file__).resolve().parents[1] / "engine" / "fake_model_host.py"
WORKER_PROGRAM = Path(__file__).with_name("meeting_worker.py")
RED = "red.mp4"


def options(**engine: Any) -> Settings:
    """Settings of a run that hands many pictures of each video to a host that is soon found silent or hung."""
    return Settings.model_validate(
        {
            "engine": {
                "workers": 2,
                "settle_s": 0,
                "retry_pause_s": 0.05,
                "retry_pause_max_s": 0.5,
                "nice": 0,
                **engine,
            },
            "embed": {"models": ["tiny-shapes"]},
            "crop": {"enabled": False},
            "dedupe": {"enabled": False},
            "frames": {"method": "interval", "interval_s": 0.08},
            "host": {"batch_size": 8, "max_wait_ms": 5, "threads": 1, "silent_s": 2, "batch_timeout_s": 2},
        }
    )


def make_videos(folder: Path, count: int = 3) -> None:
    """Make videos of 75 frames, and one with a red scene in its middle."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        make_video(folder / f"{number}.mp4", scenes=3, frames_per_scene=25 + number)
    with av.open(str(folder / RED), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(75):
            picture = np.random.default_rng(number).integers(0, 200, (96, 160, 3), np.uint8)
            if 30 <= number < 33:
                picture[:] = (230, 10, 10)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def run(folder: Path, source: Path, settings: Settings, **plan: Any) -> Snapshot:
    """Carry a run over the videos of `source` to its end, with the host failing as planned; ask the oracle."""
    bench = Bench(folder, source)
    whole = {"memory_for": 8, "guilty": "", "starts": [], "hosts": len(settings.host.devices), **plan}
    (folder / "plan").write_text(json.dumps(whole))
    worker, host = ((sys.executable, str(program), str(folder / "plan")) for program in (WORKER_PROGRAM, HOST_PROGRAM))
    with bench.engine(settings, worker, host) as driven:
        driven.engine.send(bench.start(settings))
        done = driven.until_done()
    bench.oracle()
    return done


def unlike(expected: Path, got: Path, *, without: str = "") -> list[str]:
    """Return where the feature files of two runs differ; `without` names an input that is not compared."""
    found = differences(expected / "out" / "features", got / "out" / "features")
    return [text for text in found if not (without and without in text)]
