"""The schema of the transcode settings and the built-in presets."""

import re
from typing import Annotated, Literal

from pydantic import Field

from pipeline.section import Section

Format = Literal["mp4", "mkv", "mov", "webm"]
VideoCodec = Literal[
    "auto", "copy", "libx264", "libx265", "libsvtav1", "prores_ks", "h264_nvenc", "hevc_nvenc", "av1_nvenc"
]
AudioCodec = Literal["aac", "libopus", "pcm_s16le", "copy", "none"]

FAMILIES: dict[str, str] = {
    "libx264": "h264",
    "h264_nvenc": "h264",
    "libx265": "hevc",
    "hevc_nvenc": "hevc",
    "libsvtav1": "av1",
    "av1_nvenc": "av1",
    "prores_ks": "prores",
}
"""What each video encoder writes."""

HARDWARE: dict[str, str] = {"h264_nvenc": "libx264", "hevc_nvenc": "libx265", "av1_nvenc": "libsvtav1"}
"""Each hardware encoder and the software one that serves in its place."""

SPEEDS: dict[str, tuple[str, ...]] = {
    "libx264": (
        *("ultrafast", "superfast", "veryfast", "faster", "fast", "medium"),
        *("slow", "slower", "veryslow", "placebo"),
    ),
    "libsvtav1": tuple(str(number) for number in range(14)),
    "prores_ks": ("proxy", "lt", "standard", "hq", "4444", "4444xq"),
    "h264_nvenc": tuple(f"p{number}" for number in range(1, 8)),
}
SPEEDS |= {
    "libx265": SPEEDS["libx264"],
    "hevc_nvenc": SPEEDS["h264_nvenc"],
    "av1_nvenc": SPEEDS["h264_nvenc"],
}
"""The presets of each video encoder; those of ProRes are its profiles."""

SUFFIXES: dict[str, bytes] = {"mp4": b".mp4", "mkv": b".mkv", "mov": b".mov", "webm": b".webm"}
"""How the name of an output ends, by its format."""

NOT_IN_RESULT: frozenset[str] = frozenset({"hwaccel", "salvage", "report_file"})
"""Settings that do not change what is in an output of a whole video."""

VERSION = "1"
"""Raised when the same settings give another output."""

HELD: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "mp4": (frozenset({"h264", "hevc", "av1"}), frozenset({"aac", "libopus"})),
    "mov": (frozenset({"h264", "hevc", "prores"}), frozenset({"aac", "pcm_s16le"})),
    "mkv": (frozenset({"h264", "hevc", "av1", "prores"}), frozenset({"aac", "libopus", "pcm_s16le"})),
    "webm": (frozenset({"av1"}), frozenset({"libopus"})),
}
"""What is encoded into each container: video codecs, audio encoders."""

_MOST_CRF = {"libx264": 51, "libx265": 51, "libsvtav1": 63}


class TranscodeSettings(Section):
    """What a transcode makes of a video."""

    output_format: Format = Field("mp4", description="Container of the output; its name ends so, too.")
    video_codec: VideoCodec = Field(
        "libx264",
        description="Video encoder. auto = a hardware encoder that works here, else software: AV1 for webm, H.264 for "
        "the others; copy = the video as it is.",
    )
    audio_codec: AudioCodec = Field(
        "aac", description="Audio encoder; copy = the sound as it is, none = the output is silent."
    )
    crf: Annotated[int, Field(ge=0, le=63)] | None = Field(
        18,
        description="Constant quality of libx264 and libx265 (0-51) and libsvtav1 (0-63), lower is better; unset = the "
        "encoder's own (23, 28, 35).",
    )
    cq: Annotated[int, Field(ge=0, le=63)] | None = Field(
        None,
        description="Constant quality of the NVENC encoders: 1-51 (av1_nvenc 1-63), lower is better; unset = crf, "
        "else 23.",
    )
    speed: str = Field(
        "",
        pattern=r"^[a-z0-9]*$",
        description="The encoder's own preset: ultrafast ... placebo for libx264 and libx265, 0-13 for libsvtav1, "
        "p1-p7 for NVENC, the profile (proxy, lt, standard, hq, 4444) for ProRes; empty = its default.",
    )
    tune: str = Field(
        "",
        pattern=r"^[a-z0-9]*$",
        description="What the encoder is tuned for, in its own word (film, animation, grain, hq ...); empty = nothing.",
    )
    pixel_format: str = Field(
        "yuv420p",
        pattern=r"^[a-z0-9]*$",
        description="Pixel format of the output, e.g. yuv420p; empty = the source's where the encoder takes it, else "
        "the nearest one.",
    )
    crop: str = Field(
        "none",
        pattern=r"^(auto|none|\d{1,5}:\d{1,5}:\d{1,5}:\d{1,5})$",
        description="auto = cut black borders off, none = the whole picture, or WIDTH:HEIGHT:X:Y of the upright "
        "picture in pixels.",
    )
    resolution: str = Field(
        "",
        pattern=r"^([1-9]\d{0,4}x[1-9]\d{0,4})?$",
        description="Largest picture as WIDTHxHEIGHT: a larger one is made to fit within; empty = as it is.",
    )
    upscale: bool = Field(False, description="Make a picture smaller than `resolution` larger, too.")
    upright: bool = Field(True, description="Turn the picture as its rotation flag says, so that no player need.")
    square_pixels: bool = Field(True, description="Stretch a picture whose pixels are not square.")
    deinterlace: bool = Field(True, description="Make whole pictures of interlaced ones.")
    cfr: bool = Field(True, description="Constant frame rate: pictures are repeated or left out where need be.")
    fps: Annotated[float, Field(ge=0, le=240)] = Field(
        0.0, description="Frames a second of the output, at a constant rate; 0 = the source's."
    )
    keyframe_interval_s: Annotated[float, Field(ge=0, le=60)] = Field(
        2.0, description="Most seconds from one keyframe to the next; 0 = as the encoder likes."
    )
    audio_channels: Annotated[int, Field(ge=0, le=8)] = Field(
        2, description="Channels of the sound, mixed down or up; 0 = as many as there are."
    )
    audio_stream: str = Field(
        "",
        pattern=r"^(|all|\d{1,3}|[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)$",
        description="Which sound is taken: empty = the default one, all, a number counted from 0, or a language "
        "(eng). Where there is no such one, the default.",
    )
    audio_kbps: Annotated[int, Field(ge=0, le=1536)] = Field(
        0, description="Kilobits a second of the sound; 0 = 64 (AAC) or 48 (Opus) a channel."
    )
    audio_rate_hz: Annotated[int, Field(ge=0, le=192_000)] = Field(
        0, description="Sample rate of the sound; 0 = the source's, or the nearest one that the encoder takes."
    )
    faststart: bool = Field(True, description="Put the index of mp4 and mov at the front, so that playing can begin.")
    hwaccel: Literal["auto", "none", "cuda"] = Field(
        "auto",
        description="auto = a hardware encoder only once it has encoded a few frames here; none = software only, for "
        "decoding too; cuda = the job fails where NVENC cannot be used. Decoding is set by decode.hwaccel.",
    )
    salvage: bool = Field(False, description="Keep what decodes of a damaged file; the report says what is lost.")
    report_file: str = Field("", description="One more place for the report: a path that ends in .json or .csv.")

    @property
    def box(self) -> tuple[int, int] | None:
        """`resolution` as width and height, None where there is none."""
        found = re.fullmatch(r"(\d+)x(\d+)", self.resolution)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def family(self) -> str:
        """The video codec that is asked for (h264, hevc, av1, prores), empty for copy."""
        if self.video_codec == "auto":
            return "av1" if self.output_format == "webm" else "h264"
        return FAMILIES.get(self.video_codec, "")


def conflict(settings: TranscodeSettings) -> str:
    """Return why settings cannot go together, empty if they can; asked once all layers lie over each other."""
    container, encoder = settings.output_format, settings.video_codec
    videos, sounds = HELD[container]
    family = FAMILIES.get(encoder, "")
    if family and family not in videos:
        return f"{container} holds no {family} here; it takes {', '.join(sorted(videos))}"
    if settings.audio_codec not in sounds | {"copy", "none"}:
        return f"{container} holds no {settings.audio_codec} here; it takes {', '.join(sorted(sounds))}"
    speeds = SPEEDS.get(encoder, ())
    if settings.speed and speeds and settings.speed not in speeds:
        return f"{encoder} has no speed {settings.speed!r}; it has {', '.join(speeds)}"
    most = _MOST_CRF.get(encoder)
    if settings.crf is not None and most is not None and settings.crf > most:
        return f"crf of {encoder} ends at {most}"
    return ""


TRANSCODE_PRESETS: dict[str, tuple[str, dict[str, object]]] = {
    "standardize": (
        "H.264 in MP4 that everything reads: upright, square pixels, constant frame rate, stereo AAC.",
        {},
    ),
    "proxy-480p": (
        "Small H.264 files to look at quickly: within 854 x 480.",
        {"crf": 26, "speed": "veryfast", "resolution": "854x480", "audio_kbps": 96},
    ),
    "archive": (
        "AV1 and Opus in Matroska: small, with every track, and the source's depth, range and rate.",
        {
            "output_format": "mkv",
            "video_codec": "libsvtav1",
            "audio_codec": "libopus",
            "crf": 28,
            "speed": "6",
            "pixel_format": "",
            "cfr": False,
            "keyframe_interval_s": 5.0,
            "audio_channels": 0,
            "audio_stream": "all",
        },
    ),
    "edit": (
        "ProRes 422 HQ and uncompressed sound in QuickTime, for editing programs; large.",
        {
            "output_format": "mov",
            "video_codec": "prores_ks",
            "audio_codec": "pcm_s16le",
            "crf": None,
            "speed": "hq",
            "pixel_format": "",
            "keyframe_interval_s": 0.0,
            "audio_channels": 0,
            "audio_stream": "all",
        },
    ),
    "remux": (
        "Another container (Matroska holds everything) and a new index, nothing encoded again.",
        {
            "output_format": "mkv",
            "video_codec": "copy",
            "audio_codec": "copy",
            "crf": None,
            "pixel_format": "",
            "cfr": False,
            "keyframe_interval_s": 0.0,
            "audio_channels": 0,
            "audio_stream": "all",
        },
    ),
}
"""The built-in presets of transcode runs: one sentence each, and what differs from the defaults of the section."""
