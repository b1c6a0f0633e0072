"""Makes very many files quickly, with the names that break programs, and watches how live an engine stays over them."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.engine import Engine

MEDIA_EVERY = 41
"""One file in so many is media for the fake worker, the others are text; odd names are among both."""
FOLDER = 500
"""Files of each of the many folders; a third of all files lies in one folder of its own."""
POLL_S = 0.01


def names(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield (path below the root, content) of `count` files; all paths are distinct, and every odd kind is there."""
    odd = (
        lambda number: (b"%d-" % number).ljust(251, b"n"),
        lambda number: b"caf\xe9-%d" % number,
        lambda number: f"caf\u00e9 {number}".encode(),
        lambda number: f"cafe\u0301 {number}".encode(),
        lambda number: b"new\nline-%d" % number,
        lambda number: b"tab\t%d" % number,
        lambda number: b"-%d" % number,
        lambda number: b"[bold]%d" % number,
    )
    twins = (2, 3)  # the two spellings of one name carry the same number
    for number in range(count):
        kind = number % 40
        made = odd[kind](number - kind % 2 if kind in twins else number) if kind < len(odd) else b"file-%d" % number
        folder = b"flat" if number % 3 == 0 or kind in twins else b"many/%d" % (number // FOLDER)
        suffix = b".txt" if number % MEDIA_EVERY else b".mp4"
        word = b"skip" if kind == 0 else b"done"  # such a name leaves no room for that of an output
        yield folder + b"/" + made + suffix, word + b"\n%d\n" % number


def make(root: bytes, count: int, *, left_s: float = 1e9) -> int:
    """Make up to `count` files below `root` within `left_s` seconds; return how many there are."""
    end, made, last = time.monotonic() + left_s, 0, b""
    for path, content in names(count):
        folder = path[: path.rindex(b"/")]
        if folder != last:
            os.makedirs(root + b"/" + folder, exist_ok=True)
            last = folder
        descriptor = os.open(root + b"/" + path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, content)
        os.close(descriptor)
        made += 1
        if made % 1000 == 0 and time.monotonic() > end:
            break
    return made


@dataclass
class Watch:
    """Polls an engine as the console does and notes how old its snapshot gets; a thread of its own."""

    engine: Engine
    gaps_s: list[float] = field(default_factory=list)
    """Time between two snapshots, as the poller met them."""
    late_s: list[float] = field(default_factory=list)
    """How much later than asked the poller woke: what a console's own loop would feel."""

    def __enter__(self) -> "Watch":
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _main(self) -> None:
        serial, seen_s = self.engine.latest().serial, time.monotonic()
        asleep_s = seen_s
        while not self._stop.wait(POLL_S):
            now = time.monotonic()
            self.late_s.append(now - asleep_s - POLL_S)
            snapshot = self.engine.latest()
            if snapshot.serial != serial:
                self.gaps_s.append(now - seen_s)
                serial, seen_s = snapshot.serial, now
            asleep_s = time.monotonic()


def share(values: list[float], part: float) -> float:
    """Return the value that `part` of `values` stay below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
