"""Each family through the true host equals its library's own code on the same pictures, in fp32 and in bf16."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import JobError
from pipeline.models.client import HostClient, prepare
from pipeline.models.families.clip4clip import FRAMES
from pipeline.models.standalone import StandaloneHost, standalone_host
from pipeline.sections import HostSettings, ModelSettings
from pipeline.settings import MODELS

Connect = Callable[..., HostClient]
Pictures = list[NDArray[np.uint8]]
Vectors = NDArray[np.float32]

LEAST_COSINE = {"fp32": 0.999, "bf16": 0.995}
BACKBONES = ("vit_small_patch14_dinov2", "resnet18", "convnext_atto")
SIDES = {"vit_small_patch14_dinov2": 98}
"""Where a model's own pictures are too large for a test."""
CLIP = "clip-small"
CLIP_CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    "quick_gelu": True,
}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, open_clip: Any) -> dict[str, ModelSettings]:
    """True architectures with random weights, saved as their libraries and authors save them."""
    import json

    import timm
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("families")
    models = {"perceptual": MODELS["perceptual"]}
    for name in BACKBONES:
        torch.manual_seed(5)
        network = timm.create_model(name)
        spread(network)
        save_file(network.state_dict(), str(folder / f"{name}.safetensors"))
        path = str(folder / f"{name}.safetensors")
        models[name] = ModelSettings(family="timm", architecture=name, path=path, image_size=SIDES.get(name, 0))
    (folder / f"{CLIP}.json").write_text(json.dumps(CLIP_CONFIG))
    open_clip.add_model_config(folder / f"{CLIP}.json")
    torch.manual_seed(6)
    clip = open_clip.create_model(CLIP).state_dict()
    save_file(clip, str(folder / f"{CLIP}.safetensors"))
    architecture = str(folder / f"{CLIP}.json")
    models[CLIP] = ModelSettings(architecture=architecture, path=str(folder / f"{CLIP}.safetensors"))
    torch.save(published(clip), folder / "pytorch_model.bin.4")
    models["clip4clip"] = ModelSettings(
        family="clip4clip", architecture=architecture, path=str(folder / "pytorch_model.bin.4")
    )
    return models


def spread(network: Any) -> None:
    """Give means of batch norms and biases values, and the scales of layers weight, so that pictures count."""
    import torch

    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            tensor.copy_(torch.randn_like(tensor) * 0.1)
        elif name.endswith("gamma"):
            tensor.fill_(1.0)


def published(clip: dict[str, Any]) -> dict[str, Any]:
    """Return a state dict laid out as CLIP4Clip's training writes it with --sim_header seqTransf."""
    import torch

    width, torch_state = 64, {f"clip.{name}": tensor for name, tensor in clip.items()}
    torch_state["frame_position_embeddings.weight"] = torch.randn(77, width) * 2
    for block in range(2):
        for name, shape in {
            "attn.in_proj_weight": (3 * width, width), "attn.in_proj_bias": (3 * width,),
            "attn.out_proj.weight": (width, width), "attn.out_proj.bias": (width,),
            "ln_1.weight": (width,), "ln_1.bias": (width,), "ln_2.weight": (width,), "ln_2.bias": (width,),
            "mlp.c_fc.weight": (4 * width, width), "mlp.c_fc.bias": (4 * width,),
            "mlp.c_proj.weight": (width, 4 * width), "mlp.c_proj.bias": (width,),
        }.items():  # fmt: skip
            torch_state[f"transformerClip.resblocks.{block}.{name}"] = torch.randn(shape) * 0.2
    torch_state["similarity_dense.weight"] = torch.randn(1, width)
    return torch_state


@pytest.fixture(scope="module")
def hosts(catalogue: dict[str, ModelSettings]) -> Iterator[Callable[[str], StandaloneHost]]:
    """Hosts by precision, each started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        running: dict[str, StandaloneHost] = {}

        def host(precision: str) -> StandaloneHost:
            if precision not in running:
                settings = HostSettings(device="cpu", threads=2, batch_size=4, precision=precision)  # type: ignore[arg-type]
                running[precision] = stack.enter_context(standalone_host(settings, catalogue))
            return running[precision]

        yield host


@pytest.fixture
def few() -> Pictures:
    """Pictures of several shapes, smooth enough that a resize keeps something of them."""
    rng = np.random.default_rng(31)
    coarse = [rng.integers(0, 256, (9, 12, 3), dtype=np.uint8) for _ in range(5)]
    sizes = [(240, 180), (180, 240), (300, 300), (64, 64), (640, 360)]
    return [np.asarray(Image.fromarray(one).resize(size)) for one, size in zip(coarse, sizes, strict=True)]


def embed(client: HostClient, key: str, pictures: Pictures) -> Vectors:
    spec = client.spec(key)
    for tag, picture in enumerate(pictures):
        client.submit(key, tag, prepare(picture, spec))
    rows = client.collect()
    return np.stack([rows[key, tag] for tag in range(len(pictures))])


def least_cosine(ours: Vectors, theirs: Vectors) -> float:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / lengths).min())


@pytest.mark.parametrize(
    ("name", "precision"),
    [*((name, "fp32") for name in BACKBONES), ("vit_small_patch14_dinov2", "bf16"), ("resnet18", "bf16")],
)
def test_backbones_equal_those_of_timm(
    catalogue: dict[str, ModelSettings], hosts: Any, connect: Connect, few: Pictures, name: str, precision: str
) -> None:
    import timm
    import torch

    side, overlay = SIDES.get(name), {"file": catalogue[name].path}
    network = timm.create_model(
        name, pretrained=True, num_classes=0, img_size=side, pretrained_cfg_overlay=overlay
    ).eval()
    config = timm.data.resolve_model_data_config(network, args={"img_size": side})
    transform = timm.data.create_transform(**config, is_training=False)
    with torch.inference_mode():
        theirs = np.concatenate([network(transform(Image.fromarray(one))[None]).numpy() for one in few])
    ours = embed(connect(hosts(precision).socket_path), name, few)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-4)
    assert least_cosine(ours, theirs) >= LEAST_COSINE[precision]
    if precision == "fp32":
        # Random weights put all pictures close together: without what they share, the cosine says more.
        theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
        assert least_cosine(ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)) >= LEAST_COSINE[precision]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_towers_equal_those_of_open_clip(
    catalogue: dict[str, ModelSettings], hosts: Any, connect: Connect, open_clip: Any, few: Pictures, precision: str
) -> None:
    import torch

    network, _, transform = open_clip.create_model_and_transforms(CLIP, pretrained=catalogue[CLIP].path)
    network.eval()
    words = ["a red circle", "two dogs"]
    with torch.inference_mode():
        theirs = network.encode_image(torch.stack([transform(Image.fromarray(one)) for one in few])).numpy()
        told = network.encode_text(open_clip.get_tokenizer(CLIP)(words)).numpy()
    client = connect(hosts(precision).socket_path)
    assert least_cosine(embed(client, CLIP, few), theirs) >= LEAST_COSINE[precision]
    assert least_cosine(client.encode_texts(CLIP, words), told) >= LEAST_COSINE[precision]


def reference_head(state: dict[str, Any], frames: Vectors) -> Vectors:
    """CLIP4Clip's seqTransf as its authors write it: positions, blocks, the residual, normalised, mean, normalised."""
    import torch
    from torch.nn import functional

    width, heads = frames.shape[1], frames.shape[1] // 64
    rows = torch.from_numpy(frames)
    seen = rows + state["frame_position_embeddings.weight"][: len(rows)]
    for block in range(2):
        part = {
            name.partition(f"resblocks.{block}.")[2]: tensor
            for name, tensor in state.items()
            if f"transformerClip.resblocks.{block}." in name
        }
        attention = torch.nn.MultiheadAttention(width, heads)
        attention.load_state_dict(
            {name.removeprefix("attn."): tensor for name, tensor in part.items() if name.startswith("attn.")}
        )
        normed = functional.layer_norm(seen, (width,), part["ln_1.weight"], part["ln_1.bias"])[:, None]
        seen = seen + attention(normed, normed, normed, need_weights=False)[0][:, 0]
        normed = functional.layer_norm(seen, (width,), part["ln_2.weight"], part["ln_2.bias"])
        inner = functional.linear(normed, part["mlp.c_fc.weight"], part["mlp.c_fc.bias"])
        seen = seen + functional.linear(
            inner * torch.sigmoid(1.702 * inner), part["mlp.c_proj.weight"], part["mlp.c_proj.bias"]
        )
    seen = functional.normalize(seen + rows, dim=-1)
    return functional.normalize(seen.mean(dim=0), dim=-1).detach().numpy()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_temporal_head_equals_that_of_clip4clip(
    catalogue: dict[str, ModelSettings], hosts: Any, connect: Connect, open_clip: Any, few: Pictures, precision: str
) -> None:
    import torch

    network, _, transform = open_clip.create_model_and_transforms(CLIP, pretrained=catalogue[CLIP].path)
    network.eval()
    with torch.inference_mode():
        raw = network.encode_image(torch.stack([transform(Image.fromarray(one)) for one in few])).numpy()
    client = connect(hosts(precision).socket_path)
    ours = embed(client, "clip4clip", few)
    assert client.spec("clip4clip").pool_frames == FRAMES
    assert least_cosine(ours, raw) >= LEAST_COSINE[precision]
    assert np.abs(np.linalg.norm(ours, axis=1) / np.linalg.norm(raw, axis=1) - 1).max() < 0.02, "they keep their length"
    state = torch.load(catalogue["clip4clip"].path, weights_only=True)
    theirs = np.stack([reference_head(state, raw), reference_head(state, raw[:2])])
    assert least_cosine(client.pool("clip4clip", [ours, ours[:2]]), theirs) >= LEAST_COSINE[precision]
    noise = np.random.default_rng(9).normal(size=(6, 64)).astype(np.float32)
    forwards, backwards = client.pool("clip4clip", [noise, noise[::-1].copy()])
    assert forwards @ backwards < 0.999, "the order of the frames counts"


def test_a_model_without_words_says_so(hosts: Any, connect: Connect) -> None:
    for key, sentence in (("perceptual", "knows no texts"), ("resnet18", "has no text tower")):
        with pytest.raises(JobError, match=sentence):
            connect(hosts("fp32").socket_path).encode_texts(key, ["a dog"])


def test_a_checkpoint_of_another_layout_is_refused_with_a_sentence(
    tmp_path: Path, open_clip: Any, catalogue: Any
) -> None:
    from safetensors.torch import load_file, save_file

    plain = {f"clip.{name}": tensor for name, tensor in load_file(catalogue[CLIP].path).items()}
    save_file(plain, str(tmp_path / "head-less.safetensors"))
    model = catalogue["clip4clip"].model_copy(update={"path": str(tmp_path / "head-less.safetensors")})
    from pipeline.models.load import load

    with pytest.raises(JobError, match="sim_header seqTransf"):
        load("mine", model, HostSettings(device="cpu"), lambda _: None)


@pytest.mark.parametrize("sign", [1, -1])
def test_auto_takes_a_short_format_only_where_it_agrees_with_fp32(
    catalogue: dict[str, ModelSettings], monkeypatch: pytest.MonkeyPatch, sign: int
) -> None:
    from pipeline.models import network
    from pipeline.models.load import load

    whole: Any = load("m", catalogue[CLIP], HostSettings(device="cpu", precision="fp32"), lambda _: None)
    told: list[str] = []

    class Short:
        spec = whole.spec

        def encode_pictures(self, pictures: Any) -> Vectors:
            return sign * whole.encode_pictures(pictures)

    short: Any = Short()
    monkeypatch.setattr(network, "_shortest", lambda device: "bf16")
    host = HostSettings(device="cpu", precision="auto")
    taken = network.at_precision(
        lambda precision: whole if precision == "fp32" else short, host, network.choose_device(host), "m", told.append
    )
    assert taken is (short if sign > 0 else whole)
    assert bool(told) == (sign < 0)
