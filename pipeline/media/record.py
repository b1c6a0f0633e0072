"""What was measured of each frame of a chunk, without its pictures: enough to decide again over the whole video."""

import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.media.picture import Box
from pipeline.media.result import LostSpan
from pipeline.media.score import Measure, Score, weigh
from pipeline.media.seen import Candidate, Seen
from pipeline.media.stretch import Stretch, Tally
from pipeline.stages.dedupe import candidate_dhash

_BATCH = 4096
_NO_MEASURE = np.zeros(0, np.uint8)

Columns = dict[str, NDArray[Any]]


@dataclass(slots=True)
class Record:
    """The frames of one chunk in order, and what its packets say."""

    columns: Columns
    """`time_s` (-1 = no frame, only losses), `score` (NaN = none, 64 bits of a hash detector), `damaged`, by frame;
    `lost_row` and `lost_s`; `candidate_row`, `sharpness`, `good`, `held_bytes`, `dhash`."""
    first: Measure | None
    """Measure of the first frame: its score follows from the chunk before."""
    last: Measure | None
    tally: Tally

    @property
    def frame_count(self) -> int:
        """Frames that were decoded."""
        return int(np.count_nonzero(self.columns["time_s"] >= 0))

    @property
    def last_s(self) -> float:
        """Time of the last frame, -1 if there is none."""
        return float(self.columns["time_s"].max(initial=-1.0))

    def seen(self) -> Iterator[Seen]:
        """Yield every frame as the decoder told of it, its pictures gone."""
        columns = {name: column.tolist() for name, column in self.columns.items() if name != "score"}
        scores = self.columns["score"]
        candidates = iter(range(len(columns["candidate_row"])))
        losses: dict[int, list[float]] = {}
        for row, time_s in zip(columns["lost_row"], columns["lost_s"], strict=True):
            losses.setdefault(row, []).append(time_s)
        following = next(candidates, None)
        for row, time_s in enumerate(columns["time_s"]):
            seen = Seen(time_s, damaged=columns["damaged"][row], lost=tuple(losses.get(row, ())))
            seen.score = _score(scores[row])
            if row == 0 and self.first is not None:
                seen.score, seen.measure = None, self.first
            if following is not None and columns["candidate_row"][following] == row:
                seen.candidate = Candidate(
                    time_s,
                    -1,
                    None,
                    columns["sharpness"][following],
                    columns["good"][following],
                    columns["held_bytes"][following],
                    columns["dhash"][following],
                )
                following = next(candidates, None)
            yield seen


class FrameRecorder:
    """Gathers the record of a chunk while its frames are collected."""

    def __init__(self, box: Box, rotation_deg: int, *, weighed: bool) -> None:
        """`weighed`: candidates come with their sharpness; else it is measured here."""
        self._box, self._rotation_deg, self._weighed = box, rotation_deg, weighed
        self._times, self._damaged = array("d"), array("b")
        self._scores: list[float | bytes] = []
        self._lost_rows, self._lost_s = array("q"), array("d")
        self._candidates: list[tuple[int, float, bool, int, int]] = []
        self._first: Measure | None = None

    def note(self, seen: Seen, score: Score | None) -> None:
        """Note the next frame."""
        row = len(self._times)
        if not row and seen.score is None:
            self._first = seen.measure
        self._times.append(seen.time_s)
        self._damaged.append(seen.damaged)
        self._scores.append(np.packbits(score).tobytes() if isinstance(score, np.ndarray) else _number(score))
        for time_s in seen.lost:
            self._lost_rows.append(row)
            self._lost_s.append(time_s)
        candidate = seen.candidate
        if candidate is not None and candidate.frame is not None:
            value = candidate_dhash(candidate, self._box, self._rotation_deg)
            sharpness = candidate.sharpness if self._weighed else weigh(candidate.frame, self._box)[0]
            self._candidates.append((row, sharpness, candidate.good, candidate.held_bytes, value))

    def record(self, last: Measure | None, tally: Tally) -> Record:
        """Return what was gathered; `last` is the measure of the last frame."""
        rows, sharpness, good, held, hashes = zip(*self._candidates, strict=True) if self._candidates else ((),) * 5
        hashed = any(isinstance(score, bytes) for score in self._scores)
        scores = (
            np.array([int.from_bytes(score, "big") if isinstance(score, bytes) else 0 for score in self._scores], "u8")
            if hashed
            else np.array(self._scores, "f8")
        )
        columns = {
            "time_s": np.array(self._times),
            "score": scores,
            "damaged": np.array(self._damaged, np.bool_),
            "lost_row": np.array(self._lost_rows, np.int64),
            "lost_s": np.array(self._lost_s),
            "candidate_row": np.array(rows, np.int64),
            "sharpness": np.array(sharpness, np.float64),
            "good": np.array(good, np.bool_),
            "held_bytes": np.array(held, np.int64),
            "dhash": np.array(hashes, np.uint64),
        }
        return Record(columns, self._first, last, tally)


@dataclass(slots=True)
class Gap:
    """A chunk that is missing, in presentation seconds, and why."""

    span: LostSpan
    frames: int = 0


@dataclass(slots=True)
class Replay:
    """The records of all chunks in order as the one stream of frames that they are."""

    parts: Sequence[Record | Gap]
    missed: Callable[[LostSpan, int], None]
    ended: Callable[[Tally], None]
    """Called with what all packets say before the frames come to their end."""
    tally: Tally = field(default_factory=Tally)

    def __iter__(self) -> Iterator[tuple[Stretch | None, list[Seen]]]:
        for number, part in enumerate(self.parts):
            if isinstance(part, Gap):
                self.missed(part.span, part.frames)
                self.tally.packets += part.frames
                self.tally.shown += part.frames
                continue
            join(self.tally, part.tally)
            stretch = Stretch(number, None, last=part.last)
            batch: list[Seen] = []
            for seen in part.seen():
                batch.append(seen)
                if len(batch) >= _BATCH:
                    yield stretch, batch
                    batch = []
            yield stretch, batch
        self.ended(self.tally)


def join(tally: Tally, more: Tally) -> None:
    """Add what the packets of the next chunk say."""
    tally.marked.extend(len(tally.ticks) + place for place in more.marked)
    tally.ticks.extend(more.ticks)
    tally.packets += more.packets
    tally.shown += more.shown
    tally.bytes_read += more.bytes_read
    tally.end_s = max(tally.end_s, more.end_s)
    tally.false_times += more.false_times
    if more.end_tick is not None:
        tally.end_tick = more.end_tick if tally.end_tick is None else max(tally.end_tick, more.end_tick)
    tally.faults += more.faults


def packed(record: Record) -> Columns:
    """Return a record as plain arrays."""
    tally = record.tally
    facts = {
        "packets": tally.packets,
        "shown": tally.shown,
        "bytes_read": tally.bytes_read,
        "end_tick": tally.end_tick,
        "end_s": tally.end_s,
        "false_times": tally.false_times,
        "faults": [[fault.start_s, fault.end_s, fault.reason] for fault in tally.faults],
    }
    return record.columns | {
        "ticks": np.array(tally.ticks, np.int64),
        "marked": np.array(tally.marked, np.int64),
        "tally": np.frombuffer(json.dumps(facts).encode(), np.uint8),
        "first": _NO_MEASURE if record.first is None else record.first,
        "last": _NO_MEASURE if record.last is None else record.last,
    }


def unpacked(columns: Columns) -> Record:
    """Return the record that `packed` made arrays of. Raises KeyError, ValueError for arrays that it did not make."""
    columns = dict(columns)
    facts = json.loads(columns.pop("tally").tobytes())
    faults = [LostSpan(*fault) for fault in facts.pop("faults")]
    ticks, marked = (array("q", columns.pop(name).tobytes()) for name in ("ticks", "marked"))
    first, last = columns.pop("first"), columns.pop("last")
    tally = Tally(**facts, faults=faults, ticks=ticks, marked=marked)
    return Record(columns, first if first.size else None, last if last.size else None, tally)


def _number(score: float | None) -> float:
    return float("nan") if score is None else score


def _score(stored: np.generic) -> Score | None:
    if stored.dtype == np.uint64:
        bits = np.unpackbits(np.frombuffer(int(stored).to_bytes(8, "big"), np.uint8))
        return bits.reshape(8, 8).astype(np.bool_)
    return None if np.isnan(stored) else float(stored)
