"""Dead children are buried for good, and a mix of all misdeeds of workers ends as each deserves (cases 4 to 8, 12)."""

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import pytest
from engine_harness import Bench
from misdeeds import QUICK, held, mix, run_mix

from pipeline.engine.child import Child, Death

DEATHS = 200
AT_ONCE = 8
DEADLINE_S = 30.0
WAYS = ("exit 3", "kill -9 $$", "kill -11 $$", "echo words >&2; exit 1", "exec sleep 1000", "kill -STOP $$")


async def die(way: str) -> Death:
    """Start a shell that ends as told; one that goes on is killed. Return how it ended."""
    told: list[Death] = []
    child = await Child.spawn(["sh", "-c", way, "sh"], on_message=lambda _: None, on_end=told.append)
    if "1000" in way or "STOP" in way:
        child.kill()
    await asyncio.wait_for(child.ended, DEADLINE_S)
    assert len(told) == 1, "the end is told once"
    return told[0]


def test_hundreds_of_dead_children_leave_no_zombie_descriptor_or_thread() -> None:
    async def lives(count: int) -> list[Death]:
        found = []
        for begin in range(0, count, AT_ONCE):
            ways = [WAYS[number % len(WAYS)] for number in range(begin, begin + AT_ONCE)]
            found += await asyncio.gather(*(die(way) for way in ways))
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left
        return found

    asyncio.run(lives(AT_ONCE))
    before = held()
    deaths = asyncio.run(lives(DEATHS))
    after = held()
    assert {death.signal_name for death in deaths} == {"", "SIGKILL", "SIGSEGV"}
    assert {death.said for death in deaths} == {"", "words"}
    end = time.monotonic() + DEADLINE_S
    while after.threads > before.threads and time.monotonic() < end:  # asyncio waits for each child in a thread
        after = held()
    assert (after.descriptors, after.threads, after.children) == (before.descriptors, before.threads, 0)


def test_a_child_that_is_stopped_and_whose_socket_is_closed_is_ended(tmp_path: Path) -> None:
    async def live() -> Death:
        told: list[Death] = []
        child = await Child.spawn(["sh", "-c", "exec sleep 1000", "sh"], on_message=lambda _: None, on_end=told.append)
        os.kill(child.pid, signal.SIGSTOP)
        child.hang_up()
        await asyncio.wait_for(child.ended, DEADLINE_S)
        return told[0]

    assert asyncio.run(live()).signal_name == "SIGKILL"


@pytest.mark.parametrize("seed", [1])
def test_a_mix_of_misdeeds_ends_as_each_video_deserves(bench: Bench, seed: int) -> None:
    deserved = mix(bench, 60, random.Random(seed), QUICK)
    assert run_mix(deserved, bench, stall_s=20) == []
