"""rapidocr: PaddleOCR's detection and recognition models, which its wheel carries, run by onnxruntime on the CPU."""

import numpy as np
from rapidocr import RapidOCR
from rapidocr.utils.output import RapidOCROutput

from pipeline.media.result import Picture
from pipeline.reading.engines import Piece
from pipeline.reading.scale import scaled

_SHORTER_PX = 736
"""Pictures whose shorter side is below this are scaled up: the detection model was trained at this size."""


class RapidReader:
    """Reads pictures, several at once if several threads ask; the pieces of a picture are recognised in batches."""

    def __init__(self, longest_px: int, batch: int, threads: int) -> None:
        """`threads` work on one picture."""
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
        seen = scaled(picture, self._longest_px, _SHORTER_PX)
        found = self._engine(np.ascontiguousarray(seen[..., ::-1]))
        if not isinstance(found, RapidOCROutput) or not found.txts or not found.scores:
            return []
        size = np.array([seen.shape[1], seen.shape[0]])
        corners = np.clip(np.asarray(found.boxes, np.float64) / size, 0, 1)
        return [
            Piece(text, float(score), (*corner.min(0).tolist(), *corner.max(0).tolist()))
            for text, score, corner in zip(found.txts, found.scores, corners, strict=True)
        ]
