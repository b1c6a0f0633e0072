"""What the screen of a video needs of the program: all that is known of a job, and a file for what was copied."""

import os
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import VconsoleError
from pipeline.job_facts import JobFacts
from screens.ports import JobReader, Refusal

COPIED = "copied.txt"
"""The file in the state folder that holds what was copied last."""


def job_reader(state_dir: Path) -> JobReader:
    """Return the function that reads all that is known of a job beside the engine of `state_dir`."""

    def read(job_id: int) -> JobFacts | Refusal:
        from pipeline.job_reader import read_job

        try:
            return read_job(state_dir, job_id)
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)

    return read


def keeper(state_dir: Path) -> Callable[[str], str]:
    """Return the function that puts what was copied into a file, byte for byte, and says where it is."""
    path = state_dir / COPIED

    def keep(text: str) -> str:
        try:
            path.write_bytes(os.fsencode(text) + b"\n")
        except OSError as error:
            return f"It could not be put into {path} as well: {error.strerror}."
        return f"If the terminal takes none, it is in {path} as well."

    return keep
