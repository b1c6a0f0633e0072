"""Does the jobs a worker is given: reads the message, runs the job, writes the answer."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any

import cv2
import psutil

from pipeline import wire
from pipeline.errors import SCARCE, JobError, WireError
from pipeline.extract import extract
from pipeline.extract_job import Division, ExtractJob, RunContext
from pipeline.identity import Identity
from pipeline.model import FailureClass, RunKind, Stage
from pipeline.outcome import Outcome
from pipeline.outputs.naming import NAMED
from pipeline.progress import Reporter
from pipeline.settings import PipelineSettings
from pipeline.shortage import number_of, shortage
from pipeline.stages.keys import transcode_keys

Doer = Callable[[dict[str, Any], Reporter], Outcome]
"""Does the job of a `job` message."""
PROGRESS_INTERVAL_S = 0.2
"""Progress is told at most this often; a change of stage or of what is waited for is told at once."""


class Stopped(BaseException):
    """The engine wants the job back. Not an Exception: nothing on the way may take it for a failure."""


class Desk:
    """Does one job after another and tells the engine over `sock`; used by one thread."""

    def __init__(self, sock: socket.socket) -> None:
        cv2.setNumThreads(1)
        self._sock = sock
        self._run_message: dict[str, Any] | None = None
        self._doer: Doer | None = None

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; the process ends if the engine is gone. Raises WireError if it is above the cap."""
        try:
            wire.send(self._sock, message)
        except OSError:
            os._exit(0)

    def do(self, job: dict[str, Any], run: dict[str, Any] | None, wanted_back: Callable[[], bool]) -> None:
        """Do the job of a `job` message that belongs to the `run` message, and send `finished` whatever happens."""
        try:
            report = _Report(self, job, wanted_back)
            report.check()
            self._finished(job, self._do(job, run, report), report)
        except Stopped:
            self._answer(job, "stopped", {}, None)
        except Exception as error:  # noqa: BLE001 - a job must never end the worker without an answer
            self._answer(job, "failed", {}, _no_answer(error))

    def _do(self, job: dict[str, Any], run: dict[str, Any] | None, report: "_Report") -> Outcome:
        if run is None:
            raise WireError("a job of a run that was never announced")
        if self._doer is None or run is not self._run_message:
            if run["kind"] not in _DOERS:
                raise WireError(f"this worker does not do runs of kind {run['kind']!r}")
            self._doer, self._run_message = _DOERS[run["kind"]](run), run
            report.read_from_here()
        return self._doer(job, report)

    def _finished(self, job: dict[str, Any], outcome: Outcome, report: "_Report") -> None:
        result = outcome.result | {"bytes_read": report.bytes_read()}
        if report.bytes_out:
            result["bytes_out"] = report.bytes_out
        if job.get("output"):  # the name that the engine chose stays with the job, also when this attempt failed
            result[NAMED] = job["output"]
        self._answer(job, str(outcome.state), result, outcome.failure)

    def _answer(self, job: dict[str, Any], outcome: str, result: dict[str, Any], failure: JobError | None) -> None:
        message = {
            "type": "finished",
            "job_id": job["job_id"],
            "token": job["token"],
            "outcome": outcome,
            "result": result,
            "failure": failure.to_message() if failure else None,
        }
        self.send(message)


class _Report:
    """Turns what a job tells into messages, a few a second; stops the job if the engine wants it back."""

    def __init__(self, desk: Desk, job: dict[str, Any], wanted_back: Callable[[], bool]) -> None:
        self._desk = desk
        self._head = {"job_id": job["job_id"], "token": job["token"]}
        self._wanted_back = wanted_back
        self._process = psutil.Process()
        self._bytes_before = self._bytes_of_process()
        self._told_at = -PROGRESS_INTERVAL_S
        self._told: tuple[Stage, str] | None = None
        self.bytes_out = 0
        """The most that a part of the output has held."""

    def check(self) -> None:
        """Raise Stopped if the engine wants the job back."""
        if self._wanted_back():
            raise Stopped

    def read_from_here(self) -> None:
        """Count what is read from now on: modules that a first job brings in are no video."""
        self._bytes_before = self._bytes_of_process()

    def bytes_read(self) -> int:
        """Return the bytes this process has read since the job began; 0 where the system does not tell."""
        return self._bytes_of_process() - self._bytes_before

    def progress(
        self,
        stage: Stage,
        share: float,
        *,
        video_s: float = 0.0,
        frames: int = 0,
        waiting: str = "",
        duration_s: float = 0.0,
        bytes_out: int = 0,
    ) -> None:
        """Tell that something moved. Raises Stopped."""
        self.check()
        self.bytes_out = max(self.bytes_out, bytes_out)
        now = time.monotonic()
        if (stage, waiting) == self._told and now - self._told_at < PROGRESS_INTERVAL_S:
            return
        self._told, self._told_at = (stage, waiting), now
        self._desk.send(
            self._head
            | {
                "type": "progress",
                "stage": str(stage),
                "share": round(share, 4),
                "video_s": round(video_s, 3),
                "frames": frames,
                "waiting": waiting,
                "duration_s": round(duration_s, 3),
                "bytes_out": bytes_out,
                "bytes_read": self.bytes_read(),
            }
        )

    def passed(self, stage: Stage, seconds: float, items: int, *, reused: bool = False) -> None:
        """Tell that a stage is over. Raises Stopped."""
        self.check()
        self._desk.send(
            self._head
            | {"type": "stage", "stage": str(stage), "seconds": round(seconds, 6), "items": items, "reused": reused}
        )

    def _bytes_of_process(self) -> int:
        counters = getattr(self._process, "io_counters", None)
        return int(getattr(counters(), "read_chars", 0)) if counters else 0


def _no_answer(error: Exception) -> JobError:
    """Return the failure of a job that could not even begin, or whose result could not be told."""
    number = number_of(error)
    if number in SCARCE:
        return shortage(number, Stage.PROBE, repr(error))
    sentence = "The worker could not read its orders or tell its result."
    return JobError(FailureClass.PROTOCOL, sentence, detail=repr(error))


def _extractor(run: dict[str, Any]) -> Doer:
    context = RunContext(
        settings=PipelineSettings.model_validate(run["settings"]),
        out=os.fsencode(run["out"]),
        fingerprints=run["fingerprints"],
        host_sockets=run["host_sockets"],
        out_device=run["out_device"],
        state_dir=run["state_dir"],
    )
    return lambda message, report: extract(_extract_job(message), context, report)


def _transcoder(run: dict[str, Any]) -> Doer:
    from pipeline.transcode.asked import TranscodeContext, TranscodeJob
    from pipeline.transcode.job import transcode

    settings = PipelineSettings.model_validate(run["settings"])
    context = TranscodeContext(settings, os.fsencode(run["out"]), run["out_device"], run["state_dir"])

    def do(message: dict[str, Any], report: Reporter) -> Outcome:
        job = TranscodeJob(
            source=os.fsencode(message["source"]),
            relative=os.fsencode(message["relative"]),
            output=os.fsencode(message["output"]),
            identity=Identity(*message["identity"]),
            content_id=message["content_id"],
            key=transcode_keys(settings, message["content_id"])[Stage.TRANSCODE],
            decode_threads=message["decode_threads"],
            encode_threads=message["encode_threads"],
            known_sha256=message["known_sha256"],
            force=message["force"],
        )
        return transcode(job, context, report)

    return do


def _extract_job(message: dict[str, Any]) -> ExtractJob:
    return ExtractJob(
        source=os.fsencode(message["source"]),
        relative=os.fsencode(message["relative"]),
        identity=Identity(*message["identity"]),
        content_id=message["content_id"],
        decode_threads=message["decode_threads"],
        known_sha256=message["known_sha256"],
        force=message["force"],
        known_pictures_sha256=message["known_pictures_sha256"],
        may_divide=message.get("division") is None,
        division=_division(message.get("division")),
        host=message["host"],
    )


def _division(told: dict[str, Any] | None) -> Division | None:
    if told is None:
        return None
    return Division(
        cuts=tuple(told["cuts"]),
        crop_xywh=tuple(told["crop_xywh"]),
        borders_s=tuple(told["borders_s"]),
        whole=told["whole"],
        chunk=told["chunk"],
        missing={int(number): why for number, why in told["missing"].items()},
    )


_DOERS: dict[str, Callable[[dict[str, Any]], Doer]] = {
    RunKind.EXTRACT: _extractor,
    RunKind.TRANSCODE: _transcoder,
}
"""What gives, for the `run` message of each kind, the function that does one of its jobs."""
