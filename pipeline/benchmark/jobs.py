"""Jobs of videos as a worker does them, for a benchmark: nobody is told how they get on, and none may fail."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, NamedTuple

from pipeline.benchmark.measure import Work
from pipeline.errors import SettingsError
from pipeline.identity import Identity, content_id, identity_of, open_regular
from pipeline.model import JobState, Stage
from pipeline.outcome import Outcome

Result = dict[str, Any]
"""What a job that made its output tells."""


class Silent:
    """A reporter that nobody listens to."""

    def progress(self, stage: Stage, share: float, **_: Any) -> None:
        """Say nothing."""

    def passed(self, stage: Stage, seconds: float, items: int, *, reused: bool = False) -> None:
        """Say nothing."""


class Seen(NamedTuple):
    """A video as discovery would see it."""

    source: bytes
    relative: bytes
    """A name that no other job of the benchmark has."""
    identity: Identity
    content: str


def seen(paths: Sequence[str], times: int) -> list[Seen]:
    """Return what is to be known of each video before its jobs, `times` of them. Raises OSError."""
    return [_seen(path, number) for number, path in enumerate(path for path in paths for _ in range(times))]


def _seen(path: str, number: int) -> Seen:
    source = os.fsencode(path)
    descriptor = open_regular(source)
    try:
        identity, content = identity_of(os.fstat(descriptor)), content_id(descriptor)
    finally:
        os.close(descriptor)
    return Seen(source, b"%d-%s" % (number, os.path.basename(source)), identity, content)


def made(outcome: Outcome, source: bytes) -> Result:
    """Return the result of a job. Raises SettingsError, which crosses process borders, if it made no output."""
    path, failure = os.fsdecode(source), outcome.failure
    if failure is not None:
        raise SettingsError(f"{path}: {failure}", remedy=failure.remedy)
    if outcome.state not in {JobState.DONE, JobState.PARTIAL}:
        raise SettingsError(
            f"{path}: {outcome.result.get('reason', outcome.state)}", remedy="Leave it out of --inputs."
        )
    return outcome.result


@contextmanager
def side_by_side(workers: int) -> Iterator[Callable[..., list[Result]]]:
    """Yield what does jobs, `do(job)` for each, in so many processes; one worker is this process itself."""

    def here(do: Callable[[Any], Result], jobs: Sequence[Any]) -> list[Result]:
        return [do(job) for job in jobs]

    if workers == 1:
        yield here
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield lambda do, jobs: list(pool.map(do, jobs))


def work_of(results: Sequence[Result], videos: Sequence[Seen], alone: str = "") -> Work:
    """Return what a call did; `alone` names the stage whose own time counts, where it is not the whole."""
    seconds: dict[str, float] = {}
    for result in results:
        for stage, spent_s in result["seconds"].items():
            seconds[stage] = seconds.get(stage, 0.0) + spent_s
    video_s = sum(result["duration_s"] for result in results)
    size_bytes = sum(video.identity.size_bytes for video in videos)
    return Work(len(results), video_s, size_bytes, seconds, seconds.get(alone, 0.0) if alone else None)


def decoded_by(results: Sequence[Result]) -> list[str]:
    """Return sentences about the GPUs that decoded, and why software did where it was not to."""
    gpus = sorted({result["decoded_by"] for result in results if "decoded_by" in result})
    fallbacks = {result.get(name, "") for result in results for name in ("fallback", "decode_fallback")}
    return [*(f"Decoded by {gpu}." for gpu in gpus), *sorted(fallbacks - {""})]
