"""easyocr: CRAFT and a recognition network for the languages, with weights that lie on this machine."""

import warnings
from pathlib import Path

import torch

from pipeline.media.result import Picture
from pipeline.models.operators import declare_missing_operators
from pipeline.reading.engines import Piece
from pipeline.stage_sections import TextSettings


class EasyReader:
    """Reads one picture after another; the pieces of a picture are recognised in batches."""

    def __init__(self, settings: TextSettings, folder: Path, threads: int, device: str) -> None:
        declare_missing_operators()
        import easyocr

        torch.set_num_threads(threads)
        self._longest_px, self._batch = settings.longest_px, settings.batch
        with warnings.catch_warnings():
            # It quantises with an interface that this torch calls deprecated.
            warnings.simplefilter("ignore")
            self._reader = easyocr.Reader(
                list(settings.languages), gpu=False if device == "cpu" else device,
                model_storage_directory=str(folder), download_enabled=False, verbose=False,
            )  # fmt: skip
        for name in ("detector", "recognizer"):  # On a GPU they are spread over all that are there.
            network = getattr(self._reader, name)
            setattr(self._reader, name, getattr(network, "module", network))

    def read(self, picture: Picture) -> list[Piece]:
        """Return the text in a picture, uint8 (height, width, 3) RGB."""
        height, width = picture.shape[:2]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self._reader.readtext(picture, batch_size=self._batch, canvas_size=self._longest_px)
        pieces = []
        for corners, text, confidence in found:
            across = [min(1.0, max(0.0, float(x) / width)) for x, _ in corners]
            down = [min(1.0, max(0.0, float(y) / height)) for _, y in corners]
            pieces.append(Piece(text, float(confidence), (min(across), min(down), max(across), max(down))))
        return pieces
