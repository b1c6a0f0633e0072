"""Runs one batch whatever comes of it: out of memory, a picture that no model takes, a device that is lost."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.models.cache import VectorCache
from pipeline.models.counters import Counters
from pipeline.models.faults import Fault, fault_of
from pipeline.models.lane import Answers, Finish, Item, Lane, Waiting
from pipeline.models.speech import Window
from pipeline.models.text import Page


class DeviceLostError(Exception):
    """The device is unusable for this process: the process must end and be started again."""


@dataclass(slots=True)
class Batch:
    """Items of one model that are next."""

    key: str
    lane: Lane
    items: list[Waiting]
    finish: Finish | None = None
    """What waits for their answers, None if nothing is begun."""


class Serving:
    """Runs batches on the thread that owns the device.

    Smaller ones after an out-of-memory, which grow again slowly; halves after another failure, until the guilty picture
    is by itself; none once the device is lost. Where more than `cleanup_threshold` of the device's memory is taken
    after a batch, what is only cached is given back. `note` is told of every change.
    """

    def __init__(
        self,
        counters: Counters,
        cache: VectorCache,
        note: Callable[[str, str], None],
        cleanup_threshold: float,
        begin_next: Callable[[], None],
    ) -> None:
        """`begin_next` may begin the batch after this one, which is waited for then."""
        self.make_room: Callable[[str], bool] = lambda key: False
        """Asked to unload another model where a single picture of one does not fit; tells whether it did."""
        self._counters = counters
        self._cache = cache
        self._note = note
        self._cleanup_threshold = cleanup_threshold
        self._begin_next = begin_next
        self._began_s: float | None = None

    def busy_for_s(self) -> float:
        """Return for how many seconds the forward pass at hand has been running, 0 if there is none."""
        began = self._began_s
        return time.monotonic() - began if began is not None else 0.0

    def serve(self, batch: Batch) -> None:
        """Answer every item of a batch. Raises DeviceLostError."""
        key, lane, finish, pieces = batch.key, batch.lane, batch.finish, [batch.items]
        while pieces:
            piece = pieces.pop()
            if len(piece) > lane.limit and not finish:
                pieces += [piece[lane.limit :], piece[: lane.limit]]
                continue
            if piece[0].resent:
                self._try_alone(key, lane, piece[0])
            answers, fault, message = self._attempt(lane, [item.asked for item in piece], finish, alone=piece[0].resent)
            finish = None
            if answers is not None:
                lane.proven = True
                self._deliver(key, lane, piece, answers)
                self._grow(key, lane, len(piece))
            elif fault is Fault.MEMORY:
                self._shrink(key, lane, len(piece), message)
                pieces.append(piece)
            elif fault is Fault.DEVICE:
                raise DeviceLostError(message)
            elif len(piece) == 1:
                piece[0].receiver.failed(key, [piece[0].tag], message)
                self._note("warning", f"model {key} cannot take a picture: {message}")
            else:
                middle = len(piece) // 2
                pieces += [piece[middle:], piece[:middle]]
        self._clean(lane)

    def _try_alone(self, key: str, lane: Lane, item: Waiting) -> None:
        """Say that a picture is on trial, in a process that is known to work. Raises DeviceLostError."""
        if not lane.proven:
            answers, fault, message = self._attempt(lane, [_nothing_like(item.asked)], alone=True)
            if fault is Fault.DEVICE:
                raise DeviceLostError(message)
            lane.proven = answers is not None
            if lane.proven:
                self._counters.done(0)
        item.receiver.trying(key, item.tag)

    def _attempt(
        self, lane: Lane, items: Sequence[Item], finish: Finish | None = None, *, alone: bool
    ) -> tuple[Answers | None, Fault | None, str]:
        """Return answers, or the fault and its text; the exception and the tensors its frames hold are gone by then.

        `finish` waits for what is begun already. Unless it is to be `alone`, the next batch is begun meanwhile.
        """
        self._began_s = time.monotonic()
        try:
            finish = finish or lane.begin(items)
            if not alone:
                self._begin_next()
            return finish(), None, ""
        except Exception as error:  # noqa: BLE001 - whatever torch raises is told apart by `fault_of`
            return None, fault_of(error), f"{type(error).__name__}: {error}"[:1000]
        finally:
            self._began_s = None

    def _deliver(self, key: str, lane: Lane, piece: list[Waiting], answers: Any) -> None:
        asked = piece[0].asked
        places: dict[int, list[int]] = {}
        for place, item in enumerate(piece):
            places.setdefault(id(item.receiver), []).append(place)
        for mine in places.values():
            receiver, tags = piece[mine[0]].receiver, [piece[place].tag for place in mine]
            if isinstance(asked, Window):
                receiver.heard(key, tags, [answers[place] for place in mine])
            elif isinstance(asked, Page):
                receiver.read(key, tags, [answers[place] for place in mine])
            else:
                receiver.vectors(key, tags, answers[mine])
        for item, row in zip(piece, answers, strict=True):
            if item.known_as is not None:
                self._cache.put(item.known_as, row)
        pictures = 0 if isinstance(asked, Window) else len(piece)
        lane.pictures_done += len(piece)
        self._counters.done(pictures)

    def _shrink(self, key: str, lane: Lane, size: int, message: str) -> None:
        """Halve the limit after a batch of `size` did not fit, or unload another model where one picture did not.

        Raises DeviceLostError if there is nothing left to do.
        """
        assert lane.model is not None
        if size == 1 and lane.limit == 1 and self.make_room(key):
            return
        if size == 1 and lane.limit == 1:
            raise DeviceLostError(f"out of memory for a single picture of model {key}: {message}")
        if lane.limit < lane.ceiling:
            lane.patience *= 2
        lane.limit = max(1, min(lane.limit, size) // 2)
        lane.good_batches = 0
        lane.model.release_memory()
        self._note("warning", f"model {key}: out of memory with {size} pictures; going on with {lane.limit}")

    def _grow(self, key: str, lane: Lane, size: int) -> None:
        if lane.limit >= lane.ceiling or size < lane.limit:
            return
        lane.good_batches += 1
        if lane.good_batches >= lane.patience:
            lane.good_batches = 0
            lane.limit = min(lane.ceiling, lane.limit * 2)
            self._note("info", f"model {key}: trying {lane.limit} pictures in a batch again")

    def _clean(self, lane: Lane) -> None:
        """Give back what is only cached where the device's memory fills."""
        assert lane.model is not None
        share = lane.model.usage().memory_share
        self._counters.memory_share = share or self._counters.memory_share  # one on the CPU knows nothing of the GPU
        if share > self._cleanup_threshold:
            lane.model.release_memory()
            self._counters.cleanups += 1


def _nothing_like(item: Item) -> Item:
    """Return a black picture, or silence, of the same size."""
    if isinstance(item, Window):
        return item.silent()
    return item.blank() if isinstance(item, Page) else np.zeros_like(item)
