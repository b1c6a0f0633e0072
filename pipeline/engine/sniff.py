"""Tells by name and first bytes whether a file may be a video or a picture, without opening a decoder."""

import os

HEAD_BYTES = 4096

EXTENSIONS = frozenset(
    b"264 265 3g2 amv asf avi avif avs bmp dv f4v flv gif gxf h264 h265 heic hevc ismv ivf jpe jpeg jpg jp2 m1v m2p "
    b"3gp m2t m2ts m2v m4v mj2 mjpeg mjpg mk3d mkv mov mp4 mpe mpeg mpg mpv mts mxf nsv nut obu ogm ogv png qt "
    b"rm rmvb roq tif tiff vob vro webm webp wmv wtv y4m".split()
)
"""Names under which a file is taken on whatever its first bytes say: a damaged video must be reported, not ignored."""

_STARTS = (
    b"\x1a\x45\xdf\xa3",
    b"FLV\x01",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    b"\x00\x00\x01\xba",
    b"\x00\x00\x01\xb3",
    b"\x00\x00\x00\x01\x67",
    b"\x00\x00\x00\x01\x40\x01",
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01",
    b"OggS",
    b"DKIF",
    b"YUV4MPEG2 ",
    b".RMF",
    b"nut/multimedia container",
    b"\xb7\xd8\x00\x20\x37\x49\xda\x11",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"\x00\x00\x00\x0cjP  \r\n",
)
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"pnot"})
_AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ")
_RIFF = frozenset({b"AVI ", b"WEBP", b"AVIX"})
_PACKETS = ((188, 0), (192, 4), (204, 0))
"""Packet length and offset of the sync byte of the forms of an MPEG transport stream."""


def is_media(name: bytes, head: bytes) -> bool:
    """Whether a file named `name` that begins with `head` (up to HEAD_BYTES) may hold pictures."""
    extension = os.path.splitext(name)[1][1:].lower()
    return extension in EXTENSIONS or is_media_content(head)


def is_media_content(head: bytes) -> bool:
    """Whether these first bytes are those of a container or a picture that FFmpeg reads."""
    if head.startswith(_STARTS):
        return True
    if head[4:8] in _BOXES:
        return head[8:12] not in _AUDIO_BRANDS
    if head[:4] == b"RIFF":
        return head[8:12] in _RIFF
    if head[:2] == b"BM":
        return int.from_bytes(head[2:6], "little") > 54 and head[6:10] == b"\0\0\0\0"
    return any(_synchronous(head, length, offset) for length, offset in _PACKETS)


def _synchronous(head: bytes, length: int, offset: int) -> bool:
    marks = head[offset::length][:5]
    return len(marks) == 5 and marks == b"G" * 5
