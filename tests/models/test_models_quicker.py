"""What makes a forward pass quicker leaves the vectors what they are, or says how far off they are: int8, compiling."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_models_host import embed

from pipeline import wire
from pipeline.errors import JobError
from pipeline.models.client import prepare
from pipeline.models.load import load
from pipeline.models.standalone import StandaloneHost, standalone_host
from pipeline.sections import HostSettings, ModelSettings
from pipeline.settings import MODELS

Pictures = list[NDArray[np.uint8]]


@pytest.fixture
def small(model_folder: Any) -> ModelSettings:
    model: ModelSettings = model_folder.models["shortest"]
    return model


@pytest.fixture
def inputs(pictures: Pictures) -> Pictures:
    return [picture[:32, :32] for picture in pictures]


def loaded(model: ModelSettings, **host: Any) -> tuple[Any, list[str]]:
    told: list[str] = []
    return load("m", model, HostSettings.model_validate({"device": "cpu", "threads": 1, **host}), told.append), told


def test_vectors_in_int8_are_near_those_in_fp32_and_those_of_texts_equal(
    small: ModelSettings, inputs: Pictures
) -> None:
    whole, _ = loaded(small, precision="fp32")
    short, told = loaded(small, precision="int8")
    assert told == []
    assert short.spec.precision == "int8"
    found, expected = short.encode_pictures(inputs), whole.encode_pictures(inputs)
    assert 0.99 < (found * expected).sum(axis=1).min() < 1 - 1e-7
    words = ["a red circle", "two dogs"]
    np.testing.assert_allclose(short.encode_texts(words), whole.encode_texts(words), atol=1e-6)


def test_a_network_of_convolutions_stays_in_fp32_and_says_so() -> None:
    model, _ = loaded(MODELS["tiny-shapes"], precision="int8")
    assert model.spec.precision == "fp32", "its attention only reads the weights of its linear layers"


def test_vectors_in_int8_that_are_far_off_are_told(small: ModelSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.models import int8

    monkeypatch.setattr(int8, "LARGEST", 1)  # a level of -1, 0 or 1 is all that is left
    model, told = loaded(small, precision="int8")
    assert model.spec.precision == "int8", "what was asked for is not refused"
    assert len(told) == 1
    assert "vectors in int8 are as far from those in fp32 as cosine 0." in told[0]


def test_an_int8_layer_does_not_hide_what_is_not_finite() -> None:
    import torch

    from pipeline.models.int8 import Int8Linear

    layer = Int8Linear(torch.nn.Linear(8, 4))
    rows = torch.ones(3, 8)
    rows[1, 2], rows[2, 2] = torch.nan, torch.inf
    assert torch.isfinite(layer(rows)).all(dim=1).tolist() == [True, False, False]


def test_int8_is_for_the_cpu(small: ModelSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from pipeline.models.families import open_clip

    monkeypatch.setattr(open_clip, "choose_device", lambda _: torch.device("cuda:0"))
    with pytest.raises(
        JobError, match=r"host.precision is int8, which is for the CPU, and model m is to run on cuda:0"
    ):
        loaded(small, precision="int8")


def notes_of(host: StandaloneHost) -> list[str]:
    """Return what a host that has loaded its model told until then."""
    told = []
    while True:
        head, _ = wire.receive(host.control)
        if head["type"] == "note":
            told.append(str(head["text"]))
        elif head.get("models"):
            return told


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler to compile a model with")
def test_a_compiled_model_gives_the_vectors_of_the_plain_one_for_batches_of_any_size(
    model_folder: Any, connect: Callable[..., Any], pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    plain, _ = loaded(model_folder.models["shortest"])
    settings = HostSettings(device="cpu", threads=1, batch_size=16, cache_mb=0, compile=True)
    with standalone_host(settings, model_folder.models, nice=0) as host:
        client = connect(host.socket_path)
        for count in (1, 2, 7, 16, len(pictures)):
            found = embed(client, "shortest", pictures[:count])
            expected = plain.encode_pictures([prepare(one, plain.spec) for one in pictures[:count]])
            assert (found * expected).sum(axis=1).min() >= 0.9999
        assert client.spec("shortest").compiled
        assert notes_of(host) == []
    assert any(tmp_path.rglob("*.so")), "something was compiled"


def test_without_a_compiler_the_plain_model_goes_on(
    model_folder: Any, connect: Callable[..., Any], pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = HostSettings(device="cpu", threads=1, batch_size=16, compile=True)
    with standalone_host(settings, model_folder.models, nice=0) as host:
        assert embed(connect(host.socket_path), "shortest", pictures).shape == (len(pictures), 24)
        told = notes_of(host)
    assert len(told) == 1
    assert told[0].startswith("model shortest is not compiled: ")


def uncompilable(_: Any) -> Any:
    raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nand much more")


def unlike(forward: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda batch: -forward(batch)


def failing(_: Any) -> Callable[[Any], Any]:
    return uncompilable


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        (failing, "InvalidCxxCompiler: No working C++ compiler found"),
        (unlike, "its vectors would be as far off as cosine -1.0000"),
    ],
)
def test_where_compiling_fails_or_changes_the_vectors_the_plain_model_goes_on_and_says_so(
    small: ModelSettings, inputs: Pictures, monkeypatch: pytest.MonkeyPatch, compiler: Any, reason: str
) -> None:
    from pipeline.models import compiled

    expected = loaded(small)[0].encode_pictures(inputs)
    monkeypatch.setattr(compiled, "compiled", compiler)
    model, told = loaded(small, compile=True)
    assert told == [f"model m is not compiled: {reason}"]
    assert not model.spec.compiled
    np.testing.assert_array_equal(model.encode_pictures(inputs), expected)
