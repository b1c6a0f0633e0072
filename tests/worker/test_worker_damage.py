"""Fault case 13: damaged and foreign files end as partial, failed or skipped, with a true reason, in bounded time.

LONG_MUTATIONS=N in the environment tries N mutated files (and truncation at every third byte) instead of a sample.
"""

import os
import random
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from worker_harness import Engine, make_video

from pipeline.model import FailureClass
from pipeline.outputs.features import check_features, read_features
from pipeline.outputs.paths import features_path

LONG = int(os.environ.get("LONG_MUTATIONS", "0"))
SAMPLE = 40
FRAMES = 24
ONE_FILE_S = 20.0
"""No damaged file of a few kilobytes may take longer."""
pytestmark = pytest.mark.timeout(180 + LONG)
INPUT_CLASSES = {FailureClass.CORRUPT, FailureClass.UNSUPPORTED, FailureClass.TOO_LARGE, FailureClass.ENCRYPTED}


def encoded(folder: Path, **options: str) -> bytes:
    path = folder / "s.mp4"
    make_video(path, frames_per_scene=FRAMES // 3, width=64, height=48, keyframes=8, options=options)
    return path.read_bytes()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encoded(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encoded(tmp_path_factory.mktemp("indexed"), movflags="faststart")


def check(engine: Engine, source: Path) -> dict[str, Any]:
    """Give the file to the worker and hold the answer to what must be true of any answer."""
    began = time.monotonic()
    message = engine.do(source, force=True)
    assert time.monotonic() - began < ONE_FILE_S
    result, failure = message["result"], message["failure"]
    path = features_path(os.fsencode(engine.out), os.fsencode(source.name))
    if message["outcome"] == "failed":
        assert failure["class"] in INPUT_CLASSES, failure
        assert failure["message"].endswith(".")
        assert failure["stage"]
    elif message["outcome"] == "skipped":
        assert result["reason"]
    else:
        assert check_features(path) == []
        told = read_features(path)
        assert told.partial == (message["outcome"] == "partial")
        assert (told.info.frames_lost, told.lost_s) == (result["lost_frames"], result["lost_s"])
    return message


def truncations(whole: bytes) -> Iterator[int]:
    sizes = range(0, len(whole), 3)
    yield from sizes if LONG else sizes[:: max(1, len(sizes) // SAMPLE)]


def test_truncation_is_never_a_quiet_done(engine: Engine, small: bytes, tmp_path: Path) -> None:
    """The index of this file comes last, so a cut takes it away; only where tags behind it are cut nothing is lost."""
    engine.start_run()
    source = tmp_path / "cut.mp4"
    for size in truncations(small):
        source.write_bytes(small[:size])
        if check(engine, source)["outcome"] == "done":
            path = features_path(os.fsencode(engine.out), b"cut.mp4")
            assert read_features(path).info.frames_decoded == FRAMES, f"cut to {size} bytes"


def test_truncation_behind_the_index_is_partial(engine: Engine, indexed: bytes, tmp_path: Path) -> None:
    """With the index in front every cut takes pictures away, and the loss is told against what the index promises."""
    engine.start_run()
    source = tmp_path / "cut.mp4"
    losses = []
    for size in truncations(indexed):
        source.write_bytes(indexed[:size])
        message = check(engine, source)
        assert message["outcome"] in {"partial", "failed", "skipped"}, f"cut to {size} bytes"
        if message["outcome"] == "partial":
            losses.append(message["result"]["lost_frames"])
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > FRAMES // 2 > losses[-1] > 0


def mutated(whole: bytes, seed: int) -> bytes:
    """Return `whole` with some bytes flipped, a piece cut out, or a piece put twice."""
    chance = random.Random(seed)
    data = bytearray(whole)
    kind = chance.randrange(3)
    place = chance.randrange(len(data))
    if kind == 0:
        for _ in range(chance.choice((1, 4, 32))):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif kind == 1:
        del data[place : place + chance.randrange(1, 400)]
    else:
        data[place:place] = data[place : place + chance.randrange(1, 400)]
    return bytes(data)


def test_mutations_end_in_bounded_time(engine: Engine, small: bytes, tmp_path: Path) -> None:
    """A flipped bit in the picture data can decode without a sign, so `done` is an honest answer too."""
    engine.start_run()
    source = tmp_path / "mutated.mp4"
    for seed in range(LONG or SAMPLE):
        source.write_bytes(mutated(small, seed))
        check(engine, source)
    assert engine.process.poll() is None


def test_what_is_no_video_says_so(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("This is not a video.\n" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "zip.mp4", "w") as archive:
        archive.writestr("a.txt", "words " * 1000)
    engine.start_run()
    outcomes = {name: check(engine, tmp_path / name) for name in ("text.mp4", "empty.mp4", "zip.mp4")}
    assert outcomes["text.mp4"]["failure"]["class"] == outcomes["zip.mp4"]["failure"]["class"] == "corrupt"
    assert outcomes["empty.mp4"]["outcome"] == "skipped"
    assert not (engine.out / "features").exists()


def test_a_header_that_claims_a_billion_seconds_is_not_believed(engine: Engine, small: bytes, tmp_path: Path) -> None:
    data = bytearray(small)
    for box in (b"mvhd", b"mdhd"):
        at = data.index(box) + 4 + 4 + 8
        if box == b"mvhd":
            data[at : at + 8] = struct.pack(">II", 1, 10**9)
        else:
            scale = struct.unpack(">I", data[at : at + 4])[0]
            data[at + 4 : at + 8] = struct.pack(">I", min(2**32 - 2, 10**9 * scale))
    source = tmp_path / "long.mp4"
    source.write_bytes(data)
    engine.start_run()
    message = check(engine, source)
    assert message["outcome"] in {"done", "partial"}
    assert message["result"]["duration_s"] == pytest.approx(FRAMES / 25, abs=0.2)
