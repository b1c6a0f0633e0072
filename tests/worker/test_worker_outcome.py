"""The words in which a worker tells how a job ended, and which jobs it gives back."""

import pytest

from pipeline.outcome import loss_sentence
from pipeline.worker import Inbox


@pytest.mark.parametrize(
    ("seconds", "frames", "told"),
    [
        (2.5, 60, "2.5 s (60 frames) could not be read"),
        (1.0, 0, "1.0 s could not be read"),
        (0.0, 1, "1 frame could not be read"),
    ],
)
def test_a_loss_is_told_in_what_is_known_of_it(seconds: float, frames: int, told: str) -> None:
    assert loss_sentence(seconds, frames) == told


def test_a_stop_that_spares_a_job_wants_all_others_back() -> None:
    inbox = Inbox()
    for token in ("running", "begun behind our back", "ahead"):
        inbox.take({"type": "job", "token": token})
    inbox.take({"type": "stop", "spare": "running"})
    inbox.take({"type": "job", "token": "later"})
    leases = [inbox.jobs.get_nowait() for _ in range(4)]
    assert [inbox.wanted_back(lease) for lease in leases] == [False, True, True, False]
    inbox.take({"type": "stop"})
    assert all(inbox.wanted_back(lease) for lease in leases)
