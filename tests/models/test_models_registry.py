"""The registry: what is here, what is not and what to say then, without importing torch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import MissingWeightsError, SettingsError
from pipeline.models import registry, where
from pipeline.models.families import open_clip as open_clip_family
from pipeline.models.families import timm as timm_family
from pipeline.sections import ModelSettings
from pipeline.settings import MODELS, PipelineSettings


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hugging Face hub."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def put_into_hub(hub: Path, repository: str, name: str, content: bytes, blob: str) -> Path:
    folder = hub / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / "c0ffee"
    for made in (snapshot, folder / "refs", folder / "blobs"):
        made.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text("c0ffee")
    (folder / "blobs" / blob).write_bytes(content)
    (snapshot / name).symlink_to(folder / "blobs" / blob)
    return snapshot / name


def test_missing_weights_are_named_with_the_three_ways_on(hub: Path) -> None:
    with pytest.raises(MissingWeightsError) as caught:
        registry.require(["tiny-shapes", "clip-vit-b-32"], PipelineSettings())
    text = str(caught.value)
    assert "clip-vit-b-32" in text
    assert "605 MB" in text
    assert str(hub / "models--laion--CLIP-ViT-B-32-laion2B-s34B-b79K") in text
    for way in ("vconsole models fetch clip-vit-b-32", "[models.clip-vit-b-32] path", "--preset scenes"):
        assert way in caught.value.remedy


def test_the_packaged_toy_is_always_there() -> None:
    registry.require(["tiny-shapes"], PipelineSettings())
    status = registry.locate("tiny-shapes", MODELS["tiny-shapes"])
    assert status.path is not None
    assert status.path.stat().st_size <= 8_000_000
    assert registry.sha256_of(status.path) == status.expected_sha256


def test_a_missing_local_file_is_named(tmp_path: Path) -> None:
    model = ModelSettings(architecture="ViT-B-32", path=str(tmp_path / "mine.safetensors"))
    with pytest.raises(MissingWeightsError, match=r"mine\.safetensors"):
        registry.require(["mine"], PipelineSettings(models={"mine": model}))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (ModelSettings(architecture="ViT-B-33", weights="openai"), "knows no 'ViT-B-33'"),
        (ModelSettings(architecture="ViT-B-32"), "neither weights nor path"),
        (ModelSettings(architecture="nowhere.json", path="x"), "a file that is not there"),
        (ModelSettings(architecture="ViT-B-32", path="builtin:huge"), "only tiny-shapes is built in"),
    ],
)
def test_a_model_that_cannot_be_is_a_wrong_setting(model: ModelSettings, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        registry.require(["mine"], PipelineSettings(models={"mine": model}))


def test_an_unknown_key_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="clip-vit-b-32"):
        registry.require(["nobody"], PipelineSettings())


def test_tags_of_open_clip_are_resolved_by_asking_it(hub: Path) -> None:
    model = ModelSettings(architecture="ViT-B-16", weights="datacomp_xl_s13b_b90k")
    status = registry.locate("mine", model)
    assert status.repository == "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K"


def test_an_unknown_tag_is_answered_with_the_known_ones(open_clip: Any, capsys: pytest.CaptureFixture[str]) -> None:
    where.main(["open_clip", "ViT-B-16", "no-such-tag"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["hub"] == ""
    assert "datacomp_xl_s13b_b90k" in answer["tags"]


def test_the_catalogue_knows_the_hub_as_open_clip_does(open_clip: Any) -> None:
    for (architecture, tag), place in open_clip_family.HUB.items():
        assert open_clip.get_pretrained_cfg(architecture, tag)["hf_hub"] == place
    assert named_of("open_clip") == set(open_clip_family.HUB)


def test_the_catalogue_knows_the_hub_as_timm_does(open_clip: Any) -> None:
    import timm

    for (architecture, tag), place in timm_family.HUB.items():
        assert timm.models.get_pretrained_cfg(f"{architecture}.{tag}").hf_hub_id + "/" == place
    assert named_of("timm") == set(timm_family.HUB)


def named_of(family: str) -> set[tuple[str, str]]:
    return {
        (model.architecture, model.weights) for model in MODELS.values() if model.family == family and model.weights
    }


def test_weights_in_the_hub_cache_are_found_and_their_checksum_expected(hub: Path) -> None:
    blob = "ab" * 32
    path = put_into_hub(hub, "org/name", "open_clip_model.safetensors", b"weights", blob)
    status = registry.locate("mine", ModelSettings(architecture="hf-hub:org/name"))
    assert status.path == path
    assert status.expected_sha256 == blob


def test_the_fingerprint_changes_with_the_weights(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(b"one")
    model = ModelSettings(architecture="ViT-B-32", path=str(file))
    first = registry.fingerprint("mine", model)
    assert registry.fingerprint("mine", model) == first
    file.write_bytes(b"two and more")
    assert registry.fingerprint("mine", model) != first
    assert registry.fingerprint("mine", model.model_copy(update={"architecture": "ViT-B-16"})) != first


def test_asking_and_embedding_import_neither_torch_nor_open_clip() -> None:
    code = (
        "import sys; from pipeline.settings import PipelineSettings; from pipeline.models import registry, client; "
        "import pipeline.stages.embed, vconsole.models; "
        "registry.require(['tiny-shapes'], PipelineSettings()); "
        "print(sorted({'torch', 'open_clip', 'torchvision', 'av', 'cv2'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "place",
    [
        "clip-vit-b-32.safetensors",
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K/open_clip_model.safetensors",
        "CLIP-ViT-B-32-laion2B-s34B-b79K/open_clip_pytorch_model.bin",
    ],
)
def test_a_folder_of_weights_is_looked_in_first(hub: Path, tmp_path: Path, place: str) -> None:
    file = tmp_path / "shelf" / place
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    settings = PipelineSettings.model_validate({"host": {"weights_dir": str(tmp_path / "shelf")}})
    registry.require(["clip-vit-b-32"], settings)
    assert registry.locate("clip-vit-b-32", registry.catalogue(settings)["clip-vit-b-32"]).path == file


def test_a_copy_of_the_hubs_cache_is_a_folder_of_weights(hub: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "copied"
    path = put_into_hub(shelf, "timm/vit_small_patch14_dinov2.lvd142m", "model.safetensors", b"weights", "ab" * 32)
    settings = PipelineSettings.model_validate({"host": {"weights_dir": str(shelf)}})
    status = registry.locate("dinov2-s-14", registry.catalogue(settings)["dinov2-s-14"])
    assert (status.path, status.expected_sha256) == (path, "ab" * 32)


def test_a_model_without_weights_is_always_there_and_has_a_fingerprint() -> None:
    registry.require(["perceptual"], PipelineSettings())
    assert registry.fingerprint("perceptual", MODELS["perceptual"])
    assert registry.locate("perceptual", MODELS["perceptual"]).on_disk
