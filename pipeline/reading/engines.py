"""Which engine reads text on this machine, and its loading; light until a reader is made."""

import functools
import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from pipeline.errors import SettingsError
from pipeline.stage_sections import TextSettings

if TYPE_CHECKING:
    from pipeline.media.result import Picture

RAPIDOCR, EASYOCR = "rapidocr", "easyocr"
ORDER = (RAPIDOCR, EASYOCR)
"""The order in which `auto` asks: rapidocr needs nothing fetched and is several times as fast on a CPU."""
_NOT_LATIN = frozenset({"ch_sim", "ch_tra", "ja"})
"""What the model that rapidocr's wheel carries (PP-OCRv6) reads beside the languages in Latin letters."""

LARGEST_PX = 4096
"""Longest side of any picture that is handed over: a message has no room for a larger square one."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 as fractions of the picture."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of text in a picture."""

    text: str
    confidence: float
    box: Box


class Reader(Protocol):
    """A loaded engine."""

    def read(self, picture: "Picture") -> list[Piece]:
        """Return the text in a picture, uint8 (height, width, 3) RGB."""


def choose(settings: TextSettings) -> str:
    """Return the engine and its version, e.g. `rapidocr 3.10.0`. Raises SettingsError if none can run here."""
    wanted = ORDER if settings.engine == "auto" else (settings.engine,)
    reasons = {name: _why_not(name, settings.languages) for name in wanted}
    for name, reason in reasons.items():
        if not reason:
            return f"{name} {version(name)}"
    told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    raise SettingsError(
        f"the text in {', '.join(settings.languages)} cannot be read here: {told}",
        remedy="Choose other text.languages or another text.engine, put its weights there, or switch text off.",
    )


def reader(engine: str, settings: TextSettings, threads: int, device: str = "cpu") -> Reader:
    """Load the engine that `choose` named; easyocr runs on `device`. `threads` work on one picture."""
    if engine.startswith(RAPIDOCR):
        from pipeline.reading.rapid import RapidReader

        return RapidReader(settings.longest_px, settings.batch, threads)
    from pipeline.reading.easy import EasyReader

    return EasyReader(settings, easyocr_folder(), threads, device)


def handed_px(engine: str, settings: TextSettings) -> int:
    """Return the longest side at which a picture is handed to an engine.

    rapidocr scales it down to that itself; easyocr recognises text at the size that the picture has.
    """
    return settings.longest_px if engine.startswith(RAPIDOCR) else LARGEST_PX


def easyocr_folder() -> Path:
    """Return where easyocr keeps its weights."""
    configured = os.environ.get("EASYOCR_MODULE_PATH") or os.environ.get("MODULE_PATH")
    return Path(configured or Path.home() / ".EasyOCR") / "model"


def easyocr_files(languages: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the weights that easyocr needs for these languages. Raises SettingsError if it has none."""
    config = _easyocr_config()
    unknown = sorted(set(languages) - set(config.all_lang_list))
    if unknown:
        raise SettingsError(f"easyocr knows no language {', '.join(unknown)}")
    models: dict[str, Mapping[str, str]] = {**config.recognition_models["gen1"], **config.recognition_models["gen2"]}
    return config.detection_models["craft"]["filename"], models[_easyocr_model(languages, config)]["filename"]


def _why_not(name: str, languages: tuple[str, ...]) -> str:
    """Return why an engine cannot read these languages here, empty if it can."""
    try:
        version(name)
    except PackageNotFoundError:
        return "it is not installed"
    if name == RAPIDOCR:
        others = sorted(set(languages) - set(_easyocr_config().latin_lang_list) - _NOT_LATIN)
        return f"its model does not read {', '.join(others)}" if others else ""
    try:
        files = easyocr_files(languages)
    except SettingsError as error:
        return str(error)
    missing = [name for name in files if not (easyocr_folder() / name).is_file()]
    return f"{', '.join(missing)} not in {easyocr_folder()}" if missing else ""


def _easyocr_model(languages: Sequence[str], config: ModuleType) -> str:
    """Return the name of the recognition model that easyocr's Reader takes for these languages."""
    if list(languages) == ["en"]:
        return "english_g2"
    single = {
        "th": "thai_g1", "ch_tra": "zh_tra_g1", "ch_sim": "zh_sim_g2", "ja": "japanese_g2", "ko": "korean_g2",
        "ta": "tamil_g1", "te": "telugu_g2", "kn": "kannada_g2",
    }  # fmt: skip
    for language, model in single.items():
        if language in languages:
            return model
    for script, model in (
        ("bengali", "bengali_g1"),
        ("arabic", "arabic_g1"),
        ("devanagari", "devanagari_g1"),
        ("cyrillic", "cyrillic_g2"),
    ):
        if set(languages) & set(getattr(config, f"{script}_lang_list")):
            return model
    return "latin_g2"


@functools.cache
def _easyocr_config() -> ModuleType:
    """Return easyocr's tables without importing easyocr, which would load torch."""
    package = importlib.util.find_spec(EASYOCR)
    place = Path(package.origin or "").with_name("config.py") if package else None
    spec = importlib.util.spec_from_file_location("easyocr_tables", place) if place else None
    if spec is None or spec.loader is None:
        raise SettingsError("easyocr is not installed", remedy="Install it: pip install easyocr.")
    before = os.environ.get("LRU_CACHE_CAPACITY")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if before is None:
        os.environ.pop("LRU_CACHE_CAPACITY", None)  # The tables set it for torch as they are read.
    return module
