"""The queue of one model: which pictures are run next, and when."""

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.models.cache import Key
from pipeline.models.families.interface import Usage
from pipeline.models.speech import Heard, Window
from pipeline.models.text import Page, Pieces
from pipeline.models.turns import Demand

GROW_AFTER_BATCHES = 64
"""Full batches without trouble after which a halved batch is doubled again; doubled itself with every new halving."""
SUSPECT_WAIT_S = 1.0
"""How long a picture waits for others if a host died while it ran that picture by itself."""


Item = NDArray[np.uint8] | Window | Page
"""What a model is asked about: a prepared picture, a window of sound, or a picture that is to be read."""
Answers = NDArray[np.float32] | list[Heard] | list[Pieces]
"""A row or an element for each item."""
Finish = Callable[[], Answers]
"""Waits for the answers of a batch that is begun. Raises what the model raises."""


class OnDevice(Protocol):
    """What the batcher needs of any model."""

    def usage(self) -> Usage:
        """Return what it has taken of its device."""

    def release_memory(self) -> None:
        """Give cached memory back to the device."""


class Encoder(OnDevice, Protocol):
    """A model of pictures."""

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return float32 (N, D), L2-normalised."""


class Overlapping(Encoder, Protocol):
    """A model whose device computes by itself while this process goes on."""

    overlaps: bool

    def begin_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Callable[[], NDArray[np.float32]]:
        """Begin a batch, perhaps while another is under way; batches are finished in their order."""


class Listener(OnDevice, Protocol):
    """A model of speech."""

    def transcribe(self, windows: Sequence[Window]) -> list[Heard]:
        """Return what is said in each window."""


class Engine(OnDevice, Protocol):
    """What reads text."""

    def read(self, pages: Sequence[Page]) -> list[Pieces]:
        """Return the text in each picture."""


Asked = Encoder | Listener | Engine
"""Any model."""


class Receiver(Protocol):
    """Where the answer to an item goes."""

    def vectors(self, key: str, tags: Sequence[int], rows: NDArray[np.float32]) -> None:
        """Take the vectors of some pictures; must not block."""

    def heard(self, key: str, tags: Sequence[int], heard: Sequence[Heard]) -> None:
        """Take what is said in some windows; must not block."""

    def read(self, key: str, tags: Sequence[int], read: Sequence[Pieces]) -> None:
        """Take the text of some pictures; must not block."""

    def trying(self, key: str, tag: int) -> None:
        """Take the news that a picture is now run by itself, since a host died that had it; must not block."""

    def failed(self, key: str, tags: Sequence[int], message: str) -> None:
        """Take the news that some pictures cannot be embedded; must not block."""


@dataclass(slots=True, eq=False)
class Waiting:
    """One picture or window of sound that waits for its batch."""

    receiver: Receiver
    tag: int
    asked: Item
    arrived_s: float
    resent: bool = False
    """Whether a host died that had it: it is run by itself, which costs less than another start to halve the batch."""
    suspicion: int = 0
    """Hosts that died while they ran it by itself: others have their turn before it."""
    known_as: Key | None = None
    """What its vector is to be held under, None if it is not."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is answered by a model at once, between two batches."""

    answer: Callable[[], None]
    refused: Callable[[str], None]
    asked_s: float


@dataclass(slots=True)
class Lane:
    """The items that wait for one model, the batch size it can bear, and what it has done."""

    limit: int
    """Most pictures in a batch now."""
    ceiling: int
    """What `limit` grows to again after an out-of-memory."""
    model: Asked | None = None
    queue: deque[Waiting] = field(default_factory=deque)
    suspects: deque[Waiting] = field(default_factory=deque)
    proven: bool = False
    """Whether this process has run anything: only then can a picture be to blame for what happens."""
    good_batches: int = 0
    patience: int = GROW_AFTER_BATCHES
    pictures_done: int = 0
    questions: deque[Question] = field(default_factory=deque)
    """Those that came while the model was not loaded."""
    leaving: bool = False
    """Whether no batch is begun any more, since another model is to take its place."""
    used_s: float = 0.0
    """When its last batch was over."""
    copied_s: float = 0.0
    """What the models that were unloaded had spent bringing pictures to the device."""

    @property
    def serves(self) -> bool:
        """Whether batches are run."""
        return self.model is not None and not self.leaving

    def rest(self) -> None:
        """Let go of the model; what is asked waits until it is loaded again."""
        if self.model is not None:
            self.copied_s += self.model.usage().copied_s
        self.model, self.leaving = None, False

    def demand(self) -> Demand:
        """Return since when what is asked waits."""
        since = [self.oldest_s()] if len(self) else []
        since += [self.questions[0].asked_s] if self.questions else []
        return Demand(min(since, default=None), self.used_s)

    def begin(self, items: Sequence[Item]) -> Finish:
        """Begin a batch, as far as the model, which must be loaded, does anything by itself. Raises what it raises."""
        model: Any = self.model
        if isinstance(items[0], Window):
            return partial(model.transcribe, items)
        if isinstance(items[0], Page):
            return partial(model.read, items)
        if self.overlaps:
            begun: Finish = model.begin_pictures(items)
            return begun
        return partial(model.encode_pictures, items)

    @property
    def overlaps(self) -> bool:
        """Whether a batch can be begun while another is under way."""
        return bool(getattr(self.model, "overlaps", False))

    def suspects_next(self, now_s: float) -> bool:
        """Return whether the next batch is one picture by itself, since a host died that had it."""
        return not self.queue or self.queue[0].resent or self._suspect_due_in(now_s) <= 0

    def __len__(self) -> int:
        return len(self.queue) + len(self.suspects)

    def add(self, item: Waiting) -> None:
        """Queue a picture."""
        (self.suspects if item.suspicion else self.queue).append(item)

    def drop(self, receiver: Receiver) -> list[Waiting]:
        """Forget the pictures of a receiver and return them."""
        gone = [item for item in (*self.queue, *self.suspects) if item.receiver is receiver]
        self.queue = deque(item for item in self.queue if item.receiver is not receiver)
        self.suspects = deque(item for item in self.suspects if item.receiver is not receiver)
        return gone

    def take_all(self) -> list[Waiting]:
        """Take every picture."""
        taken = [*self.queue, *self.suspects]
        self.queue.clear()
        self.suspects.clear()
        return taken

    def take_batch(self) -> list[Waiting]:
        """Take as many pictures as fit, or one by itself if a host has died that had it."""
        if not self.queue or self._suspect_due_in(time.monotonic()) <= 0:
            return [self.suspects.popleft()]
        if self.queue[0].resent:
            return [self.queue.popleft()]
        fresh = itertools.takewhile(lambda item: not item.resent, itertools.islice(self.queue, self.limit))
        return [self.queue.popleft() for _ in list(fresh)]

    def due_in(self, now_s: float, max_wait_s: float) -> float:
        """Return the seconds until a batch is to be run; there must be a picture."""
        if len(self.queue) >= self.limit or (self.queue and self.queue[0].resent):
            return 0.0
        batch_s = self.queue[0].arrived_s + max_wait_s - now_s if self.queue else math.inf
        return max(0.0, min(batch_s, self._suspect_due_in(now_s)))

    def oldest_s(self) -> float:
        """Return when the picture came that has waited longest; there must be one."""
        return min(queue[0].arrived_s for queue in (self.queue, self.suspects) if queue)

    def _suspect_due_in(self, now_s: float) -> float:
        return self.suspects[0].arrived_s + SUSPECT_WAIT_S - now_s if self.suspects else math.inf
