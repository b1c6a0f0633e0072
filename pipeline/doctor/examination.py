"""An examination: a list of looks at this machine, each in a child process, and what they found as they come in."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.doctor.children import Children
from pipeline.health import Check, Health

MOST_AT_ONCE = 4
"""Children at a time at most: one that loads torch needs half a GB."""
LOOK_UP_S = 0.5
"""How often waiting is broken off: a Ctrl+C that comes just before a wait without an end would not be heard."""


@dataclass(frozen=True, slots=True)
class Look:
    """One call of a function of `pipeline.doctor` in a child; a crash or a hang of it is a fault of this line."""

    group: str
    name: str
    function: str
    """Its name in `pipeline.doctor.child.LOOKS`."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """JSON values."""
    limit_s: float = 30.0


class Examination:
    """Carries out the looks that `plan` returns; `close` from any thread ends it and its children."""

    def __init__(self, plan: Callable[[], Sequence[Look]], known: tuple[Check, ...] = ()) -> None:
        """Begin with the checks that are `known` already; `plan` may take seconds and is called by `steps`."""
        self._plan = plan
        self._known = known
        self._children = Children()

    def steps(self) -> Iterator[Health]:
        """Yield what is found each time it is more; the last says that all is done. Blocks in between."""
        began_s = time.monotonic()
        health = Health(self._known, "this machine")
        yield health
        looks = self._plan()
        with ThreadPoolExecutor(min(MOST_AT_ONCE, max(2, os.cpu_count() or 1)), "doctor") as pool:
            try:
                futures = [pool.submit(self._children.look, look.function, look.arguments, look.limit_s,
                                       group=look.group, name=look.name) for look in looks]  # fmt: skip
                for look, future in zip(looks, futures, strict=True):
                    health = replace(health, looking_at=f"{look.group}: {look.name}")
                    yield health
                    while not wait([future], LOOK_UP_S).done:
                        pass
                    checks = (*health.checks, *future.result())
                    health = replace(health, checks=checks, elapsed_s=time.monotonic() - began_s)
            except CancelledError:
                return
            finally:
                self.close()
                pool.shutdown(cancel_futures=True)
        yield replace(health, looking_at="")

    def close(self) -> None:
        """End the children; `steps` stops where it is."""
        self._children.close()
