"""Rates, the estimate of the end, the bottleneck and the number of workers, as plain arithmetic."""

import pytest

from pipeline.engine.rates import Estimate, StageRates, Window, bottleneck
from pipeline.engine.tuning import GIB, plan_workers
from pipeline.model import Stage
from pipeline.sections import EngineSettings


def test_a_window_forgets_what_is_older_than_it() -> None:
    window = Window(10.0)
    assert window.per_s(0.0) == 0.0
    window.add(0.0, 50.0)
    window.add(5.0, 50.0)
    assert window.per_s(5.0) == 20.0
    assert window.per_s(12.0) == 5.0
    assert window.per_s(100.0) == 0.0


def test_percentiles_are_of_what_was_seen() -> None:
    rates = StageRates(Window(10.0), Window(10.0))
    assert rates.percentile(0.5) == 0.0
    for seconds in range(100):
        rates.passed(float(seconds))
    assert (rates.percentile(0.5), rates.percentile(0.95), rates.done) == (50.0, 95.0, 100)


def test_the_estimate_weighs_jobs_by_duration_times_pixels() -> None:
    estimate = Estimate()
    estimate.add(1, 1000, 100.0)
    estimate.add(2, 1000, 900.0)
    assert estimate.seconds_left(10.0, [0.0]) is None, "nothing is known before a first job is done"
    estimate.drop(1, 1000)
    estimate.done(1000, 100.0, 10.0)
    left = estimate.seconds_left(10.0, [])
    assert left and left[0] == pytest.approx(90.0)
    assert left[1] < left[0] < left[2]


def test_a_video_not_yet_opened_is_weighed_by_its_size() -> None:
    estimate = Estimate()
    estimate.add(1, 1000, 0.0)
    estimate.add(2, 3000, 0.0)
    estimate.drop(1, 1000)
    estimate.done(1000, 50.0, 5.0)
    left = estimate.seconds_left(5.0, [])
    assert left and left[0] == pytest.approx(15.0)


def test_one_tiny_video_tells_nothing_of_large_ones() -> None:
    estimate = Estimate()
    estimate.add(1, 1_000_000, 0.0)
    for _ in range(4):
        estimate.done(1000, 1.0, 5.0)
        assert estimate.seconds_left(5.0, [0.0]) is None
    estimate.done(1000, 1.0, 5.0)
    assert estimate.seconds_left(25.0, [])


def test_what_is_left_of_the_last_videos_follows_from_how_far_they_are_before_any_is_done() -> None:
    estimate = Estimate()
    estimate.add(1, 1000, 100.0)
    estimate.add(2, 1000, 0.0)
    assert estimate.seconds_left(30.0, [0.5]) is None, "one has not begun"
    assert estimate.seconds_left(30.0, [0.5, 0.01]) is None, "too little is known of the second"
    left = estimate.seconds_left(30.0, [0.5, 0.25])
    assert left and left[0] == pytest.approx(90.0)
    assert left[1] < left[0] < left[2]


def test_work_that_was_whole_already_does_not_count_and_the_range_narrows() -> None:
    estimate = Estimate()
    estimate.add(1, 1000, 100.0)
    widths = []
    for _ in range(50):
        estimate.done(1000, 100.0, 10.0)
        left = estimate.seconds_left(500.0, [])
        assert left
        widths.append((left[2] - left[1]) / left[0])
    assert widths[-1] < widths[0]


def test_the_bottleneck_is_named_in_one_sentence() -> None:
    quiet = {Stage.SCENES: 0.1}
    assert bottleneck(quiet, waiting_for_host=0, busy=0, workers=2, host_share=0.0) == ""
    told = bottleneck(quiet, waiting_for_host=1, busy=2, workers=2, host_share=0.2)
    assert told == "The model host is the bottleneck: 1 of 2 busy workers waits for it."
    told = bottleneck(quiet, waiting_for_host=2, busy=2, workers=2, host_share=0.0, loading=True)
    assert told == "Models are being loaded: 2 of 2 busy workers wait for them."
    told = bottleneck(quiet, waiting_for_host=0, busy=2, workers=2, host_share=0.95)
    assert told == "The model host is the bottleneck: it is busy 95% of the time."
    told = bottleneck({Stage.SCENES: 0.9, Stage.CROP: 0.1}, waiting_for_host=0, busy=2, workers=2, host_share=0.2)
    assert told == "Scenes is the bottleneck: 90% of the time of all workers goes there."


@pytest.mark.parametrize(
    ("cores", "memory_gib", "gpus", "workers"),
    [(2, 64, (), 1), (16, 64, (), 8), (16, 8, (), 2), (64, 512, (80_000_000_000,), 20), (1, 1, (1_000_000_000,), 1)],
)
def test_the_number_of_workers_follows_the_formula(
    cores: int, memory_gib: int, gpus: tuple[int, ...], workers: int
) -> None:
    plan = plan_workers(EngineSettings(), core_count=cores, free_memory_bytes=memory_gib * GIB, gpu_memory_bytes=gpus)
    assert plan.workers == workers
    assert plan.decode_threads == max(1, cores // workers)
    assert str(workers) in plan.sentence


def test_a_number_asked_for_wins() -> None:
    assert plan_workers(EngineSettings(workers=7), core_count=2, free_memory_bytes=GIB).workers == 7
    assert plan_workers(EngineSettings(workers=7), core_count=2, free_memory_bytes=GIB, wanted=3).workers == 3
