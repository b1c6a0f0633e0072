"""What a model host complains of: told with its death in one sentence where it dies of it, else by itself."""

from collections import deque
from collections.abc import Callable, Iterator

from pipeline.engine.child import Death

HELD_S = 2.0
"""How long an error that a host tells is held back: if the host dies of it, both are told in one sentence."""
KEPT = 8
"""Errors that are held back at once."""
MESSAGE_CHARS = 600
"""How much of an error is told with a death."""
POISONED, CANNOT_LOAD = 70, 71
"""Exit codes of a host whose device failed, and of one that can load no model."""
_CODES = {POISONED: "its device failed", CANNOT_LOAD: "a model cannot be loaded"}


class Complaints:
    """The errors of one host that are held back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._errors: deque[tuple[float, str]] = deque(maxlen=KEPT)

    def add(self, text: str) -> None:
        """Hold an error back."""
        self._errors.append((self._clock(), text))

    def due(self) -> Iterator[str]:
        """Yield the errors that the host has outlived."""
        while self._errors and self._clock() - self._errors[0][0] > HELD_S:
            yield self._errors.popleft()[1]

    def why(self, death: Death, because: str) -> str:
        """Return how a host ended and of what: the first error that it told, else its last line of standard error.

        `because` is why the engine ended it, empty if it did not.
        """
        how = because or _CODES.get(death.code, death.broken or str(death))
        told = self._errors[0][1] if self._errors else death.said.splitlines()[-1] if death.said else ""
        self._errors.clear()
        said = f": {told[:MESSAGE_CHARS].rstrip('.')}" if told else ""
        return f"ended ({how}){said}"
