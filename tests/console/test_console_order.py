"""The order of the queue, kept up row by row."""

from dataclasses import replace

from console_script import job
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import JobState, Stage
from pipeline.snapshot import JobRow
from screens.order import SORTS, QueueOrder


def shown(order: QueueOrder) -> list[int]:
    return [order.row(position).job_id for position in range(len(order))]


def test_what_runs_comes_first_and_the_done_last() -> None:
    order = QueueOrder()
    states = (JobState.DONE, JobState.QUEUED, JobState.SKIPPED, JobState.RUNNING, JobState.FAILED, JobState.WAITING)
    order.update(tuple(job(i, state) for i, state in enumerate(states)))
    assert shown(order) == [3, 5, 1, 4, 0, 2]


def test_a_job_is_found_again_where_it_went() -> None:
    order = QueueOrder()
    rows = tuple(job(i) for i in range(5))
    order.update(rows)
    order.update((*rows[:3], replace(rows[3], state=JobState.RUNNING), rows[4]))
    assert order.position(3) == 0
    assert order.row(0).job_id == 3


def test_a_filter_hides_and_finds_by_name_state_and_stage() -> None:
    order = QueueOrder()
    order.update(
        (
            job(1, name="Beach.mp4"),
            job(2, JobState.RUNNING, name="hill.mp4", stage=Stage.EMBED),
            job(3, JobState.FAILED, name="[red].mp4"),
        )
    )
    for needle, expected in (("beach", [1]), ("embed", [2]), ("failed", [3]), ("[red]", [3]), ("", [2, 1, 3])):
        order.filter(needle)
        assert shown(order) == expected
    order.filter("beach")
    assert order.position(3) is None
    assert order.job(3) is not None


def test_another_run_replaces_everything() -> None:
    order = QueueOrder()
    order.update(tuple(job(i) for i in range(5)))
    order.update((job(90),))
    assert shown(order) == [90]
    assert order.position(0) is None
    order.update(())
    assert shown(order) == []


def test_each_order_puts_first_what_it_is_for() -> None:
    order = QueueOrder()
    order.update(
        (
            job(1, name="b.mp4", duration_s=10.0),
            job(2, JobState.RUNNING, name="C.mp4", duration_s=5.0, rate=2.0),
            job(3, JobState.FAILED, name="a.mp4", duration_s=0.0),
            job(4, JobState.RUNNING, name="d.mp4", duration_s=20.0, rate=9.0),
        )
    )
    expected = {
        "running first": [2, 4, 1, 3],
        "name": [3, 1, 2, 4],
        "length": [4, 1, 2, 3],
        "state": [3, 2, 4, 1],
        "rate": [4, 2, 1, 3],
    }
    assert list(SORTS) == list(expected)
    for name, ids in expected.items():
        order.sort_by(name)
        assert shown(order) == ids
        assert order.first_running() == min(ids.index(2), ids.index(4))


_states = st.lists(st.sampled_from(list(JobState)), min_size=0, max_size=12)


@given(st.lists(_states, min_size=1, max_size=6), st.sampled_from(["", "queued", "1"]), st.sampled_from(list(SORTS)))
def test_moving_single_rows_gives_what_sorting_all_gives(history: list[list[JobState]], needle: str, sort: str) -> None:
    kept, rows = QueueOrder(), ()
    kept.filter(needle)
    kept.sort_by(sort)
    for states in history:
        old: dict[int, JobRow] = {row.job_id: row for row in rows}
        lengths = [float(7 * i % 4 + len(states)) for i in range(len(states))]
        fresh = [
            job(i, state, name=f"{i}.mp4", duration_s=lengths[i], rate=lengths[i]) for i, state in enumerate(states)
        ]
        rows = tuple(old[row.job_id] if old.get(row.job_id) == row else row for row in fresh)
        kept.update(rows)
        new = QueueOrder()
        new.filter(needle)
        new.sort_by(sort)
        new.update(rows)
        assert shown(kept) == shown(new)
        assert all(kept.position(job_id) == position for position, job_id in enumerate(shown(kept)))
