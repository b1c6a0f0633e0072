"""How a picture is changed on its way: the filters, the size, the pixel format and the colours that come out; pure."""

from dataclasses import dataclass, replace
from fractions import Fraction

from pipeline.transcode import formats
from pipeline.transcode.facts import NO_HDR, HdrFacts, VideoFacts
from pipeline.transcode.settings import TranscodeSettings

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of the upright picture."""

_TURNS = {90: (("transpose", "clock"),), 180: (("hflip", ""), ("vflip", "")), 270: (("transpose", "cclock"),)}
_BEFORE_SDR = "yuv444p10le"
"""The conversion of colours is fastest from here: half the time of 4:2:0."""
_HD_HEIGHT, _HD_WIDTH = 720, 1280


@dataclass(frozen=True, slots=True)
class PicturePlan:
    """How a picture is changed: `chain` is what libavfilter does, `(filter, arguments)` after each other."""

    encoder: str
    changes: tuple[str, ...]
    """What is not as it was asked for, as reasons to encode."""
    chain: tuple[tuple[str, str], ...]
    width: int
    height: int
    sar: str
    pixel_format: str
    range: str
    matrix: str
    primaries: str
    transfer: str
    to_sdr: bool
    hdr: HdrFacts = NO_HDR
    """What the encoder is told of HDR beside the colours."""


def plan_picture(found: VideoFacts, settings: TranscodeSettings, crop: Box | None, encoder: str = "") -> PicturePlan:
    """Return how the picture is changed for `encoder` (the one of the settings where none is named)."""
    encoder = encoder or software_of(settings)
    changes, chain, size, shape = _straightened(found, settings, crop)
    pixel_format = settings.pixel_format or found.pixel_format
    if pixel_format not in formats.PIXEL_FORMATS[encoder]:
        pixel_format = formats.nearest(pixel_format, encoder)
    wanted = _wanted(size, shape, settings)
    square = settings.square_pixels and shape != 1
    if square:
        changes.append(f"its pixels are not square ({found.sar})")
    resized = wanted != size
    if resized and not square:
        changes.append(f"it is {size[0]} x {size[1]}, not {wanted[0]} x {wanted[1]}")
    out = _whole(wanted, pixel_format, encoder)
    if not resized and out != size:
        changes.append(f"its size {size[0]} x {size[1]} is odd")
    colours = _colours(found, pixel_format, encoder, size, out)
    chain += _scaled(found, size, wanted, out, pixel_format, colours, resized=resized)
    if _plain(found.pixel_format) != pixel_format:
        changes.append(f"its pixel format is {found.pixel_format or 'unknown'}, not {pixel_format}")
    sar = Fraction(1) if settings.square_pixels else shape
    chain.append(("setsar", f"{sar.numerator}/{sar.denominator}"))
    return PicturePlan(
        encoder,
        tuple(changes),
        tuple(chain),
        *out,
        f"{sar.numerator}:{sar.denominator}",
        pixel_format,
        colours.range,
        colours.matrix,
        colours.primaries,
        colours.transfer,
        colours.to_sdr,
        NO_HDR if colours.to_sdr or encoder not in formats.TELL_HDR else replace(found.hdr_told, dynamic=()),
    )


def _straightened(
    found: VideoFacts, settings: TranscodeSettings, crop: Box | None
) -> tuple[list[str], list[tuple[str, str]], tuple[int, int], Fraction]:
    """Return what makes pictures whole, upright and without borders: why, the filters, size and pixel shape then."""
    changes: list[str] = []
    chain: list[tuple[str, str]] = []
    if found.interlaced and settings.deinterlace:
        changes.append("it is interlaced")
        chain.append(("bwdif", "mode=send_frame:parity=auto:deint=all"))
    size, shape = (found.width, found.height), found.shape
    if settings.upright and (found.rotation_deg or found.mirrored):
        changes.append("its picture is turned by a flag")
        chain += _TURNS.get(found.rotation_deg, ())
        chain += [("hflip", "")] if found.mirrored else []
        if found.rotation_deg in (90, 270):
            size, shape = size[::-1], 1 / shape
    box = _crop(settings, crop, size)
    if box is not None:
        changes.append("it has borders that are cut off")
        chain.append(("crop", f"{box[2]}:{box[3]}:{box[0]}:{box[1]}:exact=1"))
        size = box[2:]
    return changes, chain, size, shape


def software_of(settings: TranscodeSettings) -> str:
    """Return the software encoder for what the settings ask for."""
    by_family = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "prores": "prores_ks"}
    return by_family.get(settings.family, "libx264")


@dataclass(frozen=True, slots=True)
class _Colours:
    range: str
    matrix: str
    primaries: str
    transfer: str
    to_sdr: bool
    converted: bool


def _colours(
    found: VideoFacts, pixel_format: str, encoder: str, size: tuple[int, int], out: tuple[int, int]
) -> _Colours:
    """Return the colours of the output: the source's, but SDR for 8 bits, and a matrix where there was none."""
    if found.hdr and formats.depth(pixel_format) == 8:
        return _Colours("tv", "bt709", "bt709", "bt709", to_sdr=True, converted=True)
    if formats.is_rgb(found.pixel_format):
        return _Colours("tv", "bt709", found.primaries, found.transfer, to_sdr=False, converted=True)
    full = found.range == "pc"
    matrix = found.matrix
    if matrix == "gbr":
        matrix = ""
    if not matrix and _hd(size) != _hd(out):
        matrix = "bt709" if _hd(size) else "smpte170m"
    range_ = "tv" if full and encoder == "prores_ks" else found.range
    return _Colours(range_, matrix, found.primaries, found.transfer, to_sdr=False, converted=range_ != found.range)


def _scaled(
    found: VideoFacts,
    size: tuple[int, int],
    wanted: tuple[int, int],
    out: tuple[int, int],
    pixel_format: str,
    colours: _Colours,
    *,
    resized: bool,
) -> list[tuple[str, str]]:
    """Return the filters that bring a picture to its size, colours and pixel format."""
    chain: list[tuple[str, str]] = []
    arguments = [] if colours.to_sdr and not resized else ["flags=bicubic+accurate_rnd+full_chroma_int"]
    if colours.to_sdr:
        chain.append(("format", _BEFORE_SDR))
    if resized:
        arguments.insert(0, f"{out[0]}:{out[1]}")
    if colours.to_sdr:
        arguments.append("out_color_matrix=bt709:out_primaries=bt709:out_transfer=bt709:out_range=tv:intent=perceptual")
    elif colours.converted:
        arguments += [f"out_color_matrix={colours.matrix}"] if colours.matrix else []
        arguments.append(f"out_range={colours.range or 'tv'}")
    if not resized and (out[0] > size[0] or out[1] > size[1]):
        chain.append(("pad", f"{max(out[0], size[0])}:{max(out[1], size[1])}"))
    if not resized and (out[0] < size[0] or out[1] < size[1]):
        chain.append(("crop", f"{min(out[0], size[0])}:{min(out[1], size[1])}:0:0:exact=1"))
    if resized or colours.converted or _plain(found.pixel_format) != pixel_format:
        chain.append(("scale", ":".join(arguments)))
    chain.append(("format", pixel_format))
    return chain


def _crop(settings: TranscodeSettings, found: Box | None, size: tuple[int, int]) -> Box | None:
    """Return the box that is kept, None for the whole picture; a box that does not fit in is moved and cut to fit."""
    box = found
    if settings.crop not in ("auto", "none"):
        width, height, x, y = (int(part) for part in settings.crop.split(":"))
        x, y = min(x, size[0] - 1), min(y, size[1] - 1)
        box = (x, y, max(1, min(width, size[0] - x)), max(1, min(height, size[1] - y)))
    return None if box is None or box == (0, 0, *size) else box


def _wanted(size: tuple[int, int], shape: Fraction, settings: TranscodeSettings) -> tuple[int, int]:
    """Return the size with square pixels, fitted into the box of the settings."""
    width, height = Fraction(size[0]), Fraction(size[1])
    if settings.square_pixels and shape != 1:
        width, height = (width * shape, height) if shape > 1 else (width, height / shape)
    if settings.box is not None:
        room = shape if not settings.square_pixels else Fraction(1)
        factor = min(settings.box[0] / (width * room), settings.box[1] / height)
        if factor < 1 or settings.upscale:
            width, height = width * factor, height * factor
    wanted = (max(1, round(width)), max(1, round(height)))
    return size if wanted == size else (_even(wanted[0]), _even(wanted[1]))


def _whole(wanted: tuple[int, int], pixel_format: str, encoder: str) -> tuple[int, int]:
    """Return the size that the encoder takes: even where the colour is stored for two pixels at once."""
    least = formats.least_side(encoder)
    width, height = wanted
    if "444" not in pixel_format:
        width -= width % 2
        height -= height % 2 if "422" not in pixel_format else 0
    return max(width, least), max(height, least)


def _even(length: int) -> int:
    return max(2, (length + 1) // 2 * 2)


def _hd(size: tuple[int, int]) -> bool:
    return size[1] >= _HD_HEIGHT or size[0] >= _HD_WIDTH


def _plain(pixel_format: str) -> str:
    """Return the name without the old way of saying that the range is full."""
    return pixel_format.replace("yuvj", "yuv", 1)
