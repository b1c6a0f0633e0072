"""A screen that asks what may take its time in a thread, and takes the answer on its own loop."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from textual import on, work
from textual.message import Message
from textual.screen import Screen

T = TypeVar("T")


class Asking(Screen[None]):
    """Nothing but `aside` may wait for the disk; the thread only posts a message."""

    class Answered(Message):
        """A thread is done, and this takes what it found."""

        def __init__(self, take: Callable[[], None]) -> None:
            super().__init__()
            self.take = take

    @work(thread=True)
    def aside(self, ask: Callable[[], T], then: Callable[[T], None]) -> None:
        """Call `ask` in a thread and, unless the screen is gone by then, `then` with its answer on the loop."""
        self.post_message(self.Answered(partial(then, ask())))

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.take()
