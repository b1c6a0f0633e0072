"""How large a still picture says it is, for those that FFmpeg does not open because they are too large."""

import struct
from collections.abc import Callable
from typing import BinaryIO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

_READERS: dict[str, Callable[[BinaryIO], ImageFile]] = {
    "png_pipe": PngImageFile,
    "jpeg_pipe": JpegImageFile,
    "bmp_pipe": BmpImageFile,
    "tiff_pipe": TiffImageFile,
}


def still_size(path: bytes, container: str) -> tuple[int, int]:
    """Return width and height by the header of the picture at `path`; 0, 0 where it does not tell. Decodes nothing."""
    reader = _READERS.get(container)
    if reader is None:
        return 0, 0
    try:
        with open(path, "rb") as file:
            width, height = reader(file).size
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, OverflowError, struct.error):
        return 0, 0
    return width, height
