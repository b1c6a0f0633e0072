"""Which codecs are tried, and how; light, for who plans an examination loads no codec."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a codec is tried."""

    encoder: str
    container: str = "matroska"
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)


VIDEO: dict[str, Recipe] = {
    "H.264": Recipe("libx264", options={"preset": "ultrafast", "x264-params": "log-level=none"}),
    "HEVC": Recipe("libx265", options={"preset": "ultrafast", "x265-params": "log-level=none"}),
    "AV1": Recipe("libsvtav1", options={"preset": "12", "svtav1-params": "lp=1"}),
    "VP9": Recipe("libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}),
    "VP8": Recipe("libvpx", options={"deadline": "realtime", "cpu-used": "8"}),
    "MPEG-4": Recipe("mpeg4", options={"qscale": "3"}),
    "MPEG-2": Recipe("mpeg2video", container="mpegts", options={"qscale": "3"}),
    "ProRes": Recipe("prores_ks", container="mov", pixels="yuv422p10le"),
    "MJPEG": Recipe("mjpeg", pixels="yuvj420p", options={"qscale": "3"}),
    "FFV1": Recipe("ffv1"),
}
SOUND: dict[str, Recipe] = {
    "AAC": Recipe("aac", container="mp4"),
    "Opus": Recipe("libopus"),
    "MP3": Recipe("libmp3lame"),
    "FLAC": Recipe("flac"),
}
NVENC = {"H.264": "h264_nvenc", "HEVC": "hevc_nvenc", "AV1": "av1_nvenc"}
"""Encoders of NVIDIA GPUs."""
NVDEC = {"H.264": "h264", "HEVC": "hevc", "AV1": "av1", "VP9": "vp9"}
"""FFmpeg's own decoders, which hand their work to NVDEC; for AV1 it would take dav1d, which cannot."""
