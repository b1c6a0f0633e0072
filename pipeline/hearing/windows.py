"""Cuts a sound into windows with voices in them: at silences, and none longer than a model of speech can take."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.hearing.voice import FRAME
from pipeline.models.speech import LONGEST_S, RATE_HZ

_FRAME_S = FRAME / RATE_HZ
MOST_FRAMES = int(LONGEST_S / _FRAME_S)
_EARLIEST_CUT = MOST_FRAMES // 2
_HYSTERESIS = 0.15
"""How far below the threshold a voice goes on."""
_LEAST_SILENCE = 3
"""Frames without a voice that make a silence at which a full window may be cut."""
_LEAST_VOICED = 8
"""Frames (a quarter of a second) with a voice below which a window holds none."""

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class VoiceWindow:
    """A stretch of sound with a voice in it; `first` counts frames from the beginning of the sound."""

    first: int
    samples: Samples

    @property
    def start_s(self) -> float:
        """When it begins, from the beginning of the sound."""
        return self.first * _FRAME_S

    @property
    def length_s(self) -> float:
        """How long it is."""
        return len(self.samples) / RATE_HZ


class VoiceWindows:
    """Takes frame after frame, holds no more than a window of them."""

    def __init__(self, threshold: float, min_silence_s: float, pad_s: float) -> None:
        """A voice begins at `threshold`; it is over after `min_silence_s`, and its window has `pad_s` on both sides."""
        self._high, self._low = threshold, max(0.01, threshold - _HYSTERESIS)
        self._silence = max(1, round(min_silence_s / _FRAME_S))
        self._pad = round(pad_s / _FRAME_S)
        self._frames: list[Samples] = []
        self._probabilities: list[float] = []
        self._first = 0
        """The number of the first frame that is held."""
        self._voice: int | None = None
        """The place among those held at which a voice begins, None while there is none."""
        self._end = 0
        """The place at which it was last heard to end."""
        self._cut_off = False
        """Whether that voice goes on from the window before."""

    def take(self, samples: Samples, probabilities: Iterable[float]) -> Iterator[VoiceWindow]:
        """Take the next frames with the probability of a voice in each; yield the windows that are over by then."""
        for place, probability in enumerate(probabilities):
            self._frames.append(samples[place * FRAME : (place + 1) * FRAME])
            self._probabilities.append(float(probability))
            yield from self._look(float(probability))

    def finish(self) -> Iterator[VoiceWindow]:
        """Yield the last window, if a voice is under way."""
        if self._voice is not None:
            yield from self._window(self._end, len(self._frames))
        self._go_on_from(len(self._frames))

    def _look(self, probability: float) -> Iterator[VoiceWindow]:
        """Judge the newest frame."""
        held = len(self._frames)
        if self._voice is None and probability < self._high:
            self._go_on_from(held - self._pad)
            return
        if self._voice is None:
            self._voice = held - 1
        if probability >= self._low:
            self._end = held
        if held - self._end >= self._silence:
            rest = min(self._end + self._pad, held)
            yield from self._window(self._end, rest)
            self._go_on_from(max(rest, held - self._pad))
        elif held >= MOST_FRAMES - self._pad:
            yield from self._cut()

    def _cut(self) -> Iterator[VoiceWindow]:
        """End a window that is full at its longest silence, or else where a voice is least likely."""
        quiet = self._longest_silence()
        if quiet:
            start, stop = quiet
            yield from self._window(min(start, self._end), stop)
            rest = max(min(start + self._pad, stop), stop - self._pad)
        else:
            later = self._probabilities[_EARLIEST_CUT:]
            rest = _EARLIEST_CUT + later.index(min(later))
            yield from self._window(rest, rest)
        again = list(zip(self._frames, self._probabilities, strict=True))[rest:]
        self._go_on_from(rest)
        self._frames, self._probabilities = [], []
        if not quiet:
            self._voice, self._cut_off = 0, True
        for frame, probability in again:
            yield from self.take(frame, [probability])

    def _window(self, end: int, limit: int) -> Iterator[VoiceWindow]:
        """Yield what is held up to `end` and a little after it, but not beyond `limit`, if enough of it is a voice."""
        assert self._voice is not None
        voiced = sum(probability >= self._low for probability in self._probabilities[self._voice : end])
        if voiced >= _LEAST_VOICED or self._cut_off:
            yield VoiceWindow(self._first, np.concatenate(self._frames[: min(end + self._pad, limit)]))

    def _longest_silence(self) -> tuple[int, int] | None:
        """Return the longest stretch of silence in the later half of what is held, the last of equal ones."""
        longest, start = (0, 0), _EARLIEST_CUT
        for place, probability in enumerate((*self._probabilities[_EARLIEST_CUT:], 1.0), _EARLIEST_CUT):
            if probability >= self._low:
                longest = max(longest, (start, place), key=lambda one: one[1] - one[0] + one[1] / 1e6)
                start = place + 1
        return longest if longest[1] - longest[0] >= _LEAST_SILENCE else None

    def _go_on_from(self, place: int) -> None:
        """Forget what is held before a place, and the voice in it."""
        place = max(0, place)
        del self._frames[:place], self._probabilities[:place]
        self._first += place
        self._voice, self._end, self._cut_off = None, 0, False
