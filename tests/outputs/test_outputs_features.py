"""A feature file is whole under its final name, is format 1, and says so when it is not."""

import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.identity import sha256_of
from pipeline.outputs import feature_writer as module
from pipeline.outputs.feature_writer import write_features
from pipeline.outputs.features import (
    FeatureError,
    FeatureReader,
    check_features,
    read_features,
)
from pipeline.outputs.format import Features, Speech, table

MakeFeatures = Callable[..., Features]


def as_path(folder: Path, name: str = "features/a/b.mp4.h5") -> bytes:
    return os.fsencode(folder / name)


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("frames", [0, 1, 3])
def test_what_is_written_is_read_back(
    tmp_path: Path, make_features: MakeFeatures, compression: str, frames: int
) -> None:
    features = make_features(frames=frames, lost=True)
    if not frames:
        features = dataclasses.replace(features, embeddings={})
    written = write_features(as_path(tmp_path), features, compression=compression)
    found = read_features(as_path(tmp_path))
    assert module._equal(found, features)
    assert written.sha256 == hashlib.sha256(Path(os.fsdecode(as_path(tmp_path))).read_bytes()).hexdigest()
    assert check_features(as_path(tmp_path)) == check_features(as_path(tmp_path), deep=False) == []


def test_plain_h5py_finds_format_1(tmp_path: Path, make_features: MakeFeatures) -> None:
    """The names, dtypes and attributes are those of DESIGN, with nothing of ours needed to read them."""
    write_features(as_path(tmp_path), make_features(lost=True, relative=b"a/\xff[/].mp4"))
    with h5py.File(os.fsdecode(as_path(tmp_path))) as file:
        assert file.attrs["format"] == "vconsole-features"
        assert file.attrs["format_version"] == 1
        assert file.attrs["source"].dtype == np.uint8
        assert file.attrs["source"].tobytes() == b"a/\xff[/].mp4"
        assert file.attrs["crop_xywh"].dtype == np.int32
        assert file.attrs["crop_xywh"].tolist() == [0, 40, 640, 280]
        assert file.attrs["stage_keys"] == '{"embed:toy": "2", "probe": "1"}'
        assert {name: str(file["scenes"][name].dtype) for name in file["scenes"]} == {
            "start_s": "float64",
            "end_s": "float64",
            "start_frame": "int64",
            "end_frame": "int64",
        }
        assert {name: str(file["frames"][name].dtype) for name in file["frames"]} == {
            "time_s": "float64",
            "frame_index": "int64",
            "scene": "int32",
            "dhash": "uint64",
            "sharpness": "float32",
        }
        assert file["frames"].attrs["sampling"] == "scenes"
        assert file["frames/dhash"][0] == 2**64 - 1
        assert file["embeddings/toy/vectors"].shape == (3, 8)
        assert dict(file["embeddings/toy"].attrs) == {
            "model": "Toy",
            "weights": "none",
            "weights_sha256": "00",
            "dim": 8,
            "precision": "fp32",
            "device": "cpu",
        }
        assert file["scene_vectors/toy/vectors"].shape == (2, 8)
        assert file["video/toy/vectors"].shape == (1, 8)
        assert file["lost/reason"].asstr()[0] == "the data end – early"


def test_groups_nobody_asked_for_are_absent(tmp_path: Path, make_features: MakeFeatures) -> None:
    write_features(as_path(tmp_path), dataclasses.replace(make_features(), embeddings={}))
    with h5py.File(os.fsdecode(as_path(tmp_path))) as file:
        assert set(file) == {"scenes", "frames"}


def _with(features: Features, **columns: object) -> Features:
    return dataclasses.replace(features, frames={**features.frames, **columns})


def test_impossible_contents_are_refused(tmp_path: Path, make_features: MakeFeatures) -> None:
    """Wrong lengths, NaN, falling times, scenes that are not there and vectors not of length 1 never get a name."""
    good = make_features()
    toy = good.embeddings["toy"]
    bad = {
        "differ in length": _with(good, time_s=good.frames["time_s"][:2]),
        "not finite": _with(good, time_s=np.array([0.0, np.nan, 5.0])),
        "times do not rise": _with(good, time_s=good.frames["time_s"][::-1]),
        "numbers do not rise": _with(good, frame_index=np.zeros(3, np.int64)),
        "of no scene": _with(good, scene=np.array([0, 0, 2], np.int32)),
        "is not (3, 8)": dataclasses.replace(
            good, embeddings={"toy": dataclasses.replace(toy, vectors=toy.vectors[:2])}
        ),
        "of length 1": dataclasses.replace(
            good, embeddings={"toy": dataclasses.replace(toy, vectors=toy.vectors * np.float32(np.nan))}
        ),
        "duration_s or fps": dataclasses.replace(good, info=dataclasses.replace(good.info, fps=float("inf"))),
    }
    for sentence, features in bad.items():
        with pytest.raises(FeatureError) as caught:
            write_features(as_path(tmp_path), features)
        assert sentence in str(caught.value)
    assert not os.path.exists(as_path(tmp_path))


def test_a_scene_without_frames_may_have_a_vector_of_zeros(tmp_path: Path, make_features: MakeFeatures) -> None:
    good = make_features()
    scenes = good.embeddings["toy"].scenes.copy()
    scenes[1] = 0
    toy = dataclasses.replace(good.embeddings["toy"], scenes=scenes)
    write_features(as_path(tmp_path), dataclasses.replace(good, embeddings={"toy": toy}))
    assert check_features(as_path(tmp_path)) == []


def test_truncation_anywhere_is_found(tmp_path: Path, make_features: MakeFeatures) -> None:
    path = Path(os.fsdecode(as_path(tmp_path)))
    written = write_features(os.fsencode(path), make_features(lost=True))
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        assert check_features(os.fsencode(path)), f"cut to {size} bytes"
        assert sha256_of(os.fsencode(path)) != written.sha256


def test_flipped_bytes_never_pass_as_another_content(tmp_path: Path, make_features: MakeFeatures) -> None:
    """HDF5 has no checksum over data, so ours must catch what reading alone may not; neither may crash."""
    path = Path(os.fsdecode(as_path(tmp_path)))
    written = write_features(os.fsencode(path), make_features())
    whole = bytearray(path.read_bytes())
    for place in range(0, len(whole), 211):
        whole[place] ^= 0xFF
        path.write_bytes(whole)
        whole[place] ^= 0xFF
        assert isinstance(check_features(os.fsencode(path)), list)
        assert sha256_of(os.fsencode(path)) != written.sha256


def test_a_foreign_or_newer_file_is_not_taken_for_ours(tmp_path: Path, make_features: MakeFeatures) -> None:
    path = Path(os.fsdecode(as_path(tmp_path)))
    write_features(os.fsencode(path), make_features())
    with h5py.File(path, "a") as file:
        file.attrs["format_version"] = 2
    with pytest.raises(FeatureError, match="format version 2"):
        read_features(os.fsencode(path))
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "another"
    assert check_features(os.fsencode(path), deep=False) == ["not a feature file"]
    with pytest.raises(FileNotFoundError):
        read_features(b"/nowhere.h5")


def test_a_file_that_reads_back_differently_gets_no_name(
    tmp_path: Path, make_features: MakeFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that returns other bytes than were written is found before the rename."""
    monkeypatch.setattr(module, "sha256_of", lambda path: "0" * 64)
    with pytest.raises(FeatureError, match="not what was written"):
        write_features(as_path(tmp_path), make_features())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_reader_keeps_what_it_read_last_within_its_bound(tmp_path: Path, make_features: MakeFeatures) -> None:
    features = make_features()
    for name in ("1", "2", "3"):
        write_features(as_path(tmp_path, f"features/{name}.mp4.h5"), features)
    reader = FeatureReader(os.fsencode(tmp_path), cache_bytes=int(features.memory_bytes * 2.5))
    first = reader.get(b"1.mp4")
    assert reader.get(b"1.mp4") is first
    reader.get(b"2.mp4")
    reader.get(b"3.mp4")
    assert reader.cached_bytes <= features.memory_bytes * 2.5
    assert reader.get(b"1.mp4") is not first
    held = reader.get(b"3.mp4")
    write_features(as_path(tmp_path, "features/3.mp4.h5"), make_features(frames=2))
    assert reader.get(b"3.mp4") is not held


def test_a_moment_that_lacks_picture_and_sound_is_lost_once(make_features: MakeFeatures) -> None:
    silent = {"start_s": [0.5, 2.0, 8.0], "end_s": [1.5, 3.0, 9.0], "reason": ["no sound"] * 3}
    names = ("start_s", "end_s", "text", "confidence", "no_speech_prob")
    speech = Speech(
        table("speech", {name: [] for name in names}), "", "whisper-tiny", "00", "", table("speech_lost", silent)
    )
    damaged = dataclasses.replace(make_features(lost=True), speech=speech)
    assert damaged.lost_s == pytest.approx(3.5), "0.5 to 3.0 and 8.0 to 9.0"
    assert make_features().lost_s == 0.0
