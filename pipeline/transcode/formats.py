"""What containers hold and encoders take, as data."""

_ANY_SOUND = (
    *("aac", "mp3", "mp2", "mp1", "ac3", "eac3", "opus", "vorbis", "flac", "alac", "dts", "truehd", "tta", "wavpack"),
    *("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_u8"),
)

COPIED_VIDEO: dict[str, frozenset[str]] = {
    "mp4": frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"}),
    "mov": frozenset(
        {
            "h264",
            "hevc",
            "prores",
            "mjpeg",
            "mpeg4",
            "dnxhd",
            "dvvideo",
            "mpeg2video",
            "qtrle",
            "png",
            "cinepak",
            "h263",
        }
    ),
    "mkv": frozenset(
        {
            *("h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores", "theora"),
            *("ffv1", "vc1", "wmv3", "dvvideo", "msmpeg4v3", "msmpeg4v2", "h263", "cinepak", "flv1", "dirac"),
        }
    ),
    "webm": frozenset({"vp8", "vp9", "av1"}),
}
COPIED_AUDIO: dict[str, frozenset[str]] = {
    "mp4": frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "opus", "flac", "alac"}),
    "mov": frozenset({"aac", "mp3", "ac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_u8"}),
    "mkv": frozenset(_ANY_SOUND),
    "webm": frozenset({"opus", "vorbis"}),
}
SUBTITLES: dict[str, tuple[frozenset[str], str]] = {
    "mp4": (frozenset({"mov_text"}), "mov_text"),
    "mov": (frozenset({"mov_text"}), "mov_text"),
    "mkv": (
        frozenset({"subrip", "ass", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"}),
        "subrip",
    ),
    "webm": (frozenset({"webvtt"}), "webvtt"),
}
"""What is copied as it is, and what other texts become."""

SOUND_FAMILIES = {"aac": "aac", "libopus": "opus", "pcm_s16le": "pcm_s16le"}
KBPS_A_CHANNEL = {"aac": 64, "libopus": 48}
_SOUND_RATES = {
    "aac": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
    "libopus": (48000,),
}

PIXEL_FORMATS: dict[str, tuple[str, ...]] = {
    "libx264": ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"),
    "libx265": (
        *("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"),
        *("yuv420p12le", "yuv422p12le", "yuv444p12le"),
    ),
    "libsvtav1": ("yuv420p", "yuv420p10le"),
    "prores_ks": ("yuv422p10le", "yuv444p10le", "yuva444p10le"),
    "h264_nvenc": ("yuv420p", "yuv444p"),
    "hevc_nvenc": ("yuv420p", "p010le", "yuv444p"),
    "av1_nvenc": ("yuv420p", "p010le"),
}
"""The pixel formats that each encoder is given."""

TELL_HDR = frozenset({"libx265", "libsvtav1"})
"""Encoders that can be told of the display a video was mastered on."""

LEAST_SIDE = {"libx264": 2, "libx265": 16, "libsvtav1": 4, "prores_ks": 2}
"""Pixels of the shorter side below which an encoder refuses a picture; others want more."""
_LEAST_NVENC = 160


def least_side(encoder: str) -> int:
    """Return how wide and high a picture has to be for an encoder."""
    return LEAST_SIDE.get(encoder, _LEAST_NVENC)


def sound_rate(encoder: str, wanted_hz: int) -> int:
    """Return the sample rate nearest to the one wanted that an encoder takes, a higher one rather than a lower."""
    rates = _SOUND_RATES.get(encoder, ())
    if not rates:
        return wanted_hz or 48_000
    return next((rate for rate in rates if rate >= wanted_hz), rates[-1])


def nearest(pixel_format: str, encoder: str) -> str:
    """Return the pixel format that keeps most of `pixel_format`: its colour resolution first, then its depth."""
    known = PIXEL_FORMATS[encoder]
    if pixel_format in known:
        return pixel_format
    wanted = (_alpha(pixel_format), _chroma(pixel_format), depth(pixel_format))

    def loss(name: str) -> tuple[int, int, int]:
        alpha, chroma, bits = (_alpha(name), _chroma(name), depth(name))
        return (abs(alpha - wanted[0]), _short(chroma, wanted[1]), _short(bits, wanted[2]))

    return min(known, key=loss)


def _short(have: int, want: int) -> int:
    """Too little costs more than too much."""
    return 100 * (want - have) if have < want else have - want


def _chroma(name: str) -> int:
    """Return how much of the colour is kept: 0 = 4:2:0, 1 = 4:2:2, 2 = all."""
    if any(part in name for part in ("444", "rgb", "bgr", "gbr", "pal8", "argb", "440", "xyz", "0bgr", "bayer")):
        return 2
    return 1 if any(part in name for part in ("422", "nv16", "p210", "p216", "y210")) else 0


def depth(name: str) -> int:
    """Return bits a sample by the name of a pixel format."""
    if name in {"rgb48le", "rgb48be", "rgba64le", "rgba64be", "gray16le", "gray16be", "xyz12le", "ya16le", "ya16be"}:
        return 16
    for bits in (16, 14, 12, 10, 9):
        if (
            f"p{bits}" in name
            or name.endswith((f"{bits}le", f"{bits}be"))
            or name.startswith((f"p0{bits}", f"y2{bits}"))
        ):
            return bits
    return 8


def _alpha(name: str) -> int:
    return int(any(part in name for part in ("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16")))


def is_rgb(name: str) -> bool:
    """Whether a pixel format holds red, green and blue."""
    return any(part in name for part in ("rgb", "bgr", "gbr", "pal8", "monow", "monob"))
