"""Tells by name and first bytes whether a file may be a video or a picture, without opening a decoder."""

import os

HEAD_BYTES = 4096

STILLS = frozenset(
    b"bmp dds dpx exr hdr heic heif hif ico j2c j2k jls jp2 jpe jpeg jpf jpg jxl mpo pam pbm pcx pgm pgmyuv png pnm "
    b"ppm psd qoi ras sgi sun tif tiff xbm xpm xwd".split()
)
"""Names of pictures in which nothing moves."""
EXTENSIONS = STILLS | frozenset(
    b"264 265 266 3g2 3gp 4xm amv asf avc avi avs avs2 avs3 bik cine dav dif dv evc f4v flc fli flv gif gxf h261 h264 "
    b"h265 h266 h26l hevc ism ismv ivf kux lvf lxf m1v m2p m2t m2ts m2v m4v mj2 mjpeg mjpg mk3d mkv mlv mov mp4 mpe "
    b"mpeg mpg mpv mts mtv mxf nsv nut nuv obu ogg ogm ogv pmp psp pva qt rcv rm rmvb roq smk swf thp ty vc1 viv vob "
    b"vro vvc webm wmv wtv xmv y4m apng avif webp".split()
)
"""Names under which a file is taken on whatever its first bytes say: a damaged video must be reported, not ignored."""

_FILMS = (
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
)
_STARTS = (
    *_FILMS,
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"\x00\x00\x00\x0cjP  \r\n",
    b"\xff\x4f\xff\x51",
    b"\x00\x00\x00\x0cJXL \r\n",
    b"\xff\x0a",
    b"\x76\x2f\x31\x01",
    b"SDPX",
    b"XPDS",
    b"8BPS\x00\x01",
    b"qoif",
    b"DDS |\x00\x00\x00",
    b"#?RADIANCE",
    b"\x00\x00\x01\x00",
    b"\x59\xa6\x6a\x95",
)
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"pnot"})
_STILL_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif")
_AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ")
_PORTABLE = tuple(b"P%d%c" % (kind, space) for kind in range(1, 8) for space in b"\n\r\t ")
"""How PBM, PGM, PPM and PAM begin."""
_UNREAD = {b"tga": "a TGA picture: it says nowhere in it what it is, so it is not read"}
_RIFF = frozenset({b"AVI ", b"WEBP", b"AVIX"})
_PACKETS = ((188, 0), (192, 4), (204, 0))
"""Packet length and offset of the sync byte of the forms of an MPEG transport stream."""


def is_media(name: bytes, head: bytes) -> bool:
    """Whether a file named `name` that begins with `head` (up to HEAD_BYTES) may hold pictures."""
    return _extension(name) in EXTENSIONS or is_media_content(head)


def why_not(name: bytes) -> str:
    """Return why a file for which `is_media` says no is passed over."""
    return _UNREAD.get(_extension(name), "not a video or picture")


def is_still(name: bytes, head: bytes) -> bool:
    """Whether a file has the name of a picture in which nothing moves, and does not begin as a film does."""
    film = head.startswith(_FILMS) or (head[4:8] in _BOXES and head[8:12] not in _STILL_BRANDS)
    return _extension(name) in STILLS and not (film or head[8:12] == b"AVI ")


def _extension(name: bytes) -> bytes:
    return os.path.splitext(name)[1][1:].lower()


def is_media_content(head: bytes) -> bool:
    """Whether these first bytes are those of a container or a picture that FFmpeg reads."""
    if head.startswith(_STARTS) or head.startswith(_PORTABLE):
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
