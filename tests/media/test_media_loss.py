"""Marks of the demuxer are told from joints by whether a picture is missing near them (the times are of real files)."""

import pytest

from pipeline.media.loss import cuts

STEP = 3750
DECODED = (0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 15, 13, 14, 18, 16, 17, 21, 19, 20)
"""Pictures in the order of the file: two B-frames behind each P-frame."""


def ticks(*lost: int) -> list[int]:
    """Return the times of packets in the order of the file, without the pictures that are `lost`."""
    return [number * STEP for number in DECODED if number not in lost]


@pytest.mark.parametrize("behind", [0, 1, 2, 3])
def test_a_picture_missing_soon_behind_a_marked_packet_is_a_cut(behind: int) -> None:
    lost = 9
    place = DECODED.index(lost) - 1 - behind
    assert cuts(ticks(lost), [place], joined=True) == [ticks(lost)[place]]


def test_a_mark_where_every_picture_came_is_a_joint() -> None:
    assert cuts(ticks(), [9], joined=True) == []
    assert cuts(ticks(), [9], joined=False) == [ticks()[9]]


@pytest.mark.parametrize("behind", [0, 1, 2, 3])
def test_a_mark_so_near_the_end_that_the_last_picture_may_be_missing_is_a_cut(behind: int) -> None:
    cut = ticks(19, 20)
    place = len(cut) - 1 - behind
    assert cuts(cut, [place], joined=True) == [cut[place]]
