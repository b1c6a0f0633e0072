"""The pictures of kept frames that a job saves beside its feature file."""

from contextlib import AbstractContextManager

from pipeline.extract_job import ExtractJob, RunContext
from pipeline.model import Stage
from pipeline.outcome import NO_PICTURES
from pipeline.outputs.atomic import check_volume
from pipeline.outputs.format import Features
from pipeline.outputs.paths import frames_folder, picture_name
from pipeline.outputs.pictures import PictureFolder, saved_pictures, unreadable_pictures
from pipeline.outputs.saved import read_sum


class KeptPictures:
    """The folder of the saved pictures of one video, and what is in it."""

    def __init__(self, job: ExtractJob, run: RunContext) -> None:
        self._job, self._run = job, run
        self._folder = frames_folder(run.out, job.relative)
        self.sum = NO_PICTURES
        """What was saved, or was there already."""

    def are_whole(self, features: Features) -> bool:
        """Whether each kept frame's picture is there: as the ledger knows them, or else as pictures that open."""
        kind = self._run.settings.frames.save
        if kind == "none":
            return True
        names = [picture_name(index, kind) for index in features.frames["frame_index"].tolist()]
        found, known = read_sum(self._folder, names), self._job.known_pictures_sha256
        if found is None or (found.sha256 != known if known else any(unreadable_pictures(self._folder, names))):
            return False
        self.sum = found
        return True

    def saving(self) -> AbstractContextManager[PictureFolder | None]:
        """Return the folder to be filled, None where no pictures are to be saved; it is there when all went well."""
        frames = self._run.settings.frames
        if frames.save != "none":
            check_volume(self._run.out, self._run.out_device, Stage.WRITE)
        return saved_pictures(self._folder, frames.save, frames.save_quality)
