"""Answers keys one at a time: each goes to what the one before it has left on the screen and in focus.

Textual hands a key to the widget that has the focus when it arrives, though an earlier key may be on its way to move
the focus or open a screen; what is typed ahead over a slow line would go to the wrong place.
"""

import time
from collections import deque
from typing import Any

from textual import events
from textual.app import App
from textual.dom import DOMNode

_GIVE_UP_S = 0.5
"""How long a key may be answered before the next is; a widget that was removed meanwhile never says that it is done."""
_ROUNDS = 2
"""Times that the way of a key is followed: what its first answer posts travels behind it."""


class Turns:
    """Whose turn it is among the keys of an app."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._waiting: deque[events.Event] = deque()
        self._next: events.Event | None = None
        self._turn = 0
        self._since_s = 0.0
        self._answering = False

    def take(self, event: events.Event) -> bool:
        """Return whether a key or a paste is to be answered now; otherwise it is posted again when it is its turn."""
        now_s = time.monotonic()
        if self._answering and event is not self._next:
            self._waiting.append(event)
            if now_s - self._since_s > _GIVE_UP_S:
                self._done(self._turn)
            return False
        self._answering, self._next, self._since_s = True, None, now_s
        return True

    def follow(self, node: DOMNode) -> None:
        """Go the way of the key that was handed to `node`, behind it, and then let the next have its turn."""
        self._step([*node.ancestors_with_self, self._app.screen] * _ROUNDS, self._turn)

    def _step(self, way: list[DOMNode], turn: int) -> None:
        while way:
            if way.pop(0).call_later(self._step, way, turn):
                return
        self._done(turn)

    def _done(self, turn: int) -> None:
        if turn != self._turn:
            return
        self._turn += 1
        if self._waiting:
            self._next = self._waiting.popleft()
            self._since_s = time.monotonic()
            self._app.post_message(self._next)
        else:
            self._answering = False
