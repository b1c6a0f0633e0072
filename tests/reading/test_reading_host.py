"""Text in the model host: beside the vectors, for several videos at once, and what a picture costs that fails."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.models.client import HostClient
from pipeline.models.families.interface import Usage
from pipeline.models.lane import Waiting
from pipeline.models.router import Router
from pipeline.models.standalone import StandaloneHost, standalone_host
from pipeline.models.text import Page, Pieces, packed, unpacked
from pipeline.reading.engines import Piece, choose, reader
from pipeline.sections import HostSettings
from pipeline.stage_sections import TextSettings

READS = TextSettings(longest_px=320)
ENGINE = choose(READS)
DONE_S = 20.0


def shown(text: str, size: tuple[int, int] = (320, 100)) -> NDArray[np.uint8]:
    picture = Image.new("RGB", size, (10, 60, 30))
    ImageDraw.Draw(picture).text((20, 30), text, font_size=26, fill="white")
    return np.asarray(picture)


def of_byte(value: int) -> Pieces:
    return (Piece(str(value), 0.5, (0.0, 0.0, 1.0, 1.0)),)


class Receiver:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: dict[int, object] = {}
        self.changed = threading.Condition()

    def read(self, key: str, tags: Sequence[int], read: Sequence[Pieces]) -> None:
        self._take(dict(zip(tags, read, strict=True)))

    def vectors(self, key: str, tags: Sequence[int], rows: NDArray[np.float32]) -> None:
        self._take(dict.fromkeys(tags, "vector"))

    def failed(self, key: str, tags: Sequence[int], message: str) -> None:
        self._take(dict.fromkeys(tags, message))

    def _take(self, news: dict[int, object]) -> None:
        with self.changed:
            self.told |= news
            self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.told) >= count, DONE_S)


class Fake:
    """An engine that reads the first byte of a picture, and a model of vectors that waits for leave."""

    def __init__(self, trouble: Callable[[list[int]], None] = lambda _: None) -> None:
        self.trouble, self.sizes, self.leave = trouble, list[int](), threading.Event()

    def read(self, pages: Sequence[Page]) -> list[Pieces]:
        values = [int(page.picture[0, 0, 0]) for page in pages]
        self.trouble(values)
        self.sizes.append(len(values))
        return [of_byte(value) for value in values]

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        assert self.leave.wait(DONE_S)
        return np.ones((len(pictures), 1), np.float32)

    def usage(self) -> Usage:
        return Usage()

    def release_memory(self) -> None:
        return


@pytest.fixture
def router() -> Iterator[Router]:
    both = Router(8, 0.01, lambda *_: None)
    threads = [threading.Thread(target=one.run) for one in (both.device, both.text)]
    for thread in threads:
        thread.start()
    yield both
    for one in (both.device, both.text):
        one.close()
    for thread in threads:
        thread.join(DONE_S)


def add(router: Router, receiver: Receiver, values: Sequence[int]) -> None:
    for value in values:
        page = Page(np.full((2, 2 + value, 3), value, np.uint8))
        router.add(ENGINE, Waiting(receiver, value, page, time.monotonic()))  # type: ignore[arg-type]


def test_text_is_read_while_the_device_computes_vectors(router: Router) -> None:
    model, engine, receiver = Fake(), Fake(), Receiver()
    router.loaded("m", model)
    router.loaded(ENGINE, engine, 4, reads=True)
    router.add("m", Waiting(receiver, 100, np.zeros((2, 2, 3), np.uint8), time.monotonic()))  # type: ignore[arg-type]
    add(router, receiver, range(8))
    receiver.wait_for(8)
    assert receiver.told == {value: of_byte(value) for value in range(8)}
    model.leave.set()
    receiver.wait_for(9)
    assert router.lanes()[ENGINE] == (4, 8)
    assert router.counters.queue_pictures == 0


def test_a_picture_that_makes_the_engine_fail_fails_alone(router: Router) -> None:
    def refuse_3(values: list[int]) -> None:
        if 3 in values:
            raise RuntimeError("no such thing")

    receiver = Receiver()
    router.loaded(ENGINE, Fake(refuse_3), 8, reads=True)
    add(router, receiver, range(8))
    receiver.wait_for(8)
    assert receiver.told.pop(3) == "RuntimeError: no such thing"
    assert receiver.told == {value: of_byte(value) for value in range(8) if value != 3}


def test_out_of_memory_halves_what_is_read_at_once(router: Router) -> None:
    def room_for_3(values: list[int]) -> None:
        if len(values) > 3:
            raise RuntimeError("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 9")

    engine, receiver = Fake(room_for_3), Receiver()
    router.loaded(ENGINE, engine, 8, reads=True)
    add(router, receiver, range(8))
    receiver.wait_for(8)
    assert receiver.told == {value: of_byte(value) for value in range(8)}
    assert max(engine.sizes) <= 2


def test_pieces_are_the_same_on_the_other_side() -> None:
    pieces = (Piece('名 "x"\n', 0.1 + 0.2, (0.0, 1 / 3, 0.5, 1.0)), Piece("", 1.0, (0.0, 0.0, 0.0, 0.0)))
    assert unpacked(packed(pieces)) == pieces
    assert unpacked(packed(())) == ()


@pytest.fixture(scope="module")
def host() -> Iterator[StandaloneHost]:
    with standalone_host(HostSettings(device="cpu", threads=2), {ENGINE: READS}, nice=0) as running:
        yield running


def test_two_videos_at_once_get_their_own_text_as_one_reader_reads_it(host: StandaloneHost) -> None:
    alone = reader(ENGINE, READS, 1)
    pictures = [[shown(f"Video {video} says {number}") for number in range(5)] for video in range(2)]
    found: dict[int, dict[tuple[str, int], Pieces]] = {}

    def work(video: int) -> None:
        with closing(HostClient(host.socket_path, 1 << 20, progress=lambda _: None)) as client:
            for number, picture in enumerate(pictures[video]):
                client.submit_page(ENGINE, number, picture)
            found[video] = client.collect_read(wait=True)

    threads = [threading.Thread(target=work, args=(video,)) for video in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for video in range(2):
        expected = {(ENGINE, number): tuple(alone.read(picture)) for number, picture in enumerate(pictures[video])}
        assert found[video] == expected


def test_an_engine_that_is_not_there_is_told_of(host: StandaloneHost) -> None:
    with closing(HostClient(host.socket_path, 1 << 20, progress=lambda _: None, stage=Stage.TEXT)) as client:
        client.submit_page("rapidocr 0.1", 1, shown("Text"))
        with pytest.raises(JobError, match=r"there is no model 'rapidocr 0\.1'") as caught:
            client.collect_read(wait=True)
    assert (caught.value.failure, caught.value.stage) == (FailureClass.MODEL, Stage.TEXT)
