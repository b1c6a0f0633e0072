"""Counts what workers tell while they work, for rows, rates and the estimate."""

from pipeline import wire
from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.job_rows import CHUNKS_SHARE, share_of
from pipeline.engine.rates import work_of
from pipeline.engine.scheduler import Report
from pipeline.engine.slots import Running
from pipeline.errors import WireError
from pipeline.model import Stage
from pipeline.snapshot import JobRow

RATIO_AFTER_S = 2.0
"""Seconds of video after which the size of an output so far says something of its end."""


class Meter:
    """Reads progress messages. Every method raises WireError for a message whose fields are not what they must be."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def progress(self, run: ActiveRun, running: Running, message: wire.Message) -> None:
        """Take a progress message."""
        try:
            stage = Stage(message["stage"])
            share, video_s = wire.number(message, "share"), wire.number(message, "video_s")
            frames, bytes_read = int(wire.number(message, "frames")), int(wire.number(message, "bytes_read"))
            waiting = str(message["waiting"])[:80]
            duration_s = max(0.0, wire.number(message, "duration_s"))
            bytes_out = int(wire.number(message, "bytes_out")) if "bytes_out" in message else 0
        except (KeyError, TypeError, ValueError) as error:
            raise WireError(f"not a progress message: {error!r}") from error
        now = self._core.clock()
        if stage in run.stages:
            run.stages[stage].items.add(now, max(0, frames - running.frames))
            run.stages[stage].video_s.add(now, max(0.0, video_s - running.video_s))
        running.counted.setdefault(stage, 0)
        running.counted[stage] += max(0, frames - running.frames)
        run.video_s.add(now, max(0.0, video_s - running.video_s))
        run.bytes_read += max(0, bytes_read - running.bytes_read)
        running.stage, running.waiting = stage, waiting
        running.frames, running.bytes_read = max(frames, running.frames), max(bytes_read, running.bytes_read)
        running.video_s = max(video_s, running.video_s)
        running.bytes_out = max(bytes_out, running.bytes_out)
        running.share = min(1.0, max(0.0, share))
        row = run.row(running.job.job_id)
        run.set(
            running.job.job_id,
            stage=stage,
            progress=self._progress(running, row),
            rate=self._rate(running, now),
            size_ratio=_size_ratio(running, duration_s),
            waiting_for=waiting,
            duration_s=duration_s or (row.duration_s if row else 0.0),
        )

    def _progress(self, running: Running, row: JobRow | None) -> float:
        """Return the share of the job that is done: of one in chunks, by those that are over and those under way."""
        job = running.job
        if not job.chunks:
            return running.share
        if job.chunk is None:
            return CHUNKS_SHARE + (1 - CHUNKS_SHARE) * running.share
        under_way = sum(other.share for other in self._beside(running))
        return share_of(len(job.chunks), (row.chunks_over if row else 0) + under_way)

    def _rate(self, running: Running, now: float) -> float:
        rates = [other.video_s / (now - other.started_s) for other in self._beside(running) if now > other.started_s]
        return round(sum(rates), 2)

    def _beside(self, running: Running) -> list[Running]:
        """Return every attempt at the same job that runs: several where it is done in chunks."""
        busy = [worker.running for worker in self._core.pool.running() if worker.running]
        return [other for other in busy if other.job.job_id == running.job.job_id]

    def stage_over(self, run: ActiveRun, running: Running, message: wire.Message) -> None:
        """Take the message that a stage is over."""
        try:
            stage = Stage(message["stage"])
            seconds, items = wire.number(message, "seconds"), int(wire.number(message, "items"))
            reused = bool(message["reused"])
        except (KeyError, TypeError, ValueError) as error:
            raise WireError(f"not a stage message: {error!r}") from error
        if stage in run.stages and not reused:
            if running.job.chunk is None:  # the whole video passes when its chunks are put together
                run.stages[stage].passed(seconds)
            run.stages[stage].items.add(self._core.clock(), max(0, items - running.counted.get(stage, 0)))

    def finished(self, run: ActiveRun, running: Running, report: Report) -> None:
        """Count what a finished job adds to the rates and teaches the estimate."""
        result = report.result
        if report.outcome not in {"done", "partial"} or result.get("adopted"):
            return
        run.holds = 0
        if running.job.chunk is not None:
            return
        duration_s, written = float(result.get("duration_s", 0.0)), int(result.get("bytes_written", 0))
        bytes_read = int(result.get("bytes_read", 0))
        now = self._core.clock()
        run.bytes_written += written
        run.bytes_read += max(0, bytes_read - running.bytes_read)
        if running.job.chunks:  # its seconds of video were counted, and its work was done, by the chunks
            run.estimate.done(running.job.identity.size_bytes, work_of(result), 0.0)
            return
        run.video_s.add(now, max(0.0, duration_s - running.video_s))
        run.estimate.done(running.job.identity.size_bytes, work_of(result), now - running.started_s)


def _size_ratio(running: Running, duration_s: float) -> float:
    """Return the size of the output so far over that of what was read for it, 0 while too little is known."""
    source_bytes = running.job.identity.size_bytes
    if running.video_s < RATIO_AFTER_S or duration_s <= 0 or not (source_bytes and running.bytes_out):
        return 0.0
    return round(running.bytes_out / (source_bytes * min(1.0, running.video_s / duration_s)), 3)
