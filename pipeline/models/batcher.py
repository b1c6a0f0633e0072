"""Gathers what all connections ask of some models into batches, and runs one after another on one thread."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from pipeline.models.cache import VectorCache, picture_key
from pipeline.models.counters import Counters
from pipeline.models.lane import Asked, Lane, Question, Receiver, Waiting
from pipeline.models.serving import Batch, Serving
from pipeline.models.turns import Demand


class Batcher:
    """Batches across connections, a lane for each model key; `run` is the only thread that touches the device.

    A batch is closed when it is full or `max_wait_s` after its first picture came. `note` is told of every change.
    Where the device computes by itself, the next batch is begun before this one is waited for. What fails so early is
    tried again when its turn has come and nothing else is under way: then it is known which batch is concerned.
    A picture whose vector is in the cache is answered at once; `cache_bytes` bounds it, 0 = there is none.
    """

    def __init__(
        self,
        batch_size: int,
        max_wait_s: float,
        note: Callable[[str, str], None],
        *,
        cleanup_threshold: float = 1.0,
        cache_bytes: int = 0,
        counters: Counters | None = None,
    ) -> None:
        """`counters` are shared with the other batchers of the host, None if there are none."""
        self.counters = counters or Counters()
        self.cache = VectorCache(cache_bytes)
        self._caching = cache_bytes > 0
        self.serving = Serving(self.counters, self.cache, note, cleanup_threshold, self._begin_next)
        self._batch_size = batch_size
        self._max_wait_s = max_wait_s
        self._lanes: dict[str, Lane] = {}
        self._questions: deque[tuple[str, Question]] = deque()
        self._at_work: set[str] = set()
        """The models that run something now."""
        self._runner = 0
        self._wake = threading.Condition()
        self._closed = False
        self._ahead: Batch | None = None

    @property
    def batch_size(self) -> int:
        """The smallest batch size now in force."""
        with self._wake:
            return min((lane.limit for lane in self._lanes.values()), default=self._batch_size)

    def busy_for_s(self) -> float:
        """Return for how many seconds the forward pass at hand has been running, 0 if there is none."""
        return self.serving.busy_for_s()

    def lanes(self) -> dict[str, tuple[int, int]]:
        """Return by model key the batch size in force and the pictures done."""
        with self._wake:
            return {key: (lane.limit, lane.pictures_done) for key, lane in self._lanes.items()}

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
        if self._caching and isinstance(item.asked, np.ndarray):
            item.known_as = picture_key(key, item.asked)
            row = self.cache.get(item.known_as)
            if row is not None:
                item.receiver.vectors(key, [item.tag], row[None])
                return
        with self._wake:
            self._lane(key).add(item)
            self.counters.queued([item])
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

    def loaded(self, key: str, model: Asked, batch_size: int = 0) -> None:
        """Say that the model of `key` can be used, and with how many pictures in a batch; 0 = as many as usual."""
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
                self.counters.queued(ahead.items)
                self._ahead = None  # whoever runs it is here and waits for room
            self._wake.wait_for(lambda: key not in self._at_work and (not self._ahead or self._ahead.key != key))
            lane.rest()

    def refuse(self, key: str, message: str) -> None:
        """Answer all that waits for the model of `key`, which cannot be loaded, with `message`."""
        with self._wake:
            lane = self._lanes.get(key)
            if lane is None:
                return
            waiting = lane.take_all()
            self.counters.taken(waiting)
            questions = [*lane.questions]
            lane.questions.clear()
        for item in waiting:
            item.receiver.failed(key, [item.tag], message)
        for question in questions:
            question.refused(message)

    def drop(self, receiver: Receiver) -> None:
        """Forget the pictures of a connection that is gone."""
        with self._wake:
            for lane in self._lanes.values():
                self.counters.taken(lane.drop(receiver))

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
                with self.counters.busy():
                    self.serving.serve(batch)
            with self._wake:
                self._lane(key).used_s = time.monotonic()
                self._at_work.discard(key)
                self._wake.notify_all()

    def _take(self) -> Batch:
        key = self._oldest_ready()
        batch = Batch(key, self._lanes[key], self._lanes[key].take_batch())
        self.counters.taken(batch.items)
        return batch

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
