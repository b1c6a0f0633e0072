"""Which engine reads text here; what rapidocr reads; easyocr's own way of loading, as far as its weights allow."""

import hashlib
import re
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pytest
from likeness import distance

from pipeline.errors import SettingsError
from pipeline.models.operators import declare_missing_operators
from pipeline.reading.engines import choose, easyocr_files, reader
from pipeline.stage_sections import TextSettings

RAPID = f"rapidocr {version('rapidocr')}"
EASY = f"easyocr {version('easyocr')}"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which easyocr looks, empty."""
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(tmp_path))
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


@pytest.mark.parametrize("languages", [("en", "ch_sim"), ("de", "fr"), ("ja",)])
def test_auto_takes_rapidocr_where_its_model_reads_the_languages(languages: tuple[str, ...], weights: Path) -> None:
    assert choose(TextSettings(languages=languages)) == RAPID


def test_auto_takes_easyocr_for_other_languages_once_its_weights_are_there(weights: Path) -> None:
    settings = TextSettings(languages=("ru",))
    with pytest.raises(SettingsError, match=r"rapidocr: its model does not read ru; easyocr: craft_mlt_25k\.pth"):
        choose(settings)
    for name in easyocr_files(("ru",)):
        (weights / name).write_bytes(b"")
    assert choose(settings) == EASY


def test_an_engine_that_was_asked_for_is_taken_or_refused(weights: Path) -> None:
    assert choose(TextSettings(engine="rapidocr")) == RAPID
    with pytest.raises(SettingsError, match=r"easyocr: .*not in"):
        choose(TextSettings(engine="easyocr"))
    with pytest.raises(SettingsError, match="knows no language xx"):
        choose(TextSettings(engine="easyocr", languages=("xx",)))


@pytest.mark.parametrize(
    ("languages", "file"),
    [(("en",), "english_g2.pth"), (("en", "ch_sim"), "zh_sim_g2.pth"), (("de", "en"), "latin_g2.pth"),
     (("ru", "en"), "cyrillic_g2.pth"), (("ko",), "korean_g2.pth"), (("th", "en"), "thai.pth")],
)  # fmt: skip
def test_easyocr_needs_the_weights_of_its_languages(languages: tuple[str, ...], file: str) -> None:
    assert easyocr_files(languages) == ("craft_mlt_25k.pth", file)


def test_easyocr_loads_weights_in_its_own_format_and_reads(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With random weights, whose checksums its tables are told: what it reads means nothing, that it reads does."""
    import torch

    declare_missing_operators()
    import easyocr.easyocr as library
    from easyocr.craft import CRAFT
    from easyocr.model.vgg_model import Model

    recognition = library.recognition_models["gen2"]["english_g2"]
    networks = {"craft_mlt_25k.pth": CRAFT(), "english_g2.pth": Model(1, 256, 256, len(recognition["characters"]) + 1)}
    for name, network in networks.items():
        torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, weights / name)
    for table, name in ((library.detection_models["craft"], "craft_mlt_25k.pth"), (recognition, "english_g2.pth")):
        monkeypatch.setitem(table, "md5sum", hashlib.md5((weights / name).read_bytes()).hexdigest())
    settings = TextSettings(engine="easyocr", languages=("en",), longest_px=128)
    engine = reader(choose(settings), settings, 1)
    noise = np.random.default_rng(3).integers(0, 255, (64, 128, 3), dtype=np.uint8)
    assert all(0 <= side <= 1 for piece in engine.read(noise) for side in piece.box)


def spaceless(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.media
def test_rapidocr_reads_the_clean_pictures_of_the_shared_media(shared_media: Path) -> None:
    """Chinese and English ones whose whole text is known; boxes lie within the picture."""
    settings = TextSettings()
    engine = reader(choose(settings), settings, 1)
    clean = ("en_rec.jpg", "issue_170.png", "testocr.png", "1036169.jpg", "1058892.jpg")
    lines = (shared_media / "groundtruth" / "ocr.tsv").read_text(encoding="utf-8").splitlines()
    wanted = {row[0]: row[2].replace("\\n", "\n") for row in (line.split("\t") for line in lines) if len(row) == 3}
    seen = 0
    for path, text in wanted.items():
        if not path.startswith("ocr/") or Path(path).name not in clean:
            continue
        picture = cv2.imread(str(shared_media / path))
        pieces = engine.read(np.ascontiguousarray(picture[..., ::-1]))
        found, seen = "".join(piece.text for piece in pieces), seen + 1
        assert distance(spaceless(found), spaceless(text)) <= 0.1 * len(spaceless(text)), (path, found)
        assert all(0 <= side <= 1 for piece in pieces for side in piece.box)
    assert seen >= len(clean)
