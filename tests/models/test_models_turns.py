"""Models that do not fit together: planned by their shares, used in turn, and every vector is right all the same."""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_models_host import message

from pipeline import wire
from pipeline.models.client import HostClient, prepare
from pipeline.models.standalone import StandaloneHost, standalone_host
from pipeline.models.turns import IDLE_LOADS, TURN_LOADS, Demand, Share, Turns
from pipeline.sections import HostSettings

KEYS = ("tiny-shapes", "shortest", "perceptual")
ROOM_FOR_ONE = HostSettings(device="cpu", threads=1, batch_size=4, max_wait_ms=0, cache_mb=0, memory_mb=12)
"""tiny-shapes takes 11.7 MB, twice its file, the small model less and the descriptor nothing."""

Connect = Callable[..., HostClient]
Pictures = list[NDArray[np.uint8]]
Rows = dict[tuple[str, int], NDArray[np.float32]]


def submitted(client: HostClient, pictures: Pictures) -> Rows:
    """Return the vectors of all models, asked for as the embed stage does it: one picture after another."""
    specs = {key: client.spec(key) for key in KEYS}
    for tag, picture in enumerate(pictures):
        for key, spec in specs.items():
            client.submit(key, tag, prepare(picture, spec))
    return client.collect()


def assert_same(found: Rows, expected: Rows) -> None:
    assert found.keys() == expected.keys(), "a vector is missing"
    for name, row in expected.items():
        np.testing.assert_allclose(found[name], row, atol=1e-5)


@pytest.fixture(scope="module")
def expected(host: StandaloneHost, many: Pictures) -> Rows:
    """What a host makes that holds all models at once."""
    client = HostClient(host.socket_path, 1 << 20, progress=lambda _: None)
    with contextlib.closing(client):
        return submitted(client, many)


@pytest.fixture(scope="module")
def many() -> Pictures:
    return list(np.random.default_rng(3).integers(0, 256, (60, 64, 64, 3), dtype=np.uint8))


def test_workers_whose_windows_are_full_of_a_resting_model_are_served_in_turn(
    model_folder: Any, connect: Connect, many: Pictures, expected: Rows
) -> None:
    found: dict[int, Rows] = {}
    with standalone_host(ROOM_FOR_ONE, model_folder.models) as running:
        window = 12 * 64 * 64 * 3
        clients = [connect(running.socket_path, window) for _ in range(3)]

        def work(number: int) -> None:
            found[number] = submitted(clients[number], many)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(clients))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        stats = message(running.control, "stats", lambda head: head["unloads"] >= 4 and not head["queue_pictures"])
        models = {facts["key"]: facts for facts in stats["facts"]}
        assert stats["budget_bytes"] == 12_000_000
        assert sorted(models[key]["state"] for key in ("tiny-shapes", "shortest")) == ["loaded", "resting"]
        assert models["perceptual"]["state"] == "loaded" and models["perceptual"]["unloads"] == 0
        assert models["tiny-shapes"]["memory_bytes"] > 11_000_000
    for number in range(len(clients)):
        assert_same(found[number], expected)


def test_turns_are_told_once_with_a_way_out(model_folder: Any, connect: Connect, many: Pictures) -> None:
    with standalone_host(ROOM_FOR_ONE, model_folder.models) as running:
        client = connect(running.socket_path, 12 * 64 * 64 * 3)
        submitted(client, many)
        client.encode_texts("tiny-shapes", ["a red circle"])
        notes: list[str] = []
        while True:
            running.control.settimeout(30)
            head, _ = wire.receive(running.control)
            notes += [str(head["text"])] if head["type"] == "note" else []
            if head["type"] == "stats" and head["unloads"] >= 3 and not head["queue_pictures"]:
                break
    told = [text for text in notes if "take turns" in text]
    assert len(told) == 1
    assert "models shortest and tiny-shapes do not fit together on cpu" in told[0]
    assert "12 MB are allowed (host.memory_mb)" in told[0]
    assert "a smaller one or more memory" in told[0]


def test_words_and_pictures_of_models_that_take_turns_are_both_answered(
    host: StandaloneHost, model_folder: Any, connect: Connect
) -> None:
    plain = connect(host.socket_path)
    with standalone_host(ROOM_FOR_ONE, model_folder.models) as running:
        client = connect(running.socket_path)
        for key in ("tiny-shapes", "shortest", "tiny-shapes"):
            found = client.encode_texts(key, ["a blue square"])
            np.testing.assert_allclose(found, plain.encode_texts(key, ["a blue square"]), atol=1e-5)


def test_a_host_killed_during_a_turn_costs_no_vector(
    tmp_path: Path, model_folder: Any, connect: Connect, many: Pictures, expected: Rows
) -> None:
    path = str(tmp_path / "s")
    running = [StandaloneHost(ROOM_FOR_ONE, model_folder.models, path, nice=0)]
    turns: list[int] = []

    def kill_in_the_third_turn(what: str) -> None:
        """Read what the host tells while the client waits, and kill it once in the middle of the turns."""
        if turns or message(running[0].control, "stats")["unloads"] < 3:
            return
        turns.append(3)
        running[0].process.kill()
        running[0].process.wait()
        running.append(StandaloneHost(ROOM_FOR_ONE, model_folder.models, path, nice=0))

    try:
        client = connect(path, 12 * 64 * 64 * 3, progress=kill_in_the_third_turn)
        assert_same(submitted(client, many), expected)
        assert running[0].process.returncode == -signal.SIGKILL
    finally:
        for one in running:
            one.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_memory_that_is_short_at_random_costs_no_vector(
    tmp_path: Path,
    model_folder: Any,
    connect: Connect,
    many: Pictures,
    expected: Rows,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where loading finds no room beside another model, that one is unloaded, even if all should fit by plan."""
    start = subprocess.Popen

    def troubled(command: list[str], **rest: Any) -> Any:
        program = [sys.executable, "-P", str(Path(__file__).parent / "troubled_host.py"), str(seed)]
        return start([*program, *command[command.index("--fd") :]], **rest)

    monkeypatch.setattr(subprocess, "Popen", troubled)
    plenty = ROOM_FOR_ONE.model_copy(update={"memory_mb": 0.0})
    running = StandaloneHost(plenty, model_folder.models, str(tmp_path / "s"), nice=0)
    try:
        client = connect(running.socket_path, 12 * 64 * 64 * 3, reconnect_s=1.0)
        assert_same(submitted(client, many), expected)
    finally:
        running.close()


def planned(budget_bytes: int, **shares: int) -> Turns:
    turns = Turns(budget_bytes)
    turns.shares = {key: Share(weights) for key, weights in shares.items()}
    return turns


def come(turns: Turns, key: str, now_s: float) -> None:
    turns.came(key, now_s, 1.0, turns.shares[key].weights_bytes, None)


def test_the_model_used_least_recently_makes_room_and_only_as_many_as_needed() -> None:
    turns = planned(10, a=4, b=4, c=5, nothing=0)
    for key in ("a", "b", "nothing"):
        come(turns, key, 0.0)
    demands = {"a": Demand(None, 9.0), "b": Demand(None, 8.0), "nothing": Demand(None, 1.0)}
    assert turns.in_the_way("c", demands) == ["b"]
    assert turns.in_the_way("nothing", demands) == []
    turns.shares["a"].batch_bytes = 1
    assert turns.in_the_way("c", demands) == ["b", "a"], "two batches may be under way beside the parameters"


def test_a_turn_is_over_when_nobody_asks_or_when_it_has_lasted_long_enough() -> None:
    turns = planned(5, a=4, b=4)
    turns.shares["b"].again_s = 2.0
    come(turns, "a", 100.0)
    asked = {"a": Demand(101.0, 101.0)}
    assert not turns.over(["a"], "b", asked, 100.0 + 2 * TURN_LOADS - 0.1)
    assert turns.over(["a"], "b", asked, 100.0 + 2 * TURN_LOADS)
    idle = {"a": Demand(None, 110.0)}
    assert not turns.over(["a"], "b", idle, 110.0 + 2 * IDLE_LOADS - 0.1)
    assert turns.over(["a"], "b", idle, 110.0 + 2 * IDLE_LOADS)


def test_models_that_ran_out_of_memory_together_are_kept_apart_whatever_was_planned() -> None:
    turns = planned(100, a=4, b=4, c=4)
    come(turns, "a", 0.0)
    come(turns, "b", 1.0)
    assert turns.in_the_way("c", {}) == []
    assert turns.clashed("c", {"a": Demand(None, 5.0)}) == ["b"]
    turns.went("b")
    assert turns.in_the_way("c", {}) == []
    assert turns.clashed("c", {}) == ["a"]
    turns.went("a")
    assert turns.clashed("c", {}) == [], "alone there is nothing left that could go"


def test_three_models_that_are_all_asked_without_end_each_get_their_turn() -> None:
    """The oldest that waits is next, and a turn begins when a model has come: nobody starves, nobody is sent off at
    once."""
    turns, now_s = planned(5, a=4, b=4, c=4), 0.0
    come(turns, "a", now_s)
    asked_since = dict.fromkeys("abc", 0.0)
    served: list[str] = []
    while now_s < 200:
        now_s += 0.5
        here = turns.loaded[0]
        asked_since[here] = now_s
        demands = {key: Demand(since_s, now_s if key == here else 0.0) for key, since_s in asked_since.items()}
        key = min((since_s, key) for key, since_s in asked_since.items() if key != here)[1]
        going = turns.in_the_way(key, demands)
        if turns.over(going, key, demands, now_s):
            turns.went(here)
            come(turns, key, now_s)
            served.append(key)
    assert "".join(served).startswith("bcabcabca")
    assert len(served) <= 4 + 200 / TURN_LOADS, "the first loads are taken for quick, as none was measured"


def test_a_model_larger_than_the_budget_is_used_and_said_once(model_folder: Any, connect: Connect) -> None:
    little = ROOM_FOR_ONE.model_copy(update={"memory_mb": 5.0})
    picture = np.zeros((64, 64, 3), np.uint8)
    with standalone_host(little, model_folder.models) as running:
        client = connect(running.socket_path)
        client.submit("tiny-shapes", 0, prepare(picture, client.spec("tiny-shapes")))
        assert len(client.collect()) == 1
        told = message(running.control, "note", lambda head: "allowed" in head["text"])["text"]
    assert "model tiny-shapes takes 12 MB on cpu, and 5 MB are allowed (host.memory_mb)" in told
    assert "Raise host.memory_mb" in told


def test_only_what_is_counted_can_be_too_large() -> None:
    turns = planned(10, large=11, fits=10, uncounted=0)
    assert [key for key in turns.shares if turns.too_large(key)] == ["large"]
