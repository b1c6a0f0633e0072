"""The real scheduler under a virtual clock, an injected ledger and workers of every nature: its rules hold, by seed."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sim_time import Violation
from sim_world import World

from pipeline.engine import dispatch
from pipeline.engine.dispatch import Dispatcher
from pipeline.engine.scheduler import Queue, Report

STEPS = 1500
"""Steps with faults of a world; as many again and more follow until its runs are over."""
SEEDS = range(1, 6)


def test_nothing_is_lost_doubled_or_starved_whatever_befalls_engines_workers_and_runs() -> None:
    kinds: Counter[str] = Counter()
    for seed in SEEDS:
        world = World(seed, STEPS)
        world.run()
        kinds += world.time.kinds
    for kind in ("killed with a job", "refused", "suspend", "close", "told finished stopped", "command Retry"):
        assert kinds[kind], f"{kind} never happened"


def test_a_seed_gives_the_same_course_each_time() -> None:
    courses = []
    for _ in range(2):
        world = World(99, 600)
        world.run()
        courses.append((world.time.digest, world.time.steps))
    assert courses[0] == courses[1]


def _kills_are_charged(real: Callable[..., Report]) -> Callable[..., Report]:
    def report_death(*about: Any, **more: Any) -> Report:
        report = real(*about, **more)
        return Report("crashed", report.failure) if report.outcome == "killed" else report

    return report_death


def _unfenced(real: Callable[..., None]) -> Callable[..., None]:
    def worker_said(self: Any, worker: Any, message: dict[str, Any]) -> None:
        token = {"token": worker.running.job.token} if worker.running else {}
        real(self, worker, message | token)

    return worker_said


def _at_once(_: Callable[..., None]) -> Callable[..., None]:
    def add_later(queue: Queue, job_id: int, due_s: float, *, alone: bool = False) -> None:
        queue.add(job_id, alone=alone)

    return add_later


@pytest.mark.parametrize(
    ("place", "name", "broken", "words"),
    [
        (Dispatcher, "worker_said", _unfenced, "never said so"),
        (dispatch, "report_death", _kills_are_charged, "an innocent job is"),
        (Queue, "add_later", _at_once, "before its pause is over"),
        (Queue, "add_first", lambda _: lambda *_, **__: None, "jobs without a place"),
    ],
)
def test_a_rule_that_is_broken_on_purpose_is_seen(
    place: Any, name: str, broken: Callable[[Any], Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, broken(getattr(place, name)))
    with pytest.raises(Violation, match=words):
        for seed in range(1, 30):
            World(seed, 300).run()
