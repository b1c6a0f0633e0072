"""Worker programs that are not there: children of the real pool that behave as each video's nature says."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline import wire
from pipeline.engine.child import Death
from pipeline.errors import WireError
from pipeline.model import FailureClass
from pipeline.worker import Inbox

GOOD = "good"
NATURES: dict[str, float] = {
    GOOD: 40,
    "partial": 3,
    "skipped": 3,
    "slow": 4,
    "late": 3,
    "twice": 3,
    "flaky": 6,
    "crash": 2,
    "crash once": 3,
    "exit0": 1,
    "stall": 1,
    "stall once": 2,
    "changed": 3,
    "changed always": 1,
    "together": 2,
    "memory": 1,
    "model": 3,
    "garbage": 1,
    "garbage once": 2,
    "no result": 1,
    "endless": 1,
    "grows": 2,
    **{str(failure): 0.7 for failure in FailureClass if failure is not FailureClass.DISK_FULL},
}
"""What a video does to its worker, and how often such a one is found."""
INNOCENT = frozenset({GOOD, "slow", "late", "twice"})
"""Natures of videos that are done whenever they are let."""
FLAKY = (FailureClass.IO, FailureClass.PROTOCOL, FailureClass.MODEL, FailureClass.STALLED)


class Surroundings(Protocol):
    """What a child must know of the simulated world."""

    chance: Any
    faults: Any

    def soon(self, delay_s: float, kind: str, act: Callable[[], None]) -> None: ...

    def said(self, kind: str, detail: object = "") -> None: ...

    def nature(self, name: str) -> str: ...

    def tries(self, name: str) -> int: ...

    def hit(self, name: str) -> None: ...

    def done(self, token: str) -> None: ...

    def busy_children(self) -> int: ...

    def job_sent(self, child: "SimChild", job: wire.Message) -> None: ...


@dataclass(slots=True)
class _Say:
    message: wire.Message


class SimChild:
    """Has the methods of `pipeline.engine.child.Child` that the pool uses."""

    def __init__(
        self,
        world: Surroundings,
        pid: int,
        on_message: Callable[[wire.Message], None],
        on_end: Callable[[Death], None],
    ) -> None:
        self.pid = pid
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.job: wire.Message | None = None
        """The job that it works on."""
        self._world = world
        self._on_message = on_message
        self._on_end = on_end
        self._inbox = Inbox()
        self._out: deque[_Say | Death] = deque()
        self._delivering = False
        self.dead = False
        self._hung_up = False
        self._last_token = "none"
        self._leaked_gb = 0.1

    def begin(self, *, dies: bool, hangs: bool) -> None:
        """Start: `dies` at import, or `hangs` there."""
        if dies:
            self._world.soon(self._world.chance.uniform(0, 1), "dies at start", lambda: self.die(1, "", "ImportError"))
        elif not hangs:
            self._world.soon(self._world.chance.uniform(0, 1), "child starts", self._serve)

    def send(self, message: wire.Message) -> None:
        if self.dead or self._hung_up:
            return
        self._inbox.take(message)
        if message["type"] == "job":
            self._world.job_sent(self, message)
            if self.job is None:
                self._world.soon(0.001, "child takes", self._take)

    def rss_bytes(self) -> int:
        grown = self.job is not None and self._world.nature(self.job["relative"]) == "grows"
        return int(1e9 * (self._leaked_gb + 3 * grown))

    def hang_up(self) -> None:
        if not self._hung_up and not self.dead:
            self._hung_up = True
            self._out.clear()
            self._world.soon(
                self._world.chance.uniform(0, 0.2), "child leaves", lambda: self.die(0, "", "", clear=True)
            )

    def kill(self) -> None:
        self.die(-9, "SIGKILL", "")

    def die(self, code: int, signal_name: str, said: str, *, broken: str = "", clear: bool = False) -> None:
        """End; what was said before is still heard."""
        if self.dead:
            return
        self.dead = True
        if clear:
            self._out.clear()
        self._put(Death(code, signal_name, broken, said))

    @property
    def held(self) -> int:
        """How many jobs it has: the one it works on and those ahead."""
        return self._inbox.jobs.qsize() + (self.job is not None)

    def _serve(self) -> None:
        if not self.dead:
            self._put(_Say({"type": "ready", "pid": self.pid}))

    def _put(self, item: _Say | Death) -> None:
        self._out.append(item)
        if not self._delivering:
            self._delivering = True
            self._world.soon(self._world.chance.choice((0, 0.001, 0.01, 0.1)), "socket", self._deliver)

    def _deliver(self) -> None:
        self._delivering = False
        if not self._out:
            return
        item = self._out.popleft()
        if isinstance(item, Death):
            self._world.said(f"end {item}")
            self.ended.set_result(None)
            self._on_end(item)
            return
        if not self._hung_up:
            self._hear(item)
        if self._out and not self._delivering:
            self._delivering = True
            self._world.soon(self._world.chance.choice((0, 0, 0.001, 0.01)), "socket", self._deliver)

    def _hear(self, item: _Say) -> None:
        kind = str(item.message.get("type"))
        self._world.said(f"told {kind} {item.message.get('outcome', '')}".strip(), item.message.get("job_id", ""))
        try:
            self._on_message(item.message)
        except (WireError, KeyError, TypeError, ValueError) as error:
            self._out.clear()
            self.dead = True
            self._out.append(Death(-9, "SIGKILL", str(error), ""))

    def _take(self) -> None:
        """Go on with the next job that was sent, as the worker program does."""
        if self.dead or self.job is not None or self._inbox.jobs.empty():
            return
        lease = self._inbox.jobs.get_nowait()
        assert self._inbox.run_of(lease) is not None, "a job of a run that was never announced"
        self.job = lease.message
        self._play(self._script(lease.message, lambda: self._inbox.wanted_back(lease)))

    def _play(self, script: Iterator[float | None]) -> None:
        if self.dead:
            return
        delay_s = next(script, -1.0)
        if delay_s is None:
            return  # says nothing more: the watchdog must find it
        if delay_s >= 0:
            self._world.soon(delay_s, "child works", lambda: self._play(script))
            return
        self.job = None
        self._leaked_gb += 0.15
        self._take()

    def _script(self, job: wire.Message, wanted_back: Callable[[], bool]) -> Iterator[float | None]:
        chance, world = self._world.chance, self._world
        name, token = job["relative"], job["token"]
        nature, tries = world.nature(name), world.tries(name)
        if wanted_back():
            self._finish(job, "stopped")
            return
        if nature == "stall" or (nature == "stall once" and tries == 1):
            yield None
        for look in range(looks := _looks(nature, chance)):
            yield chance.uniform(1, 8) if nature in {"slow", "endless"} else chance.uniform(0.01, 1)
            if wanted_back():
                self._finish(job, "stopped")
                return
            self._progress(job, (look + 1) / (looks + 1))
        yield chance.uniform(0.001, 0.04)
        if failure := self._hit():
            world.hit(name)
            self._fail(job, failure)
        elif nature in {"crash", "exit0"} or (nature == "crash once" and tries == 1):
            self.die(*((0, "", "") if nature == "exit0" else (-11, "SIGSEGV", "Fatal Python error")))
            return
        else:
            self._answer(job, nature, tries)
        self._last_token = token

    def _hit(self) -> FailureClass | None:
        faults, chance = self._world.faults, self._world.chance
        if faults.disk_full and chance.random() < 0.7:
            return FailureClass.DISK_FULL
        if faults.input_gone and chance.random() < 0.7:
            return FailureClass.IO
        return FailureClass.OUT_OF_MEMORY if faults.memory_short and chance.random() < 0.5 else None

    def _answer(self, job: wire.Message, nature: str, tries: int) -> None:
        world = self._world
        if nature in {"partial", "skipped"}:
            self._finish(job, nature)
        elif nature == "late":
            self._finish(job | {"token": self._last_token}, "done")
            self._finish(job, "done")
        elif nature == "twice":
            self._finish(job, "done")
            self._finish(job, "done")
        elif nature == "flaky" and tries <= 2:
            self._fail(job, FLAKY[tries % len(FLAKY)])
        elif nature == "changed always" or (nature == "changed" and tries <= 1):
            self._fail(job, FailureClass.CHANGED)
        elif nature == "memory" or (nature == "together" and world.busy_children() > 1):
            self._fail(job, FailureClass.OUT_OF_MEMORY)
        elif nature == "model" and not world.faults.host_up:
            self._fail(job, FailureClass.MODEL)
        elif nature == "garbage" or (nature == "garbage once" and tries == 1):
            self._put(_Say({"type": "progress", "token": job["token"], "stage": "nonsense"}))
        elif nature == "no result":
            self._put(_Say({"type": "finished", "token": job["token"], "outcome": "done", "result": {}}))
        elif nature in set(FailureClass):
            self._fail(job, FailureClass(nature))
        else:
            self._finish(job, "done")

    def _progress(self, job: wire.Message, share: float) -> None:
        numbers = {"share": share, "video_s": share * 10, "frames": int(share * 100), "bytes_read": 0, "rss_bytes": 1}
        told = {"type": "progress", "job_id": job["job_id"], "token": job["token"], "stage": "scenes"}
        self._put(_Say({**told, **numbers, "waiting": "", "duration_s": 10.0}))

    def _fail(self, job: wire.Message, failure: FailureClass) -> None:
        told = {"class": str(failure), "message": f"it is {failure}", "stage": "scenes", "detail": ""}
        self._finish(job, "failed", failure=told)

    def _finish(self, job: wire.Message, outcome: str, failure: dict[str, Any] | None = None) -> None:
        whole = outcome in {"done", "partial"}
        result = {"duration_s": 10.0, "width": 64, "height": 64} if whole else {}
        if whole and job is self.job:
            self._world.done(job["token"])
        if whole:
            output = {"output": f"features/{job['relative']}.h5", "output_bytes": 1, "output_sha256": "0" * 64}
            result |= output | {"output_mtime_ns": 1, "content_id": job["content_id"], "stage_keys": {}}
        head = {"type": "finished", "job_id": job["job_id"], "token": job["token"], "outcome": outcome}
        self._put(_Say({**head, "result": result, "failure": failure}))


def _looks(nature: str, chance: Any) -> int:
    """Return how often a child tells of progress before a video is over."""
    if nature in {"slow", "endless"}:
        return int(chance.randrange(6, 20) if nature == "slow" else chance.randrange(40, 80))
    return int(chance.choice((0, 0, 0, 1, 3)))


def name_of(relative: bytes) -> str:
    """Return a name as it is in a job message."""
    return os.fsdecode(relative)
