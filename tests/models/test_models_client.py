"""The worker's side: the window holds, waiting is told, a host that dies is outlived, within bounds."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import wire
from pipeline.errors import JobError
from pipeline.model import FailureClass
from pipeline.models import delivery
from pipeline.models.client import HostClient
from pipeline.models.connection import Connection
from pipeline.models.families.interface import Usage
from pipeline.models.lane import Waiting
from pipeline.models.router import Router

PICTURE = np.zeros((10, 10, 3), np.uint8)
DONE_S = 20.0
MADE = {"type": "vectors", "precision": "fp32", "device": "cpu"}
ENDLESS = b'{"type":"picture","key":"m","tag":1e400,"shape":[10,10,1]}'

Connect = Callable[..., HostClient]


class Stop(Exception):  # noqa: N818 - it is no error: the engine asks the worker to stop
    """What `progress` raises when the engine asks a worker to stop."""


class FakeHost:
    """Listens where a host would; each connection is handled by the next method of `script`."""

    def __init__(self, path: str, *script: str) -> None:
        self.path = path
        self.script = script
        self.received: list[wire.Message] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        for name in self.script:
            peer, _ = self.listener.accept()
            with peer, contextlib.suppress(EOFError, OSError):
                getattr(self, name)(peer)

    def read(self, peer: socket.socket) -> wire.Message:
        head, _ = wire.receive(peer)
        self.received.append(head)
        return head

    def hang_up(self, peer: socket.socket) -> None:
        self.read(peer)

    def swallow(self, peer: socket.socket) -> None:
        while True:
            self.read(peer)

    def answer(self, peer: socket.socket) -> None:
        while True:
            head = self.read(peer)
            row = np.full(2, head["tag"], np.float32)
            wire.send(peer, {**MADE, "key": head["key"], "tags": [head["tag"]]}, row.tobytes())

    def die_trying(self, peer: socket.socket) -> None:
        """Answer all but picture 3, which is tried by itself."""
        while (head := self.read(peer))["tag"] != 3:
            row = np.full(2, head["tag"], np.float32)
            wire.send(peer, {**MADE, "key": head["key"], "tags": [head["tag"]]}, row.tobytes())
        wire.send(peer, {"type": "trying", "key": head["key"], "tag": 3})

    def nonsense(self, peer: socket.socket) -> None:
        peer.sendall(b"\xff" * 64)

    def close(self) -> None:
        self.thread.join(DONE_S)
        self.listener.close()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Callable[..., FakeHost]]:
    """Start fake hosts, each connection handled by the named method of FakeHost."""
    hosts: list[FakeHost] = []

    def make(*script: str) -> FakeHost:
        hosts.append(FakeHost(str(tmp_path / "s"), *script))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


def stop_after(calls: int) -> Callable[[str], None]:
    told: list[str] = []

    def progress(what: str) -> None:
        told.append(what)
        assert what == "model host"
        if len(told) >= calls:
            raise Stop

    return progress


def test_no_more_than_the_window_is_under_way(fake: Callable[..., FakeHost], connect: Connect) -> None:
    host = fake("swallow")
    client = connect(host.path, 3 * PICTURE.nbytes, progress=stop_after(2))
    with pytest.raises(Stop):
        for tag in range(10):
            client.submit("m", tag, PICTURE)
    client.close()
    host.close()
    assert len(host.received) == 3


def test_a_picture_larger_than_the_window_still_goes(fake: Callable[..., FakeHost], connect: Connect) -> None:
    client = connect(fake("answer").path, 10)
    client.submit("m", 1, PICTURE)
    client.submit("m", 2, PICTURE)
    assert client.collect().keys() == {("m", 1), ("m", 2)}
    client.close()


def test_what_a_dead_host_had_is_sent_to_the_next_one(fake: Callable[..., FakeHost], connect: Connect) -> None:
    host = fake("hang_up", "nonsense", "answer")
    client = connect(host.path)
    for tag in range(6):
        client.submit("m", tag, PICTURE)
    rows = client.collect()
    client.close()
    assert sorted(rows) == [("m", tag) for tag in range(6)]
    assert len({float(row[0]) for row in rows.values()}) == 6


def test_a_picture_that_ends_every_host_is_given_up(fake: Callable[..., FakeHost], connect: Connect) -> None:
    host = fake(*["hang_up"] * (delivery.MAX_RESENDS + 1))
    client = connect(host.path)
    client.submit("m", 1, PICTURE)
    with pytest.raises(JobError, match="the same picture") as caught:
        client.collect()
    assert caught.value.failure is FailureClass.MODEL
    client.close()


def test_a_picture_that_hosts_die_of_while_they_try_it_by_itself_is_blamed(
    fake: Callable[..., FakeHost], connect: Connect
) -> None:
    host = fake("hang_up", *["die_trying"] * delivery.MAX_TRIALS)
    client = connect(host.path)

    def embed() -> None:
        for tag in range(5):
            client.submit("m", tag, PICTURE)
        client.collect()

    with pytest.raises(JobError, match="a picture of this video ended the model host 2 times") as caught:
        embed()
    assert caught.value.crash
    assert [head["suspicion"] for head in host.received if head["tag"] == 3] == [0, 1]
    client.close()


def test_a_host_that_never_comes_is_given_up(tmp_path: Path, connect: Connect) -> None:
    with pytest.raises(JobError, match="no model host"):
        connect(str(tmp_path / "nobody"), reconnect_s=0.0).spec("m")


def test_after_a_reset_nothing_of_the_last_video_is_left(fake: Callable[..., FakeHost], connect: Connect) -> None:
    host = fake("swallow", "answer")
    stopped = threading.Event()

    def stop_once(_what: str) -> None:
        if not stopped.is_set():
            stopped.set()
            raise Stop

    client = connect(host.path, progress=stop_once)
    client.submit("m", 1, PICTURE)
    with pytest.raises(Stop):
        client.collect()
    client.reset()
    client.submit("m", 2, PICTURE)
    assert client.collect().keys() == {("m", 2)}
    client.close()


def test_the_host_holds_no_more_than_a_window_of_a_connection_that_ignores_it() -> None:
    held: list[int] = []

    class Encoder:
        def encode_pictures(self, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
            held.append(router.counters.queue_pictures + len(pictures))
            return np.ones((len(pictures), 4), np.float32)

        def usage(self) -> Usage:
            return Usage()

        def release_memory(self) -> None:
            raise AssertionError

    class Loader:
        def want(self, key: str) -> None:
            assert key == "m"

        def spec(self, key: str) -> Any:
            return SimpleNamespace(precision="fp32", device="cpu")

    router = Router(2, 0.0, lambda level, text: None)
    router.loaded("m", Encoder())
    running = threading.Thread(target=router.device.run)
    running.start()
    ours, theirs = socket.socketpair()
    Connection(theirs, router, Loader(), 3 * PICTURE.nbytes).start()  # type: ignore[arg-type]
    with ours:
        for tag in range(40):
            head = {"type": "picture", "key": "m", "tag": tag, "shape": list(PICTURE.shape)}
            wire.send(ours, head, PICTURE.tobytes())
        tags: list[int] = []
        while len(tags) < 40:
            tags += wire.receive(ours)[0]["tags"]
    router.device.close()
    running.join(DONE_S)
    assert sorted(tags) == list(range(40))
    assert max(held) <= 3


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 64,
        wire.HEADER.pack(1 << 30, 0),
        wire.HEADER.pack(2, 1 << 30) + b"{}",
        wire.HEADER.pack(1 << 20, 0) + b"[" * (1 << 20),
        wire.encode({"type": "picture", "key": "m", "tag": 1, "shape": [10, 10, 3]}, 300)[:5],
        wire.encode({"type": "picture", "key": "m", "tag": 1, "shape": [10, 10, 3]}, 300)[:30],
        wire.encode({"type": "picture", "key": "m", "tag": 1, "shape": [10, 10, 3]}, 300) + b"x" * 100,
        wire.HEADER.pack(len(ENDLESS), 300) + ENDLESS + b"x" * 300,
    ],
    ids=["garbage", "huge-head", "huge-payload", "deep", "in-header", "in-head", "in-payload", "odd"],
)
def test_a_message_that_is_none_or_breaks_off_costs_only_its_connection(data: bytes) -> None:
    router = Router(2, 0.0, lambda level, text: None)
    ours, theirs = socket.socketpair()
    Connection(theirs, router, None, 1000).start()  # type: ignore[arg-type]
    with ours:
        ours.settimeout(DONE_S)
        ours.sendall(data)
        ours.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert ours.recv(1) == b""
    assert router.counters.queue_pictures == 0


def test_a_worker_that_asks_but_never_reads_is_read_no_more() -> None:
    class Loader:
        asked = 0

        def when_known(self, key: str, then: Callable[[str], None], otherwise: Callable[[JobError], None]) -> None:
            self.asked += 1
            otherwise(JobError(FailureClass.MODEL, "x" * 900))

    loader = Loader()
    ours, theirs = socket.socketpair()
    Connection(theirs, Router(2, 0.0, lambda level, text: None), loader, 20_000).start()  # type: ignore[arg-type]
    question = wire.encode({"type": "spec", "key": "m"})
    with ours:
        ours.settimeout(1.0)
        with pytest.raises(TimeoutError):
            for _ in range(200_000):
                ours.sendall(question)
        assert loader.asked < 5_000, "what it asks piles up in its own socket, not in the host"


def test_nonsense_costs_a_worker_its_connection_and_nobody_else_anything() -> None:
    router = Router(2, 0.0, lambda level, text: None)
    ours, theirs = socket.socketpair()
    connection = Connection(theirs, router, None, 1000)  # type: ignore[arg-type]
    router.add("m", Waiting(connection, 1, PICTURE, 0.0))
    connection.start()
    with ours:
        wire.send(ours, {"type": "picture", "key": "m", "tag": 1, "shape": [5, 5]}, b"x")
        assert ours.recv(1) == b""
    assert router.counters.queue_pictures == 0
