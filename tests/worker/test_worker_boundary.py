"""Whatever a stage raises becomes a failure with a class and a sentence."""

import errno
import os

import av
import pytest

from pipeline.boundary import failure_of
from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage


@pytest.mark.parametrize(
    ("error", "stage", "failure"),
    [
        (MemoryError(), Stage.SCENES, FailureClass.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "full"), Stage.WRITE, FailureClass.DISK_FULL),
        (OSError(errno.EDQUOT, "quota"), Stage.SCENES, FailureClass.DISK_FULL),
        (OSError(errno.EIO, os.strerror(errno.EIO)), Stage.PROBE, FailureClass.IO),
        (av.error.InvalidDataError(1, "bad"), Stage.SCENES, FailureClass.CORRUPT),
        (av.error.DecoderNotFoundError(1, "none"), Stage.PROBE, FailureClass.UNSUPPORTED),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), Stage.PROBE, FailureClass.CORRUPT),
        (IndexError("list index"), Stage.SCENES, FailureClass.CORRUPT),
        (TypeError("missing argument"), Stage.SCENES, FailureClass.WORKER_CRASHED),
        (RuntimeError("socket"), Stage.EMBED, FailureClass.MODEL),
        (RuntimeError("HDF5"), Stage.WRITE, FailureClass.IO),
    ],
)
def test_each_kind_of_error_has_its_class(error: Exception, stage: Stage, failure: FailureClass) -> None:
    found = failure_of(error, stage)
    assert (found.failure, found.stage) == (failure, stage)
    assert str(found).endswith(".")
    assert type(error).__name__ in found.detail


def test_a_failure_that_has_a_class_keeps_it() -> None:
    error = JobError(FailureClass.TOO_LARGE, "Too large.", stage=Stage.PROBE)
    assert failure_of(error, Stage.SCENES) is error
