"""Brings what is asked of a host to one of its two batchers: that of its device, or that of the text."""

from collections.abc import Callable

from pipeline.models.batcher import Batcher
from pipeline.models.counters import Counters
from pipeline.models.lane import Asked, Receiver, Waiting
from pipeline.models.text import Page


class Router:
    """Two batchers, each with a thread of its own: text is read on the CPU, which would hold up a GPU."""

    def __init__(
        self,
        batch_size: int,
        max_wait_s: float,
        note: Callable[[str, str], None],
        *,
        cleanup_threshold: float = 1.0,
        cache_bytes: int = 0,
    ) -> None:
        """The arguments are those of `Batcher`; only vectors are cached."""
        self.counters = Counters()
        usual = batch_size, max_wait_s, note
        self.device = Batcher(
            *usual, cleanup_threshold=cleanup_threshold, cache_bytes=cache_bytes, counters=self.counters
        )
        self.text = Batcher(*usual, cleanup_threshold=cleanup_threshold, counters=self.counters)

    def busy_for_s(self) -> float:
        """Return for how many seconds the longest forward pass has been running, 0 if there is none."""
        return max(self.device.busy_for_s(), self.text.busy_for_s())

    def lanes(self) -> dict[str, tuple[int, int]]:
        """Return by model key the batch size in force and the pictures done."""
        return self.device.lanes() | self.text.lanes()

    def add(self, key: str, item: Waiting) -> None:
        """Have an item answered; it waits until its model is loaded."""
        (self.text if isinstance(item.asked, Page) else self.device).add(key, item)

    def loaded(self, key: str, model: Asked, batch_size: int = 0, *, reads: bool = False) -> None:
        """Say that the model of `key` can be used, and with how many pictures in a batch; 0 = as many as usual."""
        (self.text if reads else self.device).loaded(key, model, batch_size)

    def refuse(self, key: str, message: str) -> None:
        """Answer all that waits for the model of `key`, which cannot be loaded, with `message`."""
        for batcher in (self.device, self.text):
            batcher.refuse(key, message)

    def drop(self, receiver: Receiver) -> None:
        """Forget the pictures of a connection that is gone."""
        for batcher in (self.device, self.text):
            batcher.drop(receiver)
