"""rapidocr: PaddleOCR's detection and recognition models, which its wheel carries, run by onnxruntime on the CPU."""

import cv2
import numpy as np
from rapidocr import RapidOCR
from rapidocr.utils.output import RapidOCROutput

from pipeline.media.result import Picture
from pipeline.reading.engines import Piece

_SHORTER_PX = 736
"""Pictures whose shorter side is below this are scaled up: the detection model was trained at this size."""


class RapidReader:
    """Reads one picture after another; the pieces of a picture are recognised in batches."""

    def __init__(self, longest_px: int, batch: int, threads: int) -> None:
        self._longest_px = longest_px
        self._engine = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,  # Pictures are upright already.
                "Global.text_score": 0.0,
                "Global.max_side_len": max(2000, longest_px),
                "Det.limit_type": "max",
                "Det.limit_side_len": longest_px,
                "Rec.rec_batch_num": batch,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read(self, picture: Picture) -> list[Piece]:
        """Return the text in a picture, uint8 (height, width, 3) RGB."""
        scaled = _scaled(picture, self._longest_px)
        found = self._engine(np.ascontiguousarray(scaled[..., ::-1]))
        if not isinstance(found, RapidOCROutput) or not found.txts or not found.scores:
            return []
        size = np.array([scaled.shape[1], scaled.shape[0]])
        corners = np.clip(np.asarray(found.boxes, np.float64) / size, 0, 1)
        return [
            Piece(text, float(score), (*corner.min(0).tolist(), *corner.max(0).tolist()))
            for text, score, corner in zip(found.txts, found.scores, corners, strict=True)
        ]


def _scaled(picture: Picture, longest_px: int) -> Picture:
    height, width = picture.shape[:2]
    factor = min(longest_px / max(height, width), max(1.0, _SHORTER_PX / min(height, width)))
    if factor == 1:
        return picture
    size = max(1, round(width * factor)), max(1, round(height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
