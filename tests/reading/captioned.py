"""Videos with captions burnt in: English by a font, Chinese by the characters of a picture of the shared media."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

CHINESE = "ocr/RapidAI+RapidOCR/python/tests/test_files/black_font_color_transparent.png"
CHARACTERS = "我是中国人"
"""What it shows; there may be no Chinese font on a machine."""

Glyphs = Mapping[str, Image.Image]
Size = tuple[int, int]


class Caption(NamedTuple):
    """A text at a height of the picture from a time to another, `[start_s, end_s)`."""

    start_s: float
    end_s: float
    text: str
    y: int


def glyphs(media: Path) -> Glyphs:
    """Return the Chinese characters that can be drawn, as masks cut out at the gaps between them."""
    alpha = Image.open(media / CHINESE).getchannel("A")
    alpha = alpha.crop(alpha.getbbox())
    inked = (np.asarray(alpha) > 0).any(axis=0).astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inked, [0]])))
    spans = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return {
        char: alpha.crop((left, 0, right, alpha.height)) for char, (left, right) in zip(CHARACTERS, spans, strict=True)
    }


def captioned(
    path: Path,
    captions: Sequence[Caption],
    *,
    seconds: float = 10.0,
    size: Size = (640, 360),
    rate: int = 25,
    text_px: int = 28,
    chinese: Glyphs | None = None,
) -> Path:
    """Write a video whose captions stand over a moving ground, white with a dark rim."""
    down, across = np.mgrid[: size[1], : size[0]]
    masks = {caption: _mask(caption, size, text_px, chinese or {}) for caption in captions}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"g": str(2 * rate), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(round(seconds * rate)):
            ground = np.abs((across // 5 + down // 3 + 50 * number // rate) % 256 - 128).astype(np.uint8)
            picture = Image.fromarray(np.stack([ground, ground // 2, 255 - ground], -1))
            for caption, mask in masks.items():
                if caption.start_s <= number / rate < caption.end_s:
                    picture.paste("black", mask=mask.filter(ImageFilter.MaxFilter(5)))
                    picture.paste("white", mask=mask)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return path


def _mask(caption: Caption, size: Size, text_px: int, chinese: Glyphs) -> Image.Image:
    """Return where a caption is, as a picture of the video's size."""
    mask, x = Image.new("L", size), 40
    font = ImageFont.load_default(text_px)
    for char in caption.text:
        drawn = Image.new("L", size)
        if char in chinese:
            glyph = chinese[char]
            glyph = glyph.resize((max(1, glyph.width * text_px // glyph.height), text_px))
            drawn.paste(glyph, (x, caption.y))
            x += glyph.width + text_px // 8
        else:
            ImageDraw.Draw(drawn).text((x, caption.y), char, font=font, fill=255)
            x += round(font.getlength(char))
        mask = ImageChops.lighter(mask, drawn)
    return mask
