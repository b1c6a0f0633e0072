"""Has many feature files read by a bounded number of child programs, so that a file that crashes one costs only itself.

HDF5 lets one thread at a time into its library, so threads would not do.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipeline.analysis.reader import Answer
from pipeline.engine.tuning import cores
from pipeline.errors import VconsoleError
from pipeline.worker import ONE_THREAD

BATCH = 16
"""Files a child is asked for at once."""
MOST_READERS = 16
"""Children at most where the settings say `auto`."""
END_S = 5.0
STARTS = 3
"""How often a child is started that a signal ends before it begins: what is killed from outside says nothing."""


@dataclass(frozen=True, slots=True)
class Item:
    """One feature file, and what is handed along with it."""

    path: bytes
    extra: Any = None


def reader_count(workers: str | int) -> int:
    """Return how many children read: as the setting says, or one a core."""
    return min(cores(), MOST_READERS) if workers == "auto" else int(workers)


def read_all(
    task: str, arguments: Mapping[str, Any], items: Iterable[Item], readers: int
) -> Iterator[tuple[Item, Answer]]:
    """Yield each item with what `task` made of it, as they come; a file that cannot be read has a `problem` there.

    Raises VconsoleError if no child program can be started.
    """
    work = _Work(json.dumps({"task": task, "arguments": arguments}), list(items))
    threads = [threading.Thread(target=work.serve, name="readers", daemon=True) for _ in range(readers)]
    for thread in threads:
        thread.start()
    try:
        serving = len(threads)
        while serving:
            found = work.found.get()
            if found is None:
                serving -= 1
            elif isinstance(found, VconsoleError):
                raise found
            else:
                yield from found
    finally:
        work.stop()
        while any(thread.is_alive() for thread in threads):
            with suppress(queue.Empty):
                work.found.get(timeout=0.05)


class _EndedError(Exception):
    """A child ended before it answered."""


class _Work:
    """The batches that are left, and the children at work on some."""

    def __init__(self, order: str, items: Sequence[Item]) -> None:
        self._order = order
        self._left = deque(items[first : first + BATCH] for first in range(0, len(items), BATCH))
        self._lock = threading.Lock()
        self._children: set[_Child] = set()
        self._stopped = False
        self.found: queue.Queue[list[tuple[Item, Answer]] | VconsoleError | None] = queue.Queue(64)
        """Answers, an error that ends all, and None from each thread that is over; bounded, so readers wait."""

    def serve(self) -> None:
        """Have batch after batch read by a child, and by a new one where one ended."""
        child: _Child | None = None
        try:
            while batch := self._next():
                try:
                    child = child or self._started()
                    self.found.put(list(zip(batch, child.ask(batch), strict=True)))
                except _EndedError as error:
                    self._ended(child)
                    child = None
                    if len(batch) == 1:
                        self.found.put([(batch[0], {"problem": f"the program that read it {error}"})])
                    else:
                        with self._lock:
                            self._left.extendleft([item] for item in reversed(batch))
        except VconsoleError as error:
            self.found.put(error)
        finally:
            self._ended(child)
            self.found.put(None)

    def stop(self) -> None:
        """End the children, whatever they do."""
        with self._lock:
            self._stopped = True
            for child in self._children:
                child.process.kill()

    def _next(self) -> Sequence[Item]:
        with self._lock:
            return self._left.popleft() if self._left and not self._stopped else ()

    def _started(self, starts_left: int = STARTS) -> "_Child":
        with self._lock:
            if self._stopped:
                raise _EndedError("was stopped")
            child = _Child()
            self._children.add(child)
        try:
            child.begin(self._order)
        except _EndedError as error:
            self._ended(child)
            if self._stopped:
                raise
            if child.process.returncode < 0 and starts_left > 1:
                return self._started(starts_left - 1)
            raise VconsoleError(f"the program that reads feature files {error} before it began") from error
        return child

    def _ended(self, child: "_Child | None") -> None:
        if child is not None:
            child.close()
            with self._lock:
                self._children.discard(child)


class _Child:
    """One child program."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline.analysis.reader"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
        )  # fmt: skip

    def begin(self, order: str) -> None:
        """Say what to do. Raises _EndedError."""
        self._put(order)

    def ask(self, batch: Sequence[Item]) -> list[Answer]:
        """Return the answers of a batch. Raises _EndedError."""
        items = [{"path": os.fsdecode(item.path), "with": item.extra} for item in batch]
        answers: list[Answer] = self._put(json.dumps(items))
        return answers

    def close(self) -> None:
        """Close its input, which ends it, and make sure that it does."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def _put(self, line: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(line.encode("ascii") + b"\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = b""
        if not answer.endswith(b"\n"):
            raise _EndedError(f"ended ({self.process.wait()})")
        return json.loads(answer)
