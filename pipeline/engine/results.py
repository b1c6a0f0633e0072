"""What a worker's last word, or its death, makes of an attempt."""

from typing import Any

from pipeline import wire
from pipeline.engine.child import Death
from pipeline.engine.scheduler import Report
from pipeline.engine.slots import Running
from pipeline.errors import WireError
from pipeline.model import FailureClass, Stage

OUTCOMES = frozenset({"done", "partial", "failed", "skipped", "queued", "stopped"})
NUMBERS = frozenset(
    {
        *("output_bytes", "output_mtime_ns", "bytes_read", "bytes_written", "bytes_out"),
        *("scenes", "frames", "text_lines", "text_until_s", "speech_segments"),
        *("duration_s", "width", "height", "lost_s", "lost_frames", "ratio", "x_real_time"),
    }
)
"""Fields of a result that are reckoned with."""
MESSAGE_CHARS = 2000
"""How much of a text that a worker sends is kept."""


def report_result(running: Running, message: wire.Message) -> Report:
    """Return what a worker tells of its job's end. Raises WireError if it makes no sense."""
    outcome, result, failure = message.get("outcome"), message.get("result") or {}, message.get("failure") or {}
    if outcome not in OUTCOMES or not isinstance(result, dict) or not isinstance(failure, dict):
        raise WireError(f"not a result: {str(outcome)[:80]!r}")
    if outcome == "stopped":
        return Report(running.stopping or "stopped")
    if outcome == "failed" and "class" not in failure:
        raise WireError("a failure without a class")
    for name in NUMBERS & result.keys():
        wire.number(result, name)
    if outcome in {"done", "partial"} and running.job.chunk is None:
        _check_output(result)
    if outcome == "queued":
        _check_division(result.get("division"))
        return Report("divided", result=result)
    try:
        kind = FailureClass(failure["class"]) if failure else None
        stage = Stage(failure["stage"]) if failure.get("stage") else running.stage if failure else None
    except ValueError as error:
        raise WireError(f"not a failure: {error}") from error
    message_text, detail = str(failure.get("message", "")), str(failure.get("detail", ""))
    outcome = "crashed" if outcome == "failed" and failure.get("crash") else outcome
    number = failure.get("errno", 0)
    told = (message_text[:MESSAGE_CHARS], detail[:MESSAGE_CHARS])
    return Report(outcome, kind, stage, *told, result, number if isinstance(number, int) else 0)


def _check_output(result: dict[str, Any]) -> None:
    wanted = {"output": str, "output_bytes": int, "output_sha256": str, "output_mtime_ns": int, "content_id": str}
    wrong = [name for name, kind in wanted.items() if not isinstance(result.get(name), kind)]
    wrong += [name for name in ("stage_keys", "seconds", "probe") if not isinstance(result.get(name, {}), dict)]
    if wrong or "stage_keys" not in result:
        raise WireError(f"a result without {', '.join(wrong) or 'stage_keys'}")
    for stage in result.get("seconds", {}):
        wire.number(result["seconds"], stage)


def _check_division(told: object) -> None:
    """Refuse a division of a job that this engine could not hand out again."""
    kinds = {"cuts": list, "crop_xywh": list, "borders_s": list, "whole": str, "missing": dict}
    whole = isinstance(told, dict) and all(isinstance(told.get(name), kind) for name, kind in kinds.items())
    if not whole or not isinstance(told, dict) or not all(isinstance(tick, int) for tick in told["cuts"]):
        raise WireError("a division without its cuts")


def report_death(running: Running, death: Death | OSError, *, closing: bool) -> Report:
    """Return what the death of its worker makes of an attempt."""
    why = running.lost or ("protocol" if isinstance(death, Death) and death.broken else "")
    said = death.said if isinstance(death, Death) else str(death)
    if closing or running.stopping:
        return Report(running.stopping or "stopped")
    if why == "stalled":
        text = "No progress for longer than engine.stall_s; the worker was ended."
        return Report("stalled", FailureClass.STALLED, running.stage, text, said)
    if why == "timeout":
        text = "It took longer than engine.job_timeout_s."
        return Report("failed", FailureClass.TIMEOUT, running.stage, text, said)
    if why == "protocol":
        text = f"The worker sent what is not a message: {death.broken if isinstance(death, Death) else death}"
        return Report("failed", FailureClass.PROTOCOL, running.stage, text[:MESSAGE_CHARS], said)
    if why == "memory":
        text = f"The worker was ended: {running.lost_because}."
        return Report("over_cap", FailureClass.OUT_OF_MEMORY, running.stage, text, said)
    outside = isinstance(death, Death) and death.from_outside
    text = f"The worker {'was' if outside else 'crashed:'} {death}."
    return Report("killed" if outside else "crashed", FailureClass.WORKER_CRASHED, running.stage, text, said)


def how_it_died(running: Running, death: Death | OSError) -> str:
    """Return in words what became of a worker that had a job."""
    if running.lost:
        return f"was ended ({running.lost_because or running.lost})"
    return f"died ({death})"
