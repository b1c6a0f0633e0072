"""Turns whatever a stage raised into a failure with a class, so that nothing ends a worker but its own process."""

import traceback

from pipeline.errors import SCARCE, JobError
from pipeline.model import FailureClass, Stage
from pipeline.outputs.atomic import FULL
from pipeline.shortage import is_short, number_of, shortage

DETAIL_CHARS = 4000

_BY_STAGE = {
    Stage.EMBED: (FailureClass.MODEL, "The model host could not be used"),
    Stage.TEXT: (FailureClass.MODEL, "The text of its pictures could not be read"),
    Stage.SPEECH: (FailureClass.MODEL, "Its speech could not be transcribed"),
    Stage.WRITE: (FailureClass.IO, "The outputs could not be written"),
}
_UNREADABLE = (FailureClass.CORRUPT, "The file could not be read")

_UNSUPPORTED = ("DecoderNotFoundError", "DemuxerNotFoundError", "PatchWelcomeError", "ProtocolNotFoundError")
"""What PyAV calls the errors of a format or codec that its FFmpeg does not have."""


_OURS = (TypeError, NameError, AssertionError, ImportError)
"""Errors that no damaged file was seen to cause: a video must not be called corrupt for a fault of ours."""


def failure_of(error: Exception, stage: Stage) -> JobError:
    """Return `error`, raised while `stage` ran, as a failure of the job.

    What damaged media does to PyAV is not only FFmpegError (UnicodeDecodeError, AttributeError, IndexError were
    seen), so an error of no known kind is judged by the stage it came from.
    """
    detail = "".join(traceback.format_exception(error))[-DETAIL_CHARS:]
    if isinstance(error, JobError):
        return error
    number = number_of(error)
    library = type(error).__module__.partition(".")[0]
    if number in SCARCE and (library not in {"av", "cv2"} or is_short(number)):
        return shortage(number, stage, detail)
    if isinstance(error, _OURS) or type(error).__module__.startswith("cv2"):
        message = f"vconsole itself failed, not the file: {_short(error)}."
        return JobError(FailureClass.WORKER_CRASHED, message, stage=stage, detail=detail)
    kind, sentence = _BY_STAGE.get(stage, _UNREADABLE)
    if library == "av":
        if type(error).__name__ in _UNSUPPORTED:
            kind, sentence = FailureClass.UNSUPPORTED, "This build of FFmpeg cannot read the file"
    elif isinstance(error, OSError) and error.errno in FULL:
        sentence = "The output volume is full."
        return JobError(FailureClass.DISK_FULL, sentence, stage=stage, detail=detail, errno=number)
    elif isinstance(error, OSError) and error.errno:
        kind, sentence = FailureClass.IO, "The disk or the file system failed"
    return JobError(kind, f"{sentence}: {_short(error)}.", stage=stage, detail=detail, errno=number)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())[:200].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
