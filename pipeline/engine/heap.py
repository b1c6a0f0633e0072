"""Keeps a run's rows out of the garbage collector's way: they are in no cycle, and a look at a million takes long."""

import gc

LOOK_EVERY = 50_000
"""Rows made between two looks at the young objects, which then count as old for good."""


class Heap:
    """Counts the rows that a run makes, for which Python's own collections would stop every thread ever longer."""

    def __init__(self) -> None:
        gc.unfreeze()
        self._made = 0

    def made(self, rows: int) -> None:
        """Note that `rows` were made; now and then collect what is garbage and leave the rest alone from then on."""
        self._made += rows
        if self._made >= LOOK_EVERY:
            self._made = 0
            gc.collect()
            gc.freeze()
