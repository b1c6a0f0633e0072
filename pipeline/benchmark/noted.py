"""A subject of which there is more to tell than times."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.benchmark.measure import Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Opened):
    """An opened subject with sentences about what its calls did."""

    notes: Callable[[], list[str]]
    """Returns the sentences; asked once the calls are over."""
    copied: Callable[[], int] = int
    """Returns how many items of the last call were copied, and not decoded."""
