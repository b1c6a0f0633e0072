"""Whether a model host lives, and whether what it loads gets on: a process that hangs cannot say so itself."""

from collections.abc import Callable

from pipeline import wire
from pipeline.sections import HostSettings


class Pulse:
    """When a host was last heard, and when it last told something new."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._figures: wire.Message = {}
        self.begin()

    def begin(self) -> None:
        """Expect a process that starts now."""
        self._heard_s = self._moved_s = self._looked_s = self._clock()

    def woke(self) -> None:
        """The engine stood still for long: what the host said meanwhile is still to be heard."""
        self._heard_s = self._clock()

    def heard(self, message: wire.Message) -> None:
        """Take a message: figures that do not change say that the host lives, not that a load gets on."""
        self._heard_s = self._clock()
        if message != self._figures:
            self._moved_s = self._heard_s
        if message["type"] == "stats":
            self._figures = message

    def fault(self, limits: HostSettings, *, ready: bool) -> str:
        """Return why the process is to be ended, empty if it is not; to be asked often."""
        now = self._clock()
        if now - self._looked_s > limits.silent_s / 2:  # the engine itself was stopped
            self._heard_s = self._moved_s = now
        self._looked_s = now
        if not ready and now - self._moved_s > limits.load_timeout_s:
            return "it did not get ready within host.load_timeout_s"
        if ready and now - self._heard_s > limits.silent_s:
            return "it was silent for longer than host.silent_s"
        return ""
