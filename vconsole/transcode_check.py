"""`vconsole transcode --check`: says of each video what is odd about it and what the preset would do."""

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engine.discover import Found, walk
from pipeline.engine.kinds import STILL
from pipeline.engine.sniff import HEAD_BYTES, is_media, is_still, why_not
from pipeline.engine.tuning import cores, free_memory_bytes, plan_workers
from pipeline.errors import SettingsError
from pipeline.identity import open_regular
from pipeline.outputs.transcode_report import write_report, write_table
from pipeline.settings import PipelineSettings
from pipeline.text import clock, plural, visible
from vconsole.checkers import Checkers
from vconsole.exits import Exit
from vconsole.output import say, write_json

AHEAD = 4
"""Videos that are looked at ahead of the one told next, for each process."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one input: `answer` as `pipeline.transcode.checker` gives it, or why it was passed over."""

    relative: bytes
    size_bytes: int
    answer: dict[str, Any]

    @property
    def status(self) -> str:
        """Return ok, problems, failed or skipped."""
        if "reason" in self.answer:
            return "skipped"
        if "class" in self.answer:
            return "failed"
        return "problems" if self.answer["problems"] else "ok"

    @property
    def entry(self) -> dict[str, Any]:
        """Return it as the report tells it."""
        facts = self.answer.get("facts_in", {})
        video = facts.get("video", {})
        shown = {name: video[name] for name in ("width", "height", "fps") if name in video}
        shown |= {"duration_s": facts["duration_s"], "video_codec": video["codec"]} if facts else {}
        return {
            "source": os.fsdecode(self.relative),
            "status": self.status,
            "bytes_in": self.size_bytes,
            **shown,
            **self.answer,
        }


def check_inputs(inputs: Sequence[bytes], settings: PipelineSettings, *, as_json: bool) -> int:
    """Check every video of `inputs`, print what is found, and return the exit code: 1 if one cannot be read.

    Raises SettingsError if an input does not exist, or the report cannot be written.
    """
    for path in inputs:
        if not Path(os.fsdecode(path)).exists():
            raise SettingsError(f"The input {visible(path)} does not exist.", remedy="Check the path.")
    counts: Counter[str] = Counter()
    entries = []
    for checked in _checked(inputs, settings):
        counts[checked.status] += 1
        if settings.transcode.report_file:
            entries.append(checked.entry)
        if as_json:
            write_json({"event": "check", **checked.entry}, sys.stdout)
        else:
            for line in lines(checked):
                say(line)
    _write(settings.transcode.report_file, entries)
    code = Exit.SOME_FAILED if counts["failed"] else Exit.OK
    if as_json:
        write_json({"event": "summary", "exit_code": int(code), "total": counts.total(), "counts": counts}, sys.stdout)
    else:
        told = ", ".join(f"{number} {status}" for status, number in counts.most_common())
        say(f"{plural(counts.total(), 'input')}: {told or 'nothing found'}")
    return code


def lines(checked: Checked) -> Iterator[str]:
    """Yield what is told of one video: what it is, and below it each problem with what will be done."""
    answer, facts = checked.answer, checked.answer.get("facts_in")
    told = visible(str(answer.get("reason") or answer.get("message") or ""))
    if facts:
        video, sound = facts["video"], facts["audio"]
        size = f"{video['width']}x{video['height']}"
        heard = ", ".join(f"{track['codec']} {track['layout'] or track['channels']}" for track in sound) or "no sound"
        told = visible(f"{facts['format']}  {video['codec']} {size} {video['fps']:.4g} fps  {heard}")
        told += f"  {clock(facts['duration_s'])}"
    yield f"{checked.status:<9} {visible(checked.relative)}  {told}".rstrip()
    for problem in answer.get("problems", []):
        yield f"{'':<9}   {problem['code']:<20} {visible(problem['sentence'])} -> {visible(problem['will'])}"


def _checked(inputs: Sequence[bytes], settings: PipelineSettings) -> Iterator[Checked]:
    """Yield every input in the order of discovery, as it is looked at by a few processes at once."""
    plan = plan_workers(settings.engine, core_count=cores(), free_memory_bytes=free_memory_bytes())
    with Checkers(settings, plan.decode_threads) as checkers, ThreadPoolExecutor(plan.workers) as pool:
        waiting: list[tuple[Found, Future[dict[str, Any]]]] = []
        try:
            for found in walk(inputs, b""):
                waiting.append((found, pool.submit(_look, found, checkers)))
                while len(waiting) > AHEAD * plan.workers or (waiting and waiting[0][1].done()):
                    yield _done(*waiting.pop(0))
            while waiting:
                yield _done(*waiting.pop(0))
        finally:
            checkers.close()
            pool.shutdown(cancel_futures=True)


def _done(found: Found, answer: "Future[dict[str, Any]]") -> Checked:
    return Checked(found.relative, found.identity.size_bytes, answer.result())


def _look(found: Found, checkers: Checkers) -> dict[str, Any]:
    if found.failure is not None:
        return {"class": str(found.failure), "message": found.reason}
    if found.reason:
        return {"reason": found.reason}
    try:
        descriptor = open_regular(found.source)
        try:
            head = os.pread(descriptor, HEAD_BYTES, 0)
        finally:
            os.close(descriptor)
    except OSError as error:
        return {"class": "io", "message": f"It cannot be read: {error.strerror}."}
    why = STILL if is_still(found.relative, head) else ""
    why = why if is_media(found.relative, head) else why_not(found.relative)
    return {"reason": why} if why else checkers.ask(found.source, found.identity.size_bytes)


def _write(report_file: str, entries: list[dict[str, Any]]) -> None:
    if not report_file:
        return
    try:
        if report_file.endswith(".csv"):
            write_table(os.fsencode(report_file), entries)
        else:
            write_report(os.fsencode(report_file), {"check": True}, entries)
    except OSError as error:
        shown = visible(report_file)
        raise SettingsError(
            f"the report {shown} cannot be written: {error.strerror}", remedy="Name another file."
        ) from error
