"""Videos shared by the tests of media and stages; each is made once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from media_make import shots, write_video


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the path of a video by its name, making it when it is first asked for."""
    folder = tmp_path_factory.mktemp("videos")
    x264 = {"preset": "veryfast"}
    makers: dict[str, Callable[[Path], Path]] = {
        "plain.mp4": lambda path: write_video(path, shots([60] * 6)),
        "open_gop.mp4": lambda path: write_video(
            path,
            shots([60] * 6),
            options=x264 | {"x264-params": "open-gop=1:keyint=50:min-keyint=50:scenecut=0:bframes=3"},
        ),
        "mpeg4.avi": lambda path: write_video(path, shots([60] * 6), codec="mpeg4", options={"g": "25", "b": "8M"}),
        "mpeg4.mp4": lambda path: write_video(
            path, shots([60] * 6), codec="mpeg4", options={"bf": "2", "g": "25", "b": "8M"}
        ),
        "mpeg2.ts": lambda path: write_video(
            path, shots([60] * 6), codec="mpeg2video", options={"bf": "2", "g": "15", "b": "8M"}
        ),
        "sound.mkv": lambda path: write_video(path, shots([60] * 6), audio_s=14.4),
        "vp9.webm": lambda path: write_video(
            path, shots([60] * 2), codec="libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"}
        ),
        "variable.mp4": lambda path: write_video(path, shots([60] * 6), times=lambda n: n * 40 + (n % 3) * 9),
        "turned.mp4": lambda path: write_video(path, shots([60] * 2), rotation=90),
        "one_shot.mp4": lambda path: write_video(path, shots([100])),
        "black.mp4": lambda path: write_video(path, (np.zeros((180, 320, 3), np.uint8) for _ in range(60))),
    }

    def get(name: str) -> Path:
        path = folder / name
        return path if path.exists() else makers[name](path)

    return get
