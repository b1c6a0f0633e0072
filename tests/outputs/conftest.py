"""A small made-up video's features, for tests that need no video."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.outputs.format import Embedding, FeatureInfo, Features, Provenance, table

MakeFeatures = Callable[..., Features]


def unit_rows(rows: int, dim: int = 8) -> NDArray[np.float32]:
    vectors = np.random.default_rng(rows).normal(size=(rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def make_features() -> MakeFeatures:
    """Return a function that makes valid features; `frames` sets how many, `lost` adds a lost part."""

    def make(*, frames: int = 3, lost: bool = False, relative: bytes = b"a/b.mp4") -> Features:
        info = FeatureInfo(
            source=relative,
            source_display=relative.decode("utf-8", "backslashreplace"),
            source_bytes=1000,
            content_id="c0ffee",
            duration_s=10.0,
            width=640,
            height=360,
            fps=25.0,
            video_codec="h264",
            audio_codec="",
            crop_xywh=(0, 40, 640, 280),
            rotation_deg=0,
            frames_decoded=250,
            frames_lost=0,
            created_utc="2026-01-01T00:00:00Z",
            vconsole_version="0.1.0",
            settings_hash="abc",
            stage_keys={"probe": "1", "embed:toy": "2"},
            probe={"container": "mp4", "bit_depth": 8, "variable_rate": True, "cut_off": False},
        )
        times = [10.0 * number / max(1, frames) for number in range(frames)]
        return Features(
            info=info,
            scenes=table(
                "scenes",
                {"start_s": [0.0, 5.0], "end_s": [5.0, 10.0], "start_frame": [0, 125], "end_frame": [125, 250]},
            ),
            frames=table(
                "frames",
                {
                    "time_s": times,
                    "frame_index": [int(time * 25) for time in times],
                    "scene": [int(time >= 5) for time in times],
                    "dhash": [2**64 - 1 - number for number in range(frames)],
                    "sharpness": [1.5] * frames,
                },
            ),
            sampling="scenes",
            embeddings={
                "toy": Embedding(
                    unit_rows(frames), Provenance("Toy", "none", "00", "fp32", "cpu"), unit_rows(2), unit_rows(1)
                )
            },
            lost=table("lost", {"start_s": [1.0], "end_s": [2.5], "reason": ["the data end – early"]})
            if lost
            else None,
        )

    return make
