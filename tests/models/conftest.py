"""Small models, one host process for the whole session, and open_clip itself to compare with."""

import contextlib
import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.models.client import HostClient
from pipeline.models.operators import declare_missing_operators
from pipeline.models.standalone import StandaloneHost, standalone_host
from pipeline.sections import HostSettings, ModelSettings
from pipeline.settings import MODELS

SMALL = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}
PREPROCESSING = {
    "shortest": {},
    "longest": {"resize_mode": "longest", "fill_color": 128, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    "squash": {"resize_mode": "squash", "interpolation": "bilinear"},
}


class Touch:
    """A pickle of this creates the file `path` when it is loaded by a careless reader."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


@dataclass
class ModelFolder:
    """Checkpoints made for the tests, and the catalogue that names them."""

    folder: Path
    marker: Path
    models: dict[str, ModelSettings] = field(default_factory=dict)


@pytest.fixture(scope="session")
def open_clip() -> Any:
    """The library itself, imported once."""
    declare_missing_operators()
    import open_clip

    return open_clip


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, open_clip: Any) -> ModelFolder:
    """Good and bad checkpoints: a small random model with three preprocessings, a cut file, two hostile pickles ..."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("models")
    made = ModelFolder(folder, folder / "marker")
    made.models |= {key: MODELS[key] for key in ("tiny-shapes", "perceptual")}
    for name, preprocessing in PREPROCESSING.items():
        config = folder / f"{name}.json"
        config.write_text(json.dumps({"model_cfg": SMALL, "preprocess_cfg": preprocessing}))
        made.models[name] = ModelSettings(architecture=str(config), path=str(folder / "small.safetensors"))
    (folder / "plain-small.json").write_text(json.dumps(SMALL))
    open_clip.add_model_config(folder / "plain-small.json")
    torch.manual_seed(7)
    state = open_clip.create_model("plain-small", pretrained_text=False).state_dict()
    save_file(state, str(folder / "small.safetensors"))
    torch.save(state, folder / "small.pt")

    config = str(folder / "shortest.json")
    whole = (folder / "small.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "noise.pt").write_bytes(bytes(range(256)) * 64)
    (folder / "pickle.pt").write_bytes(pickle.dumps(Touch(made.marker)))
    torch.save({"state_dict": Touch(made.marker)}, folder / "zipped.pt")
    for name in ("small.pt", "cut.safetensors", "noise.pt", "pickle.pt", "zipped.pt", "absent.pt"):
        made.models[name] = ModelSettings(architecture=config, path=str(folder / name))
    made.models["pinned"] = ModelSettings(architecture=config, path=str(folder / "small.safetensors"), sha256="0" * 64)
    made.models["misfit"] = ModelSettings(architecture="ViT-B-32", path=str(folder / "small.safetensors"))
    return made


@pytest.fixture(scope="session")
def host(model_folder: ModelFolder) -> Iterator[StandaloneHost]:
    """One host process for all tests that only ask it things."""
    settings = HostSettings(device="cpu", threads=1, batch_size=8, max_wait_ms=20)
    with standalone_host(settings, model_folder.models) as running:
        yield running


@pytest.fixture
def connect() -> Iterator[Callable[..., HostClient]]:
    """Make clients that are closed when the test ends."""
    with contextlib.ExitStack() as stack:

        def make(path: str, window_bytes: int = 1 << 20, **options: Any) -> HostClient:
            client = HostClient(path, window_bytes, **{"progress": lambda _: None, **options})
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def pictures() -> list[NDArray[np.uint8]]:
    """24 random pictures, uint8 (64, 64, 3)."""
    rng = np.random.default_rng(11)
    return list(rng.integers(0, 256, (24, 64, 64, 3), dtype=np.uint8))
