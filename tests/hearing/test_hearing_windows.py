"""Windows are cut at silences, hold every voice, none is longer than 30 s, and no more than one is held."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.hearing.voice import FRAME
from pipeline.hearing.windows import MOST_FRAMES, VoiceWindow, VoiceWindows

SECOND = 1 / (FRAME / 16_000)
"""Frames in a second."""


def cut(probabilities: list[float], *, min_silence_s: float = 2.0, pad_s: float = 0.1) -> list[VoiceWindow]:
    """Return the windows of a sound whose samples are the numbers of their frames."""
    windows = VoiceWindows(0.5, min_silence_s, pad_s)
    found = []
    for number, probability in enumerate(probabilities):
        found += windows.take(np.full(FRAME, number % 32_000, np.int16), [probability])
        assert len(windows._frames) <= MOST_FRAMES
    found += windows.finish()
    for window in found:
        assert len(window.samples) <= MOST_FRAMES * FRAME
        assert window.samples[0] == window.first % 32_000
        assert (np.diff(window.samples[::FRAME].astype(int)) == 1).all()
    return found


def spans(windows: list[VoiceWindow]) -> list[tuple[float, float]]:
    return [(round(window.start_s, 1), round(window.start_s + window.length_s, 1)) for window in windows]


def voice(*lengths_s: float) -> list[float]:
    """Return probabilities of silence, voice, silence and so on, each of a length in seconds."""
    return [p for place, length in enumerate(lengths_s) for p in [0.9 if place % 2 else 0.02] * round(length * SECOND)]


def test_silence_makes_no_window() -> None:
    assert cut(voice(300)) == []


def test_a_window_is_a_voice_with_a_little_around_it() -> None:
    assert spans(cut(voice(5, 3, 10, 2, 4))) == [(4.9, 8.1), (17.9, 20.1)]


def test_a_short_pause_stays_within_a_window() -> None:
    assert spans(cut(voice(5, 3, 1, 2, 4))) == [(4.9, 11.1)]
    assert spans(cut(voice(5, 3, 1, 2, 4), min_silence_s=0.5)) == [(4.9, 8.1), (8.9, 11.1)]


def test_a_click_is_no_voice() -> None:
    assert cut(voice(5, 0.1, 5)) == []


def test_a_full_window_is_cut_at_its_longest_silence() -> None:
    assert spans(cut(voice(0, 18, 0.3, 4, 1, 5, 0.5, 12, 1))) == [(0.0, 22.4), (23.2, 40.9)]


def test_a_voice_without_a_pause_is_cut_where_it_is_weakest_and_nothing_is_left_out() -> None:
    probabilities = voice(0, 70)
    probabilities[700] = 0.6
    found = cut(probabilities)
    assert found[0].first == 0
    assert found[1].first == 700
    assert sum(len(window.samples) for window in found) == len(probabilities) * FRAME


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.05, 40), st.floats(0.05, 40)), max_size=6),
    st.sampled_from([0.1, 0.5, 2.0, 30.0]),
    st.sampled_from([0.0, 0.1, 0.2]),
)
def test_every_voice_is_in_a_window_and_windows_do_not_overlap(
    parts: list[tuple[float, float]], min_silence_s: float, pad_s: float
) -> None:
    lengths = [length for part in parts for length in part]
    probabilities = voice(*lengths)
    found = cut(probabilities, min_silence_s=min_silence_s, pad_s=pad_s)
    held = np.zeros(len(probabilities) + 1, int)
    for window in found:
        held[window.first : window.first + len(window.samples) // FRAME] += 1
    assert held.max() <= 1
    place = 0
    for number, length in enumerate(lengths):
        count = round(length * SECOND)
        if number % 2 and count >= 20:  # A cut may leave a crumb of a voice that is too short to be one.
            assert held[place : place + count].sum() >= count - 8
        place += count


@pytest.mark.parametrize("pad_s", [0.0, 0.2])
def test_a_voice_that_ends_with_the_sound_is_whole(pad_s: float) -> None:
    assert spans(cut(voice(1, 2.0), pad_s=pad_s)) == [(round(1 - pad_s, 1), 3.0)]
