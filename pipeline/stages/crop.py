"""Stage crop: where the picture is inside its black borders."""

from pipeline.settings import CropSettings
from pipeline.stages.probe import Probe


def find_crop(path: bytes, probe: Probe, settings: CropSettings) -> tuple[int, int, int, int]:
    """Return x, y, width, height in pixels of the upright picture inside its black borders.

    Raises JobError (stage crop) only for faults of the file system; a place that cannot be decoded is left out.
    """
    raise NotImplementedError(path, probe, settings)
