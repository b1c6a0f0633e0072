"""What an examination of this machine finds: frozen facts for a screen and for `vconsole doctor`."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """It works, but less well, or one thing of several does not."""
    FAULT = "fault"
    """Runs that need it fail."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; its texts come from outside."""

    group: str
    name: str
    verdict: Grade
    found: str
    fix: str = ""
    """What to do about it; empty where nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Health:
    """All that an examination has found so far, in the order in which it is shown."""

    checks: tuple[Check, ...] = ()
    looking_at: str = ""
    """What is being looked at; empty once all is done."""
    elapsed_s: float = 0.0

    def count(self, verdict: Grade) -> int:
        """Return how many checks say this."""
        return sum(check.verdict is verdict for check in self.checks)
