"""Times are those of the calls, figures are what they say, and what got slower is told from what did not."""

import statistics
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from report_make import report, report_without_gpu, result, sample

from pipeline.benchmark.compare import compare, regressions, unlike
from pipeline.benchmark.judge import reasons_of
from pipeline.benchmark.measure import Call, Work, measure
from pipeline.benchmark.report import Method, Output, Result
from pipeline.benchmark.statistics import change, outliers, stable, statistics_of, windows

TRIES = 20
QUICK = Method(iterations=15, warmup_iterations=1, min_seconds=0.0)


def test_measured_times_agree_with_an_independent_timing_of_the_same_calls() -> None:
    own: list[float] = []

    def make(number: int) -> Call:
        def call() -> Work:
            began = time.monotonic()
            time.sleep(0.004)
            own.append(time.monotonic() - began)
            return Work(1)

        return call

    found = measure(make, Method(iterations=40, warmup_iterations=3, min_seconds=0.0), lambda *_: None)
    assert len(found.times_s) >= 40
    assert statistics.median(found.times_s) == pytest.approx(statistics.median(own[4:]), rel=0.05)
    assert found.first_s >= own[0]


class Ticks:
    """A clock that only calls move."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Clock:
    """A clock that only calls move, so that the load of a test run counts nothing; `bench_lab.py` does it for real."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._now_s, self._rng = 0.0, rng

    def __call__(self) -> float:
        return self._now_s

    def phased(self, seconds: float) -> Result:
        """Return the result of calls on a machine that is slower by 28 % in phases of five to ten seconds."""
        phases = np.cumsum(self._rng.uniform(5, 10, 20)) - 10 * self._rng.random() + self._now_s

        def call() -> Work:
            slow = 1.28 if np.searchsorted(phases, self._now_s) % 2 else 1.0
            self._now_s += seconds * slow * self._rng.lognormal(0, 0.03)
            return Work(1)

        return result(times_s=measure(lambda _: call, Method(), lambda *_: None, clock=self).times_s)

    def drifting(self, seconds: float) -> Result:
        """Return the result of calls on a machine whose neighbours slow it by up to 14 %, other for each result."""
        slow = self._rng.uniform(1, 1.14)

        def call() -> Work:
            self._now_s += seconds * slow * self._rng.lognormal(0, 0.03)
            return Work(1)

        def piece() -> float:
            return 0.001 * slow * self._rng.lognormal(0, 0.1)

        found = measure(lambda _: call, Method(min_seconds=3.0), lambda *_: None, clock=self, piece=piece)
        return result(times_s=found.times_s, paces_s=tuple(found.paces_s))

    def measured(self, seconds: float) -> Result:
        """Return the result of calls that take so long, a few percent more or less, and now and then far more."""

        def call() -> Work:
            hiccup = 5.0 if self._rng.random() < 0.05 else 1.0
            self._now_s += seconds * hiccup * self._rng.lognormal(0, 0.03)
            return Work(1)

        return result(times_s=measure(lambda _: call, QUICK, lambda *_: None, clock=self).times_s)


def test_a_slowdown_of_a_fifth_is_a_regression_and_none_is_none_in_twenty_of_twenty() -> None:
    clock = Clock(np.random.default_rng(7))
    found, false = 0, 0
    for _ in range(TRIES):
        before, same, slower = (report(clock.measured(seconds)) for seconds in (0.010, 0.010, 0.012))
        found += bool(regressions(compare(before, slower), 10))
        false += bool(regressions(compare(before, same), 10))
    assert (found, false) == (TRIES, 0)


def test_a_machine_of_two_speeds_neither_feigns_nor_hides_a_regression() -> None:
    clock = Clock(np.random.default_rng(7))
    found, false = 0, 0
    for _ in range(TRIES):
        before, same, slower = (report(clock.phased(seconds)) for seconds in (0.013, 0.013, 0.0156))
        found += bool(regressions(compare(before, slower), 10))
        false += bool(regressions(compare(before, same), 10))
    assert (found, false) == (TRIES, 0)


def test_a_machine_that_is_slower_at_times_neither_feigns_nor_hides_a_regression() -> None:
    clock = Clock(np.random.default_rng(7))
    found, false, by_clock_alone = 0, 0, 0
    for _ in range(TRIES):
        results = [clock.drifting(seconds) for seconds in (0.013, 0.013, 0.0156)]
        before, same, slower = map(report_without_gpu, results)
        told = compare(before, slower)
        found += bool(regressions(told, 10) or unlike(told, 10))
        false += bool(regressions(compare(before, same), 10))
        unpaced = [report_without_gpu(one.model_copy(update={"paces_s": ()})) for one in results]
        by_clock_alone += len(regressions(compare(*unpaced[:2]), 10)) + 1 - len(regressions(compare(*unpaced[::2]), 10))
    assert (found, false) == (TRIES, 0)
    assert by_clock_alone, "the machine has to be so slow at times that it matters"


@pytest.mark.parametrize(
    ("slower", "pace", "verdict"),
    [
        (1.2, 1.1, "regression"),
        (1.2, 0.85, "unlike"),
        (1.0, 1.3, "unlike"),
        (1.8, 1.3, "regression"),
        (0.7, 1.3, "none"),
    ],
)
def test_a_machine_that_is_far_slower_than_it_was_is_no_judge_of_small_changes(
    slower: float, pace: float, verdict: str
) -> None:
    before = result(times_s=[0.1] * 9, paces_s=(0.001,) * 9)
    after = result(times_s=[0.1 * slower * pace] * 9, paces_s=(0.001 * pace,) * 9)
    compared = compare(report_without_gpu(before), report_without_gpu(after))
    (one,) = compared.differences
    assert one.change == pytest.approx(slower - 1)
    assert one.pace == pytest.approx(pace - 1)
    assert [bool(regressions(compared, 10)), bool(unlike(compared, 10))] == [
        verdict == "regression",
        verdict == "unlike",
    ]
    with_gpu = compare(report(before), report(after)).differences[0]
    assert (with_gpu.pace, with_gpu.change) == (0, pytest.approx(slower * pace - 1))


def test_pieces_of_work_are_timed_beside_every_block_of_calls() -> None:
    clock, told = Ticks(), iter([0.001] * 5 + [0.003] * 500)

    def call() -> Work:
        clock.now_s += 0.1
        return Work(1)

    method = Method(iterations=4, warmup_iterations=0, min_seconds=3.0)
    found = measure(lambda _: call, method, lambda *_: None, clock=clock, piece=lambda: next(told))
    assert len(found.paces_s) == len(found.times_s) >= 30
    assert {found.paces_s[-1], max(found.paces_s)} == {0.003}
    assert found.paces_s == sorted(found.paces_s)


def test_calls_go_on_for_the_least_time_and_stop_at_the_most() -> None:
    def call() -> Work:
        time.sleep(0.002)
        return Work(1)

    longer = measure(lambda _: call, Method(iterations=2, min_seconds=0.05), lambda *_: None)
    assert len(longer.times_s) > 2
    assert sum(longer.times_s) >= 0.05
    shorter = measure(lambda _: call, Method(iterations=1000, max_seconds=0.02), lambda *_: None)
    assert 1 <= len(shorter.times_s) < 1000


def test_calls_that_take_minutes_are_warmed_up_no_longer_than_they_may_be_timed() -> None:
    clock = Ticks()

    def call() -> Work:
        clock.now_s += 45.0
        return Work(1)

    found = measure(lambda _: call, Method(warmup_iterations=9, max_seconds=60.0), lambda *_: None, clock=clock)
    assert (found.first_s, found.warmup_s, found.times_s) == (45.0, [45.0], [45.0, 45.0])


def test_calls_beside_others_do_not_count_while_there_are_enough_without_them() -> None:
    told = iter([0.0, 9.0, 0.0, 9.0, 0.0, 0.0])
    slept = iter([0.1] * 5 + [0.1] * 5 + [0.3, 0.3] + [0.1] * 30)
    clock = Ticks()

    def call() -> Work:
        clock.now_s += next(slept)
        return Work(1)

    method = Method(iterations=8, warmup_iterations=0, min_seconds=0.0)
    found = measure(lambda _: call, method, lambda *_: None, clock=clock, others=lambda: next(told))
    assert len(found.times_s) == len(found.works) >= 8
    assert found.disturbed_s
    assert max(found.times_s) < 0.2
    assert found.other_cores == 0.0


def test_where_others_never_cease_all_calls_count_and_that_is_told() -> None:
    clock = Ticks()

    def call() -> Work:
        clock.now_s += 0.1
        return Work(1)

    method = Method(iterations=8, warmup_iterations=0, min_seconds=0.0)
    found = measure(lambda _: call, method, lambda *_: None, clock=clock, others=lambda: 9.0)
    assert len(found.times_s) >= 8
    assert found.disturbed_s == []
    assert found.other_cores == pytest.approx(9.0)


def test_what_is_prepared_is_not_timed() -> None:
    def make(_: int) -> Call:
        time.sleep(0.01)
        return lambda: Work(1)

    assert statistics.median(measure(make, QUICK, lambda *_: None).times_s) < 0.01


@given(some.lists(some.floats(1e-6, 1e3), min_size=1, max_size=60))
def test_figures_are_in_order(times: list[float]) -> None:
    figures = statistics_of(times)
    assert figures.count == len(times)
    assert figures.min <= figures.p50 <= figures.p90 <= figures.p99 <= figures.max
    assert figures.min * 0.999 <= figures.mean <= figures.max * 1.001


def test_an_outlier_is_told_and_an_even_course_has_none() -> None:
    even = [1.0, 1.1, 0.9, 1.0, 1.05, 0.95]
    assert outliers(even) == ()
    assert outliers([*even, 9.0]) == (6,)


def test_the_last_three_windows_decide_on_stability() -> None:
    assert stable(windows([9.0, 9.0, 1.0, 1.0, 1.05, 1.0, 1.0, 1.0, 1.0, 1.0]))
    assert not stable(windows([1.0] * 8 + [1.5] * 2))
    assert not stable(windows([1.0, 1.0]))


def test_the_interval_holds_the_true_change() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        _, low, high = change(rng.normal(1, 0.05, 40).tolist(), rng.normal(1.1, 0.05, 40).tolist())
        held += low <= 0.1 <= high
    assert held >= 88


CODES = {
    "too_few_samples": {"times_s": (1.0, 1.0)},
    "unstable": {"windows_s": (1.0, 1.0, 1.2)},
    "throttled": {"samples": (sample(throttle="heat"),)},
    "other_load": {"other_cores": 0.5},
    "wrong_output": {"output": Output(problem="a vector is not finite")},
    "errors": {"errors": {"timed out": 2}},
}


def judged(**changes: object) -> list[str]:
    usual = {
        "times_s": (1.0,) * 5,
        "windows_s": (1.0, 1.0, 1.0),
        "samples": (sample(),),
        "other_cores": 0.0,
        "output": Output(),
        "method": Method(iterations=5),
        "cores": 2,
        "errors": {},
    }
    reasons = reasons_of(**{**usual, **changes})  # type: ignore[arg-type]
    assert all(reason.text and reason.recommendation for reason in reasons)
    return [reason.code for reason in reasons]


def test_a_result_with_nothing_against_it_is_valid() -> None:
    assert judged() == []


@pytest.mark.parametrize("code", CODES)
def test_each_doubt_makes_a_result_invalid(code: str) -> None:
    assert judged(**CODES[code]) == [code]
