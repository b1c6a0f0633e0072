"""What a picture tells of HDR beside its colours: how it was mastered, how bright it gets, and what changes."""

import struct
from collections.abc import Iterable
from typing import Any

from pipeline.transcode.facts import HdrFacts

_MASTERING = struct.Struct("=20i2i")
_LIGHT = struct.Struct("=2I")
_DYNAMIC = {
    "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
}
_CHROMA, _LUMA = 50_000, 10_000
"""The units of x265 for places in the colour diagram and for candela a square metre."""
_ORDER = (2, 4, 0, 6)
"""Green, blue, red and white among the places as FFmpeg has them."""


def hdr_facts(side_data: Iterable[Any]) -> HdrFacts:
    """Return what the side data of a frame says of HDR."""
    data = {one.type.name: bytes(one) for one in side_data}
    dynamic = tuple(sorted({_DYNAMIC[name] for name in data if name in _DYNAMIC}))
    return HdrFacts(
        _mastering(data.get("MASTERING_DISPLAY_METADATA", b"")), _light(data.get("CONTENT_LIGHT_LEVEL", b"")), dynamic
    )


def _mastering(data: bytes) -> tuple[float, ...]:
    if len(data) < _MASTERING.size:
        return ()
    *numbers, places, luminance = _MASTERING.unpack_from(data)
    tops, bottoms = numbers[::2], numbers[1::2]
    whole = places and luminance and all(bottoms)
    return tuple(top / bottom for top, bottom in zip(tops, bottoms, strict=True)) if whole else ()


def _light(data: bytes) -> tuple[int, ...]:
    return tuple(_LIGHT.unpack_from(data)) if len(data) >= _LIGHT.size else ()


def encoder_words(encoder: str, hdr: HdrFacts) -> list[str]:
    """Return what an encoder that can write it is told of HDR, in its own words; nothing for the others."""
    if encoder == "libx265":
        words = [f"master-display={_display(hdr.mastering, _CHROMA, _LUMA)}"] if hdr.mastering else []
        return [*words, *([f"max-cll={_pair(hdr.light)}"] if hdr.light else [])]
    if encoder == "libsvtav1":
        words = [f"mastering-display={_display(hdr.mastering, 0, 0)}"] if hdr.mastering else []
        return [*words, *([f"content-light={_pair(hdr.light)}"] if hdr.light else [])]
    return []


def _display(mastering: tuple[float, ...], chroma: int, luma: int) -> str:
    """Return the display as both encoders write it; units of 0 = plain numbers."""

    def number(value: float, unit: int) -> str:
        return str(round(value * unit)) if unit else f"{value:.5f}"

    places = zip("GBRW", _ORDER, strict=True)
    told = "".join(
        f"{name.replace('W', 'WP')}({number(mastering[at], chroma)},{number(mastering[at + 1], chroma)})"
        for name, at in places
    )
    darkest, brightest = mastering[8:10]
    return f"{told}L({number(brightest, luma)},{number(darkest, luma)})"


def _pair(light: tuple[int, ...]) -> str:
    return f"{light[0]},{light[1]}"
