"""What a job has model hosts do: vectors of its pictures, the text in them, and what is said."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from pipeline.extract_job import ExtractJob, RunContext
from pipeline.model import Stage
from pipeline.models.client import HostClient
from pipeline.progress import StageClock
from pipeline.stages.embed import Embedder
from pipeline.stages.keys import TEXT_ENGINE
from pipeline.stages.speech import SpeechStage
from pipeline.stages.text import TextStage

TextReader = TypeVar("TextReader", bound=TextStage)


class Served:
    """The connections of one job to its model host, each open while its stage needs it."""

    def __init__(self, job: ExtractJob, run: RunContext, clock: StageClock) -> None:
        self._job, self._run, self._clock = job, run, clock

    @contextmanager
    def embedder(self, models: tuple[str, ...]) -> Iterator[Embedder | None]:
        """Yield what has pictures embedded, None where no model is asked for."""
        if not models:
            yield None
            return
        with closing(self._client(Stage.EMBED)) as client:
            with self._clock.within(Stage.EMBED):
                embedder = Embedder(client, self._run.settings.embed, models)
            yield embedder

    @contextmanager
    def reader(self, kind: type[TextReader], *, wanted: bool) -> Iterator[TextReader | None]:
        """Yield what has text read during the decode, None where it is not `wanted`."""
        if not wanted:
            yield None
            return

        @contextmanager
        def timed() -> Iterator[None]:
            with self._clock.within(Stage.TEXT):
                self._clock.moved()
                yield

        with closing(self._client(Stage.TEXT)) as client:
            yield kind(client, self._run.fingerprints[TEXT_ENGINE], self._run.settings.text, timed)

    @contextmanager
    def listener(self) -> Iterator[SpeechStage]:
        """Yield what has sound transcribed."""
        settings = self._run.settings
        with self._clock.within(Stage.SPEECH), closing(self._client(Stage.SPEECH)) as client:
            yield SpeechStage(client, settings, self._run.fingerprints[settings.speech.model], self._clock)

    def _client(self, stage: Stage) -> HostClient:
        """Return a connection to the model host that the job goes to, or else to one of the others."""
        sockets = self._run.host_sockets
        mine = self._job.host
        first, *others = (*sockets[mine:], *sockets[:mine])
        window_bytes = self._run.settings.host.window_bytes
        return HostClient(first, window_bytes, others=others, progress=self._waits, stage=stage)

    def _waits(self, waiting: str) -> None:
        self._clock.moved(waiting=waiting)
