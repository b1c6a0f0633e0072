"""On a GPU: vectors in short formats stay near fp32, `auto` measures, memory is given back. Skips without one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pynvml
import pytest
from numpy.typing import NDArray

from pipeline.errors import JobError
from pipeline.models.load import load
from pipeline.models.measure import measured_batch_size
from pipeline.models.network import LEAST_AGREEMENT
from pipeline.models.standalone import standalone_host
from pipeline.sections import HostSettings, ModelSettings
from pipeline.visible_gpus import SHOWN

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _gpu(open_clip: Any) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip(
            "no CUDA device; it would check precision, overlapping batches, compiling, batch size, memory and a GPU "
            "shown by its UUID"
        )


@pytest.fixture
def small(model_folder: Any) -> ModelSettings:
    model: ModelSettings = model_folder.models["shortest"]
    return model


def vectors(model: ModelSettings, pictures: list[NDArray[np.uint8]], **host: Any) -> tuple[Any, NDArray[np.float32]]:
    loaded = load("m", model, HostSettings.model_validate({"device": "cuda:0", **host}), lambda _: None)
    return loaded, loaded.encode_pictures([picture[:32, :32] for picture in pictures])


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.999), ("fp16", 0.995), ("bf16", 0.995)])
def test_vectors_equal_those_of_the_cpu(
    small: ModelSettings, pictures: list[NDArray[np.uint8]], precision: str, least: float
) -> None:
    _, expected = vectors(small, pictures, device="cpu", precision="fp32")
    _, found = vectors(small, pictures, precision=precision)
    assert (found * expected).sum(axis=1).min() >= least


def test_auto_takes_a_short_format_that_agrees_with_fp32(
    small: ModelSettings, pictures: list[NDArray[np.uint8]]
) -> None:
    _, expected = vectors(small, pictures, precision="fp32")
    model, found = vectors(small, pictures, precision="auto")
    assert model.spec.precision in {"bf16", "fp16"}
    assert (found * expected).sum(axis=1).min() >= LEAST_AGREEMENT


def test_the_memory_taken_is_told_and_given_back(small: ModelSettings, pictures: list[NDArray[np.uint8]]) -> None:
    model, _ = vectors(small, pictures * 40)
    before = model.usage()
    assert 0 < before.memory_share < 1
    assert before.copied_s > 0
    model.release_memory()
    assert model.usage().memory_share <= before.memory_share


def test_batches_begun_beside_one_another_give_the_vectors_of_one_after_another(
    small: ModelSettings, pictures: list[NDArray[np.uint8]]
) -> None:
    model, _ = vectors(small, pictures)
    rng = np.random.default_rng(5)
    batches = [list(rng.integers(0, 256, (64, 32, 32, 3), np.uint8)) for _ in range(40)]
    expected = [model.encode_pictures(batch) for batch in batches]
    found, under_way = [], model.begin_pictures(batches[0])
    for batch in batches[1:]:
        following = model.begin_pictures(batch)
        found.append(under_way())
        under_way = following
    found.append(under_way())
    np.testing.assert_array_equal(found, expected)


def test_the_device_does_not_wait_for_pictures_that_come_while_it_computes(small: ModelSettings) -> None:
    import torch

    model, _ = vectors(small, [np.zeros((32, 32, 3), np.uint8)])
    batch = list(np.random.default_rng(5).integers(0, 256, (1024, 32, 32, 3), np.uint8))
    model.encode_pictures(batch)

    def waited_s(busy_cycles: int) -> float:
        before = model.usage().copied_s
        torch.cuda._sleep(busy_cycles)  # stands for a batch that is computed for some tenths of a second
        model.encode_pictures(batch)
        return float(model.usage().copied_s - before)

    assert 0 <= waited_s(500_000_000) < waited_s(0) / 10


def test_a_compiled_model_gives_the_vectors_of_the_plain_one_for_batches_of_any_size(
    small: ModelSettings, pictures: list[NDArray[np.uint8]]
) -> None:
    told: list[str] = []
    _, expected = vectors(small, pictures)
    compiled = load("m", small, HostSettings(device="cuda:0", compile=True), told.append)
    assert told == []
    for count in (1, 2, 7, len(pictures)):
        found = compiled.encode_pictures([picture[:32, :32] for picture in pictures[:count]])
        assert (found * expected[:count]).sum(axis=1).min() >= LEAST_AGREEMENT


def test_int8_is_refused_on_a_gpu(small: ModelSettings) -> None:
    with pytest.raises(JobError, match="int8, which is for the CPU"):
        load("m", small, HostSettings(device="cuda:0", precision="int8"), lambda _: None)


def test_the_batch_size_is_measured_on_the_device(small: ModelSettings, tmp_path: Path) -> None:
    model, _ = vectors(small, [np.zeros((32, 32, 3), np.uint8)])
    size = measured_batch_size(model, HostSettings(device="cuda:0"), tmp_path / "models.json", 1.0)
    assert 1 <= size <= 256


def test_a_batch_that_does_not_fit_is_halved_and_every_vector_comes(
    model_folder: Any, connect: Callable[..., Any], pictures: list[NDArray[np.uint8]]
) -> None:
    from test_models_host import embed

    settings = HostSettings(device="cuda:0", batch_size=4096, memory_fraction=0.01, cache_mb=0)
    with standalone_host(settings, model_folder.models) as host:
        assert embed(connect(host.socket_path), "shortest", pictures * 400).shape[0] == 400 * len(pictures)


def test_a_host_that_is_shown_one_gpu_by_its_uuid_serves_on_it(
    model_folder: Any, connect: Callable[..., Any], pictures: list[NDArray[np.uint8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_models_host import embed

    pynvml.nvmlInit()
    monkeypatch.setenv(SHOWN, pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(0)))
    with standalone_host(HostSettings(device="cuda:0", batch_size=8), model_folder.models) as host:
        assert embed(connect(host.socket_path), "shortest", pictures).shape[0] == len(pictures)
