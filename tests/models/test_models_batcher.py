"""The batcher: across connections, halved on out-of-memory, bisected on a bad picture, ended on a lost device."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.models.batcher import Batcher
from pipeline.models.families.interface import Usage
from pipeline.models.lane import GROW_AFTER_BATCHES, Waiting
from pipeline.models.serving import DeviceLostError

DONE_S = 20.0


class Receiver:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.rows: dict[int, float] = {}
        self.errors: dict[int, str] = {}
        self.tried: list[int] = []
        self.told = threading.Condition()

    def vectors(self, key: str, tags: Sequence[int], rows: NDArray[np.float32]) -> None:
        with self.told:
            assert not self.rows.keys() & set(tags), "a vector came twice"
            self.rows.update(zip(tags, rows[:, 0].tolist(), strict=True))
            self.told.notify_all()

    def trying(self, key: str, tag: int) -> None:
        self.tried.append(tag)

    def failed(self, key: str, tags: Sequence[int], message: str) -> None:
        with self.told:
            self.errors.update(dict.fromkeys(tags, message))
            self.told.notify_all()

    def wait_for(self, count: int) -> None:
        with self.told:
            assert self.told.wait_for(lambda: len(self.rows) + len(self.errors) >= count, DONE_S)


class Fake:
    """A model whose vector is the first byte of the picture, and which fails as told."""

    def __init__(self, trouble: Callable[[list[int]], None] = lambda _: None) -> None:
        self.sizes: list[int] = []
        self.released = 0
        self.memory_share = 0.0
        self.trouble = trouble

    def encode_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        values = [int(picture[0, 0, 0]) for picture in pictures]
        self.trouble(values)
        self.sizes.append(len(values))
        return np.asarray(values, np.float32)[:, None]

    def usage(self) -> Usage:
        return Usage(self.memory_share)

    def release_memory(self) -> None:
        self.released += 1


class Overlapping(Fake):
    """One whose batches can be begun before the one before is finished; half of the trouble comes when one finishes."""

    overlaps = True

    def __init__(self, trouble: Callable[[list[int]], None] = lambda _: None) -> None:
        super().__init__(trouble)
        self.events: list[tuple[str, int]] = []
        self.begun = 0

    def begin_pictures(self, pictures: Sequence[NDArray[np.uint8]]) -> Callable[[], NDArray[np.float32]]:
        self.begun += 1
        number = self.begun
        self.events.append(("begin", number))
        finish = partial(self.encode_pictures, pictures)
        rows = finish() if number % 2 else None

        def finished() -> NDArray[np.float32]:
            self.events.append(("finish", number))
            return finish() if rows is None else rows

        return finished


class Bench:
    """A batcher with a running thread and its notes."""

    def __init__(self, batch_size: int = 8, max_wait_s: float = 0.01) -> None:
        self.notes: list[tuple[str, str]] = []
        self.batcher = Batcher(batch_size, max_wait_s, lambda level, text: self.notes.append((level, text)))
        self.raised: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.batcher.run()
        except DeviceLostError as error:
            self.raised = error

    def add(self, receiver: Receiver, values: Sequence[int], key: str = "m") -> None:
        for value in values:
            picture = np.full((2, 2, 3), value, np.uint8)
            self.batcher.add(key, Waiting(receiver, value, picture, time.monotonic()))

    def start(self, model: Fake, key: str = "m") -> None:
        self.batcher.loaded(key, model)
        if not self.thread.is_alive():
            self.thread.start()

    def close(self) -> None:
        self.batcher.close()
        if self.thread.is_alive():
            self.thread.join(DONE_S)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def out_of_memory_above(count: int) -> Callable[[list[int]], None]:
    def trouble(values: list[int]) -> None:
        if len(values) > count:
            raise MemoryError("CUDA out of memory")

    return trouble


def test_pictures_of_two_connections_share_a_batch(bench: Bench) -> None:
    one, two, model = Receiver(), Receiver(), Fake()
    bench.add(one, [1, 2, 3, 4])
    bench.add(two, [5, 6, 7, 8])
    bench.start(model)
    one.wait_for(4)
    two.wait_for(4)
    assert model.sizes == [8]
    assert one.rows == {value: value for value in (1, 2, 3, 4)}
    assert two.rows == {value: value for value in (5, 6, 7, 8)}


def test_an_incomplete_batch_waits_no_longer_than_it_may(bench: Bench) -> None:
    receiver, model = Receiver(), Fake()
    bench.start(model)
    bench.add(receiver, [1, 2, 3])
    receiver.wait_for(3)
    assert sum(model.sizes) == 3


def test_a_model_that_is_not_loaded_yet_holds_up_no_other(bench: Bench) -> None:
    receiver = Receiver()
    bench.add(receiver, [1], key="slow")
    bench.start(Fake(), key="quick")
    bench.add(receiver, [2], key="quick")
    receiver.wait_for(1)
    assert receiver.rows == {2: 2}
    bench.start(Fake(), key="slow")
    receiver.wait_for(2)


def test_out_of_memory_halves_the_batch_and_loses_nothing(bench: Bench) -> None:
    receiver, model = Receiver(), Fake(out_of_memory_above(3))
    bench.add(receiver, range(1, 25))
    bench.start(model)
    receiver.wait_for(24)
    assert receiver.rows == {value: value for value in range(1, 25)}
    assert not receiver.errors
    assert max(model.sizes) <= 3
    assert bench.batcher.batch_size == 2
    assert model.released == 2
    assert [text for level, text in bench.notes if level == "warning"] == [
        "model m: out of memory with 8 pictures; going on with 4",
        "model m: out of memory with 4 pictures; going on with 2",
    ]


def test_a_halved_batch_grows_again_when_memory_is_back(bench: Bench) -> None:
    tight = [True]

    def trouble(values: list[int]) -> None:
        if tight[0] and len(values) > 4:
            tight[0] = False
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    receiver, model = Receiver(), Fake(trouble)
    for tag in range((GROW_AFTER_BATCHES + 4) * 8):
        bench.batcher.add("m", Waiting(receiver, tag, np.full((1, 1, 3), 5, np.uint8), time.monotonic()))
    bench.start(model)
    receiver.wait_for((GROW_AFTER_BATCHES + 4) * 8)
    assert bench.batcher.batch_size == 8
    assert 4 in model.sizes
    assert model.sizes[-1] == 8
    assert bench.notes[-1] == ("info", "model m: trying 8 pictures in a batch again")


def test_out_of_memory_for_one_picture_ends_the_host(bench: Bench) -> None:
    bench.add(Receiver(), [1, 2])
    bench.start(Fake(out_of_memory_above(0)))
    bench.thread.join(DONE_S)
    assert "single picture" in str(bench.raised)


def test_a_lost_device_ends_the_host_at_once(bench: Bench) -> None:
    calls = []

    def trouble(values: list[int]) -> None:
        calls.append(len(values))
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    bench.add(Receiver(), [1, 2, 3])
    bench.start(Fake(trouble))
    bench.thread.join(DONE_S)
    assert isinstance(bench.raised, DeviceLostError)
    assert calls == [3]


def test_only_the_guilty_picture_of_a_batch_fails(bench: Bench) -> None:
    def trouble(values: list[int]) -> None:
        if 6 in values:
            raise ValueError("bad picture")

    one, two = Receiver(), Receiver()
    bench.add(one, [1, 2, 3, 4])
    bench.add(two, [5, 6, 7, 8])
    bench.start(Fake(trouble))
    one.wait_for(4)
    two.wait_for(4)
    assert one.rows.keys() == {1, 2, 3, 4}
    assert two.rows.keys() == {5, 7, 8}
    assert two.errors == {6: "ValueError: bad picture"}


def test_pictures_of_a_connection_that_is_gone_are_forgotten(bench: Bench) -> None:
    gone, here, model = Receiver(), Receiver(), Fake()
    bench.add(gone, [1, 2])
    bench.add(here, [3])
    bench.batcher.drop(gone)
    bench.start(model)
    here.wait_for(1)
    assert not gone.rows
    assert model.sizes == [1]
    assert bench.batcher.counters.queue_bytes == 0


def test_waiting_pictures_hear_that_their_model_cannot_be_loaded(bench: Bench) -> None:
    receiver = Receiver()
    bench.add(receiver, [1, 2])
    bench.batcher.refuse("m", "no such weights")
    assert receiver.errors == {1: "no such weights", 2: "no such weights"}


def test_how_long_a_batch_has_been_running_can_be_seen(bench: Bench) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def trouble(values: list[int]) -> None:
        begun.set()
        assert go_on.wait(DONE_S)

    receiver = Receiver()
    assert bench.batcher.busy_for_s() == 0
    bench.add(receiver, [1])
    bench.start(Fake(trouble))
    assert begun.wait(DONE_S)
    assert bench.batcher.busy_for_s() > 0
    go_on.set()
    receiver.wait_for(1)
    assert bench.batcher.busy_for_s() == 0


def resent(bench: Bench, receiver: Receiver, values: Sequence[int], suspicion: int = 0) -> None:
    for value in values:
        picture = np.full((2, 2, 3), value, np.uint8)
        bench.batcher.add("m", Waiting(receiver, value, picture, time.monotonic(), resent=True, suspicion=suspicion))


def test_pictures_that_a_dead_host_had_are_run_one_by_one_and_told_beforehand(bench: Bench) -> None:
    receiver, model = Receiver(), Fake()
    resent(bench, receiver, [1, 2, 3])
    bench.add(receiver, [4, 5, 6])
    bench.start(model)
    receiver.wait_for(6)
    assert receiver.tried == [1, 2, 3]
    assert model.sizes == [1, 1, 1, 1, 3], "a blank picture first, that the device is known to work"


def test_a_picture_that_a_host_died_of_has_its_turn_after_the_others_but_is_not_forgotten(bench: Bench) -> None:
    receiver, other = Receiver(), Receiver()
    resent(bench, receiver, [1], suspicion=1)
    resent(bench, receiver, [2, 3])
    bench.start(Fake())
    for value in range(10, 40):
        bench.add(other, [value])
    receiver.wait_for(3)
    assert receiver.tried == [2, 3, 1]


def test_a_device_that_runs_nothing_at_all_accuses_no_picture(bench: Bench) -> None:
    def trouble(values: list[int]) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    receiver = Receiver()
    resent(bench, receiver, [1, 2])
    bench.start(Fake(trouble))
    bench.thread.join(DONE_S)
    assert isinstance(bench.raised, DeviceLostError)
    assert not receiver.tried


def test_memory_that_is_only_cached_is_given_back_above_the_threshold() -> None:
    bench = Bench()
    bench.batcher = Batcher(8, 0.01, lambda level, text: None, cleanup_threshold=0.8)
    receiver, model = Receiver(), Fake()
    bench.start(model)
    for share, released in ((0.5, 0), (0.9, 1)):
        model.memory_share = share
        bench.add(receiver, [int(share * 10)])
        receiver.wait_for(1 + released)
        bench.batcher.ask("m", lambda: None, lambda _: None)
    bench.start(Fake(), key="on the CPU")
    bench.add(receiver, [10], key="on the CPU")
    receiver.wait_for(3)
    bench.close()
    assert model.released == 1
    assert (bench.batcher.counters.cleanups, bench.batcher.counters.memory_share) == (1, 0.9)


def test_each_model_has_its_own_batch_size(bench: Bench) -> None:
    receiver, small, large = Receiver(), Fake(), Fake()
    bench.add(receiver, range(1, 9), key="small")
    bench.add(receiver, range(11, 19), key="large")
    bench.batcher.loaded("small", small, 2)
    bench.batcher.loaded("large", large, 8)
    bench.thread.start()
    receiver.wait_for(16)
    assert (set(small.sizes), set(large.sizes)) == ({2}, {8})
    assert bench.batcher.lanes() == {"small": (2, 8), "large": (8, 8)}


def test_the_next_batch_is_begun_before_the_one_at_hand_is_finished(bench: Bench) -> None:
    receiver, model = Receiver(), Overlapping()
    bench.add(receiver, range(1, 33))
    bench.start(model)
    receiver.wait_for(32)
    assert receiver.rows == {value: value for value in range(1, 33)}
    begun = [("begin", 1), ("begin", 2), ("finish", 1), ("begin", 3), ("finish", 2), ("begin", 4), ("finish", 3)]
    assert model.events == [*begun, ("finish", 4)]


def test_a_model_that_does_not_overlap_computes_while_the_next_batch_of_another_is_under_way(bench: Bench) -> None:
    receiver, quick = Receiver(), Overlapping()
    bench.add(receiver, range(1, 9), key="plain")
    bench.add(receiver, range(11, 19), key="quick")
    bench.batcher.loaded("quick", quick)
    seen: list[list[tuple[str, int]]] = []
    bench.start(Fake(lambda _: seen.append(list(quick.events))), key="plain")
    receiver.wait_for(16)
    assert seen == [[("begin", 1)]]
    assert quick.events == [("begin", 1), ("finish", 1)]


def test_a_question_waits_for_two_batches_at_most(bench: Bench) -> None:
    receiver, model = Receiver(), Overlapping()
    asked: list[int] = []

    def ask(values: list[int]) -> None:
        if values[0] == 1:
            bench.batcher.ask("m", lambda: asked.append(len(receiver.rows)), lambda _: None)

    model.trouble = ask
    bench.add(receiver, range(1, 65))
    bench.start(model)
    receiver.wait_for(64)
    assert asked
    assert asked[0] <= 16


def test_a_picture_on_trial_is_under_way_by_itself(bench: Bench) -> None:
    receiver, model = Receiver(), Overlapping()
    resent(bench, receiver, [1, 2])
    bench.add(receiver, range(3, 19))
    resent(bench, receiver, [19])
    bench.start(model)
    receiver.wait_for(19)
    assert receiver.tried == [1, 2, 19]
    whole = [(("begin", number), ("finish", number)) for number in (1, 2, 3)]  # a blank picture is the first
    assert model.events[:6] == [event for pair in whole for event in pair]
    assert model.events[-2:] == [("begin", model.begun), ("finish", model.begun)]


@pytest.mark.parametrize("seed", range(6))
def test_random_faults_of_overlapping_batches_change_no_vector(seed: int) -> None:
    """Out of memory, no number and a CUDA error at any time: every vector is right, none is missing, none comes twice.

    After a CUDA error the next process gets what has no answer yet, as a worker sends it again.
    """
    chance = random.Random(seed)
    lost = [False]

    def trouble(values: list[int]) -> None:
        if lost[0] or (len(values) > 1 and chance.random() < 0.02):
            lost[0] = True
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if len(values) > 1 and chance.random() < 0.1:
            raise MemoryError("CUDA out of memory")
        if len(values) > 1 and chance.random() < 0.1:
            raise ValueError("the model gave a vector that is not finite")

    receivers, deaths = {"one": Receiver(), "two": Receiver()}, 0
    wanted = {"one": range(200), "two": range(100)}

    def complete() -> bool:
        return all(len(receivers[key].rows) == len(wanted[key]) for key in wanted)

    while not complete():
        bench = Bench(max_wait_s=0.0)
        for key, receiver in receivers.items():
            for value in set(wanted[key]) - receiver.rows.keys():
                picture = np.full((2, 2, 3), value, np.uint8)
                bench.batcher.add(
                    key, Waiting(receiver, value, picture, time.monotonic(), resent=chance.random() < 0.1)
                )
            bench.batcher.loaded(key, Overlapping(trouble))
        lost[0] = False
        bench.thread.start()
        until = time.monotonic() + DONE_S
        while bench.thread.is_alive() and not complete():
            assert time.monotonic() < until, "a vector is missing"
            bench.thread.join(0.01)
        bench.close()
        deaths += bench.raised is not None
    for key, receiver in receivers.items():
        assert receiver.rows == {value: value for value in wanted[key]}
        assert not receiver.errors
    assert deaths or seed
