"""Gathers pictures and windows of sound from all connections into batches, and runs one after another."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.models.cache import VectorCache, picture_key
from pipeline.models.faults import Fault, fault_of
from pipeline.models.lane import Answers, Asked, Finish, Item, Lane, Question, Receiver, Waiting
from pipeline.models.speech import Window
from pipeline.models.text import Page
from pipeline.models.turns import Demand


class DeviceLostError(Exception):
    """The device is unusable for this process: the process must end and be started again."""


@dataclass(slots=True)
class _Batch:
    """Items of one model that are next."""

    key: str
    lane: Lane
    items: list[Waiting]
    finish: Finish | None = None
    """What waits for their answers, None if nothing is begun."""


@dataclass(slots=True)
class Counters:
    """What the batcher has done and holds; read by the statistics."""

    pictures_done: int = 0
    batches_done: int = 0
    busy_s: float = 0.0
    queue_pictures: int = 0
    queue_bytes: int = 0
    memory_share: float = 0.0
    """Share of the device's memory that was taken after the last batch."""
    cleanups: int = 0
    """How often cached memory was given back because of `host.cleanup_threshold`."""
    serving: int = 0
    """Batches that run now, and `serving_since_s` the time up to which their time, counted once, is in `busy_s`."""
    serving_since_s: float = 0.0


class Batcher:
    """Batches across connections, a lane for each model key; `run` is the only thread that touches the device.

    A batch is closed when it is full or `max_wait_s` after its first picture came. `note` is told of every change.
    Where the device computes by itself, the next batch is begun before this one is waited for. What fails so early is
    tried again when its turn has come and nothing else is under way: then it is known which batch is concerned.
    Where more than `cleanup_threshold` of the device's memory is taken after a batch, what is only cached is given
    back. A picture whose vector is in the cache is answered at once; `cache_bytes` bounds it, 0 = there is none.
    """

    def __init__(
        self,
        batch_size: int,
        max_wait_s: float,
        note: Callable[[str, str], None],
        *,
        cleanup_threshold: float = 1.0,
        cache_bytes: int = 0,
        text: "Batcher | None" = None,
    ) -> None:
        """`text` batches what is to be read, by a thread of its own: on the CPU that would hold up a GPU."""
        self._text = text
        self.counters: Counters = text.counters if text else Counters()
        self.cache = VectorCache(cache_bytes)
        self._caching = cache_bytes > 0
        self._cleanup_threshold = cleanup_threshold
        self._batch_size = batch_size
        self._max_wait_s = max_wait_s
        self._note = note
        self._lanes: dict[str, Lane] = {}
        self._questions: deque[tuple[str, Question]] = deque()
        self._at_work: set[str] = set()
        """The models that run something now."""
        self._runner = 0
        self.make_room: Callable[[str], bool] = lambda key: False
        """Asked to unload another model where a single picture of one does not fit; tells whether it did."""
        self._wake: threading.Condition = text._wake if text else threading.Condition()
        self._closed = False
        self._ahead: _Batch | None = None
        self._began_s: float | None = None

    @property
    def batch_size(self) -> int:
        """The smallest batch size now in force."""
        with self._wake:
            return min((lane.limit for lane in self._lanes.values()), default=self._batch_size)

    def busy_for_s(self) -> float:
        """Return for how many seconds the forward pass at hand has been running, 0 if there is none."""
        began = self._began_s
        mine_s = time.monotonic() - began if began is not None else 0.0
        return max(mine_s, self._text.busy_for_s() if self._text else 0.0)

    def lanes(self) -> dict[str, tuple[int, int]]:
        """Return by model key the batch size in force and the pictures done."""
        with self._wake:
            mine = {key: (lane.limit, lane.pictures_done) for key, lane in self._lanes.items()}
            return mine | (self._text.lanes() if self._text else {})

    def copied_s(self) -> float:
        """Return the seconds that all models have spent bringing pictures to the device."""
        with self._wake:
            models = [lane.model for lane in self._lanes.values() if lane.model]
            before_s = sum(lane.copied_s for lane in self._lanes.values())
        return before_s + sum(model.usage().copied_s for model in models)

    def demands(self) -> dict[str, Demand]:
        """Return by model key what is asked of it, loaded or not."""
        with self._wake:
            return {key: lane.demand() for key, lane in self._lanes.items()}

    def add(self, key: str, item: Waiting) -> None:
        """Answer a picture that was asked before, or queue it; it waits until its model is loaded."""
        if self._text and isinstance(item.asked, Page):
            self._text.add(key, item)
            return
        if self._caching and isinstance(item.asked, np.ndarray):
            item.known_as = picture_key(key, item.asked)
            row = self.cache.get(item.known_as)
            if row is not None:
                item.receiver.vectors(key, [item.tag], row[None])
                return
        with self._wake:
            self._lane(key).add(item)
            self.counters.queue_pictures += 1
            self.counters.queue_bytes += item.asked.nbytes
            self._wake.notify_all()

    def ask(self, key: str, answer: Callable[[], None], refused: Callable[[str], None]) -> None:
        """Run `answer` between two batches, on the thread that owns the device, once the model of `key` is loaded."""
        with self._wake:
            lane, question = self._lane(key), Question(answer, refused, time.monotonic())
            if lane.serves:
                self._questions.append((key, question))
            else:
                lane.questions.append(question)
            self._wake.notify_all()

    def loaded(self, key: str, model: Asked, batch_size: int = 0, *, reads: bool = False) -> None:
        """Say that the model of `key` can be used, and with how many pictures in a batch; 0 = as many as usual."""
        if self._text and reads:
            self._text.loaded(key, model, batch_size)
            return
        with self._wake:
            lane = self._lane(key)
            lane.model = model
            if batch_size:
                lane.limit = lane.ceiling = batch_size
            self._questions.extend((key, question) for question in lane.questions)
            lane.questions.clear()
            self._wake.notify_all()

    def unload(self, key: str) -> None:
        """Let go of the model of `key` once it runs nothing; what is asked of it waits until it is loaded again."""
        with self._wake:
            lane, ahead = self._lane(key), self._ahead
            lane.leaving = True
            lane.questions.extend(question for other, question in self._questions if other == key)
            self._questions = deque(asked for asked in self._questions if asked[0] != key)
            if ahead and ahead.key == key and threading.get_ident() == self._runner:
                lane.queue.extendleft(reversed(ahead.items))
                self.counters.queue_pictures += len(ahead.items)
                self.counters.queue_bytes += sum(item.asked.nbytes for item in ahead.items)
                self._ahead = None  # whoever runs it is here and waits for room
            self._wake.wait_for(lambda: key not in self._at_work and (not self._ahead or self._ahead.key != key))
            lane.rest()

    def refuse(self, key: str, message: str) -> None:
        """Answer all that waits for the model of `key`, which cannot be loaded, with `message`."""
        with self._wake:
            lanes = [one._lanes[key] for one in (self, self._text) if one and key in one._lanes]
            waiting = self._taken([item for lane in lanes for item in lane.take_all()])
            questions = [question for lane in lanes for question in lane.questions]
            for lane in lanes:
                lane.questions.clear()
        for item in waiting:
            item.receiver.failed(key, [item.tag], message)
        for question in questions:
            question.refused(message)

    def drop(self, receiver: Receiver) -> None:
        """Forget the pictures of a connection that is gone."""
        with self._wake:
            for lane in (*self._lanes.values(), *(self._text._lanes.values() if self._text else ())):
                self._taken(lane.drop(receiver))

    def close(self) -> None:
        """Let `run` return after the batch at hand."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()

    def run(self) -> None:
        """Serve until `close`. Raises DeviceLostError when the process must be started again."""
        while True:
            with self._wake:
                while not (self._closed or self._questions or self._ahead) and (pause := self._pause()) != 0:
                    self._wake.wait(pause)
                if self._closed:
                    return
                self._runner = threading.get_ident()
                batch, self._ahead = self._ahead, None
                key, question = self._questions.popleft() if self._questions and not batch else ("", None)
                if not question and not batch:
                    batch = self._take()
                key = batch.key if batch else key
                self._at_work.add(key)
            if question:
                question.answer()
            elif batch:
                with self._busy():
                    self._serve(batch)
            with self._wake:
                self._lane(key).used_s = time.monotonic()
                self._at_work.discard(key)
                self._wake.notify_all()

    def _take(self) -> _Batch:
        key = self._oldest_ready()
        return _Batch(key, self._lanes[key], self._taken(self._lanes[key].take_batch()))

    def _begin_next(self) -> None:
        """Begin the batch whose turn is next, if its device computes by itself and nothing else is to be done first."""
        with self._wake:
            if self._ahead or self._questions or not self._due():
                return
            lane = self._lanes[self._oldest_ready()]
            if not lane.overlaps or lane.suspects_next(time.monotonic()):
                return
            batch = self._ahead = self._take()
        with contextlib.suppress(Exception):
            batch.finish = batch.lane.begin([item.asked for item in batch.items])

    def _lane(self, key: str) -> Lane:
        return self._lanes.setdefault(key, Lane(self._batch_size, self._batch_size))

    def _taken(self, taken: list[Waiting]) -> list[Waiting]:
        self.counters.queue_pictures -= len(taken)
        self.counters.queue_bytes -= sum(item.asked.nbytes for item in taken)
        return taken

    def _ready(self) -> list[str]:
        return [key for key, lane in self._lanes.items() if len(lane) and lane.serves]

    def _oldest_ready(self) -> str:
        return min(self._due(), key=lambda key: self._lanes[key].oldest_s())

    def _due(self) -> list[str]:
        now = time.monotonic()
        return [key for key in self._ready() if self._lanes[key].due_in(now, self._max_wait_s) <= 0]

    def _pause(self) -> float | None:
        """Return how long to wait for the next batch: 0 = one is due, None = until something comes."""
        now = time.monotonic()
        return min((self._lanes[key].due_in(now, self._max_wait_s) for key in self._ready()), default=None)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Count the time of the block as busy."""
        counters = self.counters
        with self._wake:
            counters.serving += 1
            if counters.serving == 1:
                counters.serving_since_s = time.monotonic()
        try:
            yield
        finally:
            with self._wake:
                now = time.monotonic()
                counters.busy_s += now - counters.serving_since_s
                counters.serving_since_s = now
                counters.serving -= 1

    def _serve(self, batch: _Batch) -> None:
        """Run one batch, smaller ones after an out-of-memory, halves after another failure."""
        key, lane, finish, pieces = batch.key, batch.lane, batch.finish, [batch.items]
        while pieces:
            piece = pieces.pop()
            if len(piece) > lane.limit and not finish:
                pieces += [piece[lane.limit :], piece[: lane.limit]]
                continue
            if piece[0].resent:
                self._try_alone(key, lane, piece[0])
            rows, fault, message = self._attempt(lane, [item.asked for item in piece], finish, alone=piece[0].resent)
            finish = None
            if rows is not None:
                lane.proven = True
                self._deliver(key, lane, piece, rows)
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

    def _clean(self, lane: Lane) -> None:
        """Give back what is only cached where the device's memory fills."""
        assert lane.model is not None
        self.counters.memory_share = lane.model.usage().memory_share
        if self.counters.memory_share > self._cleanup_threshold:
            lane.model.release_memory()
            self.counters.cleanups += 1

    def _try_alone(self, key: str, lane: Lane, item: Waiting) -> None:
        """Say that a picture is on trial, in a process that is known to work. Raises DeviceLostError."""
        if not lane.proven:
            rows, fault, message = self._attempt(lane, [_nothing_like(item.asked)], alone=True)
            if fault is Fault.DEVICE:
                raise DeviceLostError(message)
            lane.proven = rows is not None
            self.counters.batches_done += lane.proven
        item.receiver.trying(key, item.tag)

    def _attempt(
        self, lane: Lane, items: list[Item], finish: Finish | None = None, *, alone: bool
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
                self.cache.put(item.known_as, row)
        with self._wake:
            if not isinstance(asked, Window):
                lane.pictures_done += len(piece)
                self.counters.pictures_done += len(piece)
            self.counters.batches_done += 1

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


def _nothing_like(item: Item) -> Item:
    """Return a black picture, or silence, of the same size."""
    if isinstance(item, Window):
        return item.silent()
    return item.blank() if isinstance(item, Page) else np.zeros_like(item)
