"""Scales pictures to the size at which text is looked for."""

import cv2
import numpy as np

from pipeline.media.result import Picture


def scaled(picture: Picture, longest_px: int, shorter_px: int = 0) -> Picture:
    """Return the picture, uint8 (h, w, 3), with its longer side at most `longest_px`.

    Its shorter side is at least `shorter_px` where both can be.
    """
    height, width = picture.shape[:2]
    factor = min(longest_px / max(height, width), max(1.0, shorter_px / min(height, width)))
    if factor == 1:
        return picture
    size = max(1, round(width * factor)), max(1, round(height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
