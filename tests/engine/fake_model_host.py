"""The real model host with a model that is quick, fails as told, and whose answers depend on the picture alone.

`python fake_model_host.py PLAN --fd N --nice N`: PLAN is a JSON file `{"memory_for": K, "guilty": WAY, "starts": []}`.
More than `memory_for` pictures at once are out of memory. A red picture is guilty, in one of these ways: `device` (a
CUDA error, and every later batch fails too), `segv`, `hang`; "" = it is not. Each start takes the first entry of
`starts` away, such as "kill 5": in its 5th batch this host does so (kill | stop | hang | device); "lost" = no
batch ever works. `gone` names a socket: the host there loses its device for good in its third batch. `hosts` is how
many there are: none gets on with its first batch until all have one. PLAN.SOCKET.listens and PLAN.SOCKET.works tell of
each. With `overlaps` a batch can be begun before the one before it is waited for; every other one then fails only when
it is waited for.
"""

import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stopping import end_with_parent

from pipeline.models import host, supply
from pipeline.models.families.interface import Usage
from pipeline.models.pictures import PictureSpec
from pipeline.models.report import INTERVAL_S
from pipeline.models.text import Page, Pieces
from pipeline.reading.engines import Piece

SIDE, CELLS = 16, 4
BATCH_S = 0.005
"""How long a batch takes, so that there is a middle to be hit in."""


class FakeModel:
    """A model whose vector is the mean colour of 4 x 4 parts of the picture, and which reads how bright it is."""

    def __init__(self, plan: dict[str, Any], start: str) -> None:
        self.plan = plan
        self.misdeed, _, when = start.partition(" ")
        self.when = int(when or 0)
        self.batches = 0
        self.overlaps = bool(plan.get("overlaps"))
        self.begun = 0
        self.lost = self.misdeed == "lost"
        self.gone: Path | None = None
        """What is there once the device of this host is gone for good."""
        self.works: Path | None = None
        """What is there once this host has had work."""
        self.spec = PictureSpec(
            key="tiny-shapes",
            height=SIDE,
            width=SIDE,
            resize_mode="squash",
            interpolation="bilinear",
            fill=(0, 0, 0),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            dim=CELLS * CELLS * 3,
            model="mean-colours",
            weights="none",
            weights_sha256="",
            precision="fp32",
            device="cpu",
        )

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self._misbehave(pictures)
        size = SIDE // CELLS
        cells = np.stack(pictures).reshape(-1, CELLS, size, CELLS, size, 3).mean(axis=(2, 4)).reshape(len(pictures), -1)
        return (cells / np.linalg.norm(cells, axis=1, keepdims=True)).astype(np.float32)

    def read(self, pages: Sequence[Page]) -> list[Pieces]:
        self._misbehave([page.picture for page in pages])
        return [(Piece(f"about {page.picture.mean():.0f}", 0.9, (0.0, 0.0, 1.0, 1.0)),) for page in pages]

    def _misbehave(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self.batches += 1
        time.sleep(BATCH_S)
        if self.works:
            self.works.touch()
            while len(list(self.works.parent.glob("*.works"))) < self.plan.get("hosts", 1):
                time.sleep(BATCH_S)
        if self.gone and (self.batches == 3 or self.gone.exists()):
            self.gone.touch()
            self.lost = True
        if self.batches == self.when:
            MISDEEDS[self.misdeed](self)
        if self.plan["guilty"] and any(is_red(picture) for picture in pictures):
            MISDEEDS[self.plan["guilty"]](self)
        if self.lost:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if len(pictures) > self.plan["memory_for"]:
            raise MemoryError("CUDA out of memory")

    def begin_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Callable[[], NDArray[np.float32]]:
        self.begun += 1
        if self.begun % 2:
            return partial(self.encode_pictures, pictures)
        rows = self.encode_pictures(pictures)
        return lambda: rows

    def usage(self) -> Usage:
        return Usage()

    def release_memory(self) -> None:
        return


def is_red(picture: NDArray[np.uint8]) -> bool:
    red, green, blue = picture.mean(axis=(0, 1))
    return bool(red > 150 and green < 60 and blue < 60)


def lose(model: FakeModel) -> None:
    model.lost = True


def die(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    threading.Event().wait()  # another thread may be the one that takes the signal


def stop(model: FakeModel) -> None:
    time.sleep(2 * INTERVAL_S)  # a batch so long that the host has told that it is ready
    os.kill(os.getpid(), signal.SIGSTOP)


MISDEEDS: dict[str, Callable[[FakeModel], object]] = {
    "device": lose,
    "kill": lambda _: die(signal.SIGKILL),
    "segv": lambda _: die(signal.SIGSEGV),
    "stop": stop,
    "hang": lambda _: threading.Event().wait(),
}


def next_start(path: Path) -> str:
    """Take the first entry of `starts` away, under a lock."""
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        plan = json.load(file)
        start, *plan["starts"] = plan["starts"] or [""]
        file.seek(0)
        json.dump(plan, file)
        file.truncate()
    return str(start)


def main() -> None:
    end_with_parent()
    path = Path(sys.argv.pop(1))
    model = FakeModel(json.loads(path.read_text()), next_start(path))
    supply.load = lambda *_: model
    listen = host._listen

    def listen_there(socket_path: str) -> Any:
        name = Path(socket_path).name
        model.works = path.with_suffix(f".{name}.works")
        if name == model.plan.get("gone"):
            model.gone = path.with_suffix(".gone")
        listener = listen(socket_path)
        path.with_suffix(f".{name}.listens").touch()
        return listener

    host._listen = listen_there
    host.main(sys.argv[1:])


if __name__ == "__main__":
    main()
