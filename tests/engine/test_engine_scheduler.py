"""What the end of an attempt makes of its job, and which job is next: pure decisions, no clock, no process."""

from dataclasses import replace

import pytest

from pipeline.engine.faults import Fault, Trouble
from pipeline.engine.records import NO_IDENTITY, JobRecord
from pipeline.engine.scheduler import Queue, Report, judge, retry_pause, runs_alone
from pipeline.errors import RETRY
from pipeline.model import FailureClass, JobState, Stage
from pipeline.sections import EngineSettings

LIMITS = EngineSettings()
JOB = JobRecord(
    job_id=1,
    run_id=1,
    source=b"/a",
    relative=b"a",
    identity=NO_IDENTITY,
    content_id="",
    state=JobState.RUNNING,
    attempt=1,
    attempts=1,
    crashes=0,
    engine_deaths=0,
    kills=0,
    token="t",
    failure=None,
    stage=None,
    message="",
    detail="",
    reason="",
    duplicate_of=0,
    reused=False,
    ended_s=0.0,
    result={},
)


def failed(failure: FailureClass) -> Report:
    return Report("failed", failure)


def test_text_that_cannot_be_read_is_no_fault_of_a_model_host() -> None:
    report = Report("failed", FailureClass.MODEL, Stage.TEXT)
    tried = replace(JOB, attempts=LIMITS.max_attempts)
    assert judge(tried, report, LIMITS, alone=False, host_ready=False).ending.state is JobState.FAILED
    assert judge(tried, replace(report, stage=Stage.EMBED), LIMITS, alone=False, host_ready=False).hold is Fault.HOST


@pytest.mark.parametrize("outcome", ["done", "partial", "skipped", "cancelled"])
def test_an_ordinary_end_is_final(outcome: str) -> None:
    assert judge(JOB, Report(outcome), LIMITS, alone=False, host_ready=True).ending.state == JobState(outcome)


def test_a_job_given_back_is_queued_and_not_charged() -> None:
    ending = judge(JOB, Report("stopped"), LIMITS, alone=False, host_ready=True).ending
    assert (ending.state, ending.charged) == (JobState.QUEUED, False)


@pytest.mark.parametrize("failure", sorted(set(FailureClass) - RETRY))
def test_bad_input_is_not_tried_again(failure: FailureClass) -> None:
    assert judge(JOB, failed(failure), LIMITS, alone=False, host_ready=True).ending.state is JobState.FAILED


def test_a_corrupt_video_is_quarantined_if_partial_results_are_not_wanted() -> None:
    verdict = judge(JOB, failed(FailureClass.CORRUPT), LIMITS, alone=False, host_ready=True, keep_partial=False)
    assert verdict.ending.state is JobState.QUARANTINED


def test_a_transient_failure_waits_longer_each_time_and_then_fails() -> None:
    pauses = []
    for attempts in (1, 2, 3):
        job = replace(JOB, attempts=attempts)
        verdict = judge(job, failed(FailureClass.IO), LIMITS, alone=False, host_ready=True)
        pauses.append((verdict.ending.state, verdict.pause_s))
    assert pauses == [(JobState.WAITING, 5.0), (JobState.WAITING, 10.0), (JobState.FAILED, 0.0)]
    assert retry_pause(40, LIMITS) == LIMITS.retry_pause_max_s


def test_a_worker_over_its_memory_cap_costs_the_video_nothing_until_it_ran_alone() -> None:
    report = Report("over_cap", FailureClass.OUT_OF_MEMORY)
    beside = judge(JOB, report, LIMITS, alone=False, host_ready=True)
    alone = judge(JOB, report, LIMITS, alone=True, host_ready=True)
    last = judge(replace(JOB, attempts=LIMITS.max_attempts), report, LIMITS, alone=True, host_ready=True)
    assert (beside.ending.state, beside.ending.charged, beside.alone) == (JobState.QUEUED, False, True)
    assert (alone.ending.state, alone.ending.charged, alone.alone) == (JobState.WAITING, True, True)
    assert last.ending.state is JobState.FAILED
    assert {beside.hold, alone.hold, last.hold} == {None}


@pytest.mark.parametrize("outcome", ["crashed", "stalled"])
def test_the_second_crash_or_stall_quarantines(outcome: str) -> None:
    report = Report(outcome, FailureClass.WORKER_CRASHED)
    first = judge(JOB, report, LIMITS, alone=False, host_ready=True).ending
    second = judge(replace(JOB, attempts=2, crashes=1), report, LIMITS, alone=False, host_ready=True).ending
    assert (first.state, first.crash) == (JobState.WAITING, True)
    assert (second.state, second.crash) == (JobState.QUARANTINED, True)


@pytest.mark.parametrize(
    ("failure", "host_ready", "trouble", "hold"),
    [
        (FailureClass.DISK_FULL, True, None, Fault.OUT_FULL),
        (FailureClass.MODEL, False, None, Fault.HOST),
        (FailureClass.OUT_OF_MEMORY, True, Trouble(Fault.MEMORY), Fault.MEMORY),
        (FailureClass.IO, True, Trouble(Fault.IN_GONE, b"/in"), Fault.IN_GONE),
        (FailureClass.CHANGED, True, Trouble(Fault.IN_GONE, b"/in"), Fault.IN_GONE),
        (FailureClass.DISK_FULL, True, Trouble(Fault.OUT_GONE, b"/out"), Fault.OUT_GONE),
        (FailureClass.IO, True, Trouble(Fault.PROCESSES), Fault.PROCESSES),
    ],
)
def test_a_fault_of_the_surroundings_holds_the_run_and_costs_the_video_nothing(
    failure: FailureClass, host_ready: bool, trouble: Trouble | None, hold: Fault
) -> None:
    job = replace(JOB, attempts=3)
    verdict = judge(job, failed(failure), LIMITS, alone=False, host_ready=host_ready, trouble=trouble)
    assert verdict.hold is hold
    assert (verdict.ending.state, verdict.ending.charged) == (JobState.QUEUED, False)


def test_a_fault_that_only_an_error_number_speaks_for_lets_the_job_run_alone_next() -> None:
    seen, guessed = Trouble(Fault.IN_GONE, b"/in"), Trouble(Fault.IN_GONE, b"/in", sure=False)
    lonely = [
        judge(JOB, failed(FailureClass.IO), LIMITS, alone=False, host_ready=True, trouble=trouble).alone
        for trouble in (seen, guessed)
    ]
    assert lonely == [False, True]


def test_running_out_of_memory_alone_counts_so_that_nothing_is_tried_for_ever() -> None:
    together = judge(JOB, failed(FailureClass.OUT_OF_MEMORY), LIMITS, alone=False, host_ready=True)
    assert (together.hold, together.ending.charged) == (None, False), "there is memory, so the run goes on"
    alone = judge(replace(JOB, attempts=3), failed(FailureClass.OUT_OF_MEMORY), LIMITS, alone=True, host_ready=True)
    assert together.alone
    assert (alone.hold, alone.ending.state) == (None, JobState.FAILED)


def test_a_model_failure_while_the_host_serves_is_the_videos_own() -> None:
    verdict = judge(JOB, failed(FailureClass.MODEL), LIMITS, alone=False, host_ready=True)
    assert (verdict.hold, verdict.ending.state, verdict.ending.charged) == (None, JobState.WAITING, True)


def test_kills_from_outside_cost_nothing_until_the_job_runs_alone() -> None:
    report = Report("killed", FailureClass.WORKER_CRASHED)
    fourth = judge(replace(JOB, kills=3), report, LIMITS, alone=False, host_ready=True)
    fifth = judge(replace(JOB, kills=4), report, LIMITS, alone=False, host_ready=True)
    assert (fourth.ending.state, fourth.ending.charged, fourth.alone) == (JobState.QUEUED, False, False)
    assert (fifth.ending.charged, fifth.alone) == (False, True)
    assert runs_alone(replace(JOB, kills=5), LIMITS)
    alone = judge(replace(JOB, kills=5), report, LIMITS, alone=True, host_ready=True)
    assert (alone.ending.charged, alone.ending.crash) == (True, True)


def test_a_changed_file_settles_again_but_not_for_ever() -> None:
    report = failed(FailureClass.CHANGED)
    assert judge(JOB, report, LIMITS, alone=False, host_ready=True).ending.state is JobState.SETTLING
    last = judge(replace(JOB, attempts=3), report, LIMITS, alone=False, host_ready=True).ending
    assert last.state is JobState.FAILED


def test_jobs_start_in_order_and_paused_ones_when_their_time_has_come() -> None:
    queue = Queue()
    for job_id in (1, 2):
        queue.add(job_id)
    queue.add_later(3, 10.0)
    assert queue.ripen(9.9) == []
    assert queue.take(0) == (1, False)
    assert queue.ripen(10.0) == [3]
    queue.add_first(4)
    assert [queue.take(1) for _ in range(4)] == [(4, False), (2, False), (3, False), None]
    assert len(queue) == 0


def test_a_job_that_is_taken_out_has_no_place_left() -> None:
    queue = Queue()
    queue.add(1)
    queue.add(2)
    queue.add(3, alone=True)
    queue.add_later(4, 1.0)
    for job_id in (1, 3, 4, 5):
        queue.drop(job_id)
    assert (len(queue), queue.ripen(2.0), queue.take(0), queue.take(0)) == (1, [], (2, False), None)


def test_a_job_that_must_run_alone_waits_until_nothing_else_runs() -> None:
    queue = Queue()
    queue.add(1, alone=True)
    queue.add(2)
    assert queue.take(0) == (2, False)
    assert queue.take(1) is None
    assert queue.take(0) == (1, True)
