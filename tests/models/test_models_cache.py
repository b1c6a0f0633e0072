"""What is asked again is answered from the cache, which is bounded; and the batch size is measured once and kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.models import remembered
from pipeline.models.cache import ENTRY_BYTES, VectorCache, picture_key
from pipeline.models.families.perceptual import PerceptualModel
from pipeline.models.measure import measured_batch_size
from pipeline.models.tuning import best_batch_size
from pipeline.sections import HostSettings

ROW = np.ones(4, np.float32)


def test_the_least_recently_used_make_room() -> None:
    cache = VectorCache(2 * (ROW.nbytes + ENTRY_BYTES))
    for name in (b"a", b"b"):
        cache.put(("m", name), ROW)
    assert cache.get(("m", b"a")) is not None
    cache.put(("m", b"c"), ROW)
    assert cache.get(("m", b"b")) is None
    assert cache.get(("m", b"a")) is not None
    assert (cache.asked, cache.hits) == (3, 2)


def test_a_row_of_a_batch_is_held_without_its_batch() -> None:
    cache = VectorCache(1 << 20)
    cache.put(("m", b"a"), np.ones((100, 4), np.float32)[3])
    held = cache.get(("m", b"a"))
    assert held is not None
    assert held.base is None


def test_pictures_differ_by_bytes_shape_and_model() -> None:
    picture = np.zeros((2, 8, 3), np.uint8)
    keys = {picture_key("m", picture), picture_key("m", picture + 1), picture_key("m", picture.reshape(8, 2, 3))}
    assert len(keys | {picture_key("other", picture)}) == 4
    assert picture_key("m", picture) == picture_key("m", picture.copy())
    assert picture_key("m", picture[:, ::-1] + 1) in keys, "whatever its strides"


def test_only_texts_that_are_new_are_encoded() -> None:
    cache, asked = VectorCache(1 << 20), []

    def encode(texts: list[str]) -> NDArray[np.float32]:
        asked.append(texts)
        return np.asarray([[len(text)] for text in texts], np.float32)

    assert cache.of_texts("m", ["a", "bb", "a"], encode).tolist() == [[1], [2], [1]]
    assert cache.of_texts("m", ["bb", "ccc"], encode).tolist() == [[2], [3]]
    assert asked == [["a", "bb"], ["ccc"]]


def seconds(fixed_s: float, each_s: float, fits: int = 10_000) -> Callable[[int], float]:
    def of(count: int) -> float:
        if count > fits:
            raise MemoryError("CUDA out of memory")
        return fixed_s + each_s * count

    return of


@pytest.mark.parametrize(
    ("cost", "memory_bytes", "expected"),
    [
        (seconds(0.0, 1.0), 0, 1),
        (seconds(1.0, 0.001), 0, 64),
        (seconds(1.0, 0.001), 80 * 10**9, 256),
        (seconds(1.0, 0.001, fits=40), 24 * 10**9, 32),
        (seconds(1.0, 0.001, fits=3), 24 * 10**9, 2),
        (seconds(0.2, 1.0), 4 * 10**9, 4),
    ],
    ids=["cost-a-picture-only", "cpu", "gpu", "memory", "little-memory", "small-gpu"],
)
def test_the_quickest_size_that_fits_is_found(cost: Callable[[int], float], memory_bytes: int, expected: int) -> None:
    size, rate = best_batch_size(cost, memory_bytes)
    assert size == expected
    assert rate == pytest.approx(size / cost(size))


def test_a_picture_that_does_not_fit_alone_is_an_error() -> None:
    with pytest.raises(MemoryError):
        best_batch_size(seconds(1, 1, fits=0), 0)


def test_the_size_is_measured_once_and_told_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, model, calls = tmp_path / remembered.FILE, PerceptualModel("perceptual"), []
    encode = model.encode_pictures
    monkeypatch.setattr(model, "encode_pictures", lambda pictures: calls.append(len(pictures)) or encode(pictures))
    first = measured_batch_size(model, HostSettings(), file, 0.5)
    count = len(calls)
    assert count > 0
    assert measured_batch_size(model, HostSettings(), file, 0.25) == first
    assert len(calls) == count
    known = remembered.of_key(file, "perceptual")
    assert (known["batch_size"], known["load_s"], known["precision"]) == (first, 0.25, "fp32")
    assert measured_batch_size(model, HostSettings(batch_size=3), file, 0.25) == 3


@pytest.mark.parametrize("damage", [b"", b"[1]", b'{"x": 3}', b"\xff"])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / remembered.FILE
    file.write_bytes(damage)
    assert remembered.read(file) == {}
    remembered.write(file, "a", {"key": "m"})
    assert remembered.of_key(file, "m") == {"key": "m"}


def test_a_host_answers_the_same_picture_from_its_cache(model_folder: Any, connect: Any, pictures: Any) -> None:
    from test_models_host import embed, message

    from pipeline.models.standalone import standalone_host

    settings = HostSettings(device="cpu", threads=1, batch_size=8)
    with standalone_host(settings, {"tiny-shapes": model_folder.models["tiny-shapes"]}) as host:
        client = connect(host.socket_path)
        first = embed(client, "tiny-shapes", pictures)
        again = embed(client, "tiny-shapes", pictures)
        assert np.array_equal(first, again)
        told = message(host.control, "stats", lambda head: head["cache_hits"] == len(pictures))
        assert told["pictures_done"] == len(pictures)
        assert told["facts"][0]["batch_size"] == 8
