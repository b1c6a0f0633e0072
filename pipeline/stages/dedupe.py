"""Stage dedupe: near-identical frames of a video are kept once."""

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pipeline.media.picture import Box, luma
from pipeline.media.seen import Candidate
from pipeline.stage_sections import DedupeSettings

HASHED_LONGEST = 256
"""Longest side of the luma that a hash is taken of."""


def dhash(grey: NDArray[np.uint8]) -> int:
    """Return the 64-bit difference hash of a uint8 (h, w) picture.

    Each bit says whether a pixel of the 9 x 8 thumbnail is darker than its right neighbour, row by row, most
    significant bit first (N. Krawetz, "Kind of Like That", 2013).
    """
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def frame_dhash(frame: VideoFrame, box: Box, rotation_deg: int) -> int:
    """Return the hash of a decoded frame inside `box` (as coded), turned upright."""
    grey = np.rot90(luma(frame, box, HASHED_LONGEST), -rotation_deg // 90)
    return dhash(np.ascontiguousarray(grey))


def candidate_dhash(candidate: Candidate, box: Box, rotation_deg: int) -> int:
    """Return the hash of a candidate, taken once; 0 of one whose picture is gone and whose hash was never taken."""
    if candidate.dhash is None:
        candidate.dhash = frame_dhash(candidate.frame, box, rotation_deg) if candidate.frame is not None else 0
    return candidate.dhash


class Dedupe:
    """Tells which frames are new; remembers the hash of every frame it let through."""

    def __init__(self, settings: DedupeSettings) -> None:
        self._settings = settings
        self._hashes = np.zeros(64, np.uint64)
        self._count = 0

    def is_new(self, value: int) -> bool:
        """Return whether no frame let through before is within the distance, and remember this one if so."""
        seen = self._hashes[: self._count]
        if self._settings.enabled:
            distances = np.bitwise_count(seen ^ np.uint64(value))
            if bool((distances <= self._settings.max_distance).any()):
                return False
        if self._count == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[self._count] = value
        self._count += 1
        return True
