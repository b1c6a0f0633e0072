"""What a classification is asked to do, and the command that asks for it."""

from pipeline.analysis.classes import TABLE, beside
from pipeline.analysis.settings import ClassifySettings
from pipeline.commands import StartRun
from pipeline.model import RunKind
from pipeline.settings import PipelineSettings


class ClassifyRun(PipelineSettings):
    """What a classification reads, and its run records."""

    classify: ClassifySettings = ClassifySettings()
    examples: str = ""
    """Folder of the examples, empty = by words."""


def command_of(out: bytes, wanted: ClassifyRun, *, force: bool = False) -> StartRun:
    """Return the command that asks for the classes of a folder; the run's output is their table, not the folder."""
    method = wanted.classify.method if wanted.examples else "words"
    return StartRun(RunKind.CLASSIFY, (out,), beside(out, TABLE), method, wanted, force)
