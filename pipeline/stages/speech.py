"""Stage speech: finds where a voice is heard, and has the model host transcribe it window after window."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.hearing.voice import FRAME, VoiceDetector, detector
from pipeline.hearing.windows import VoiceWindow, VoiceWindows
from pipeline.media.result import LostSpan
from pipeline.media.sound import Sound, SoundTrack
from pipeline.models.client import HostClient
from pipeline.models.speech import RATE_HZ, Heard, Samples, Window
from pipeline.outputs.format import FeatureInfo
from pipeline.progress import StageClock
from pipeline.settings import PipelineSettings
from pipeline.stage_sections import SpeechSettings
from pipeline.text import visible

LISTENED_SHARE = 0.95
"""The share of a job that is done when the last window was handed over."""
_BLOCK = 64 * FRAME
"""Samples that are listened to at once: 2 s."""


class SpokenSegment(NamedTuple):
    """Words that belong together, in presentation seconds; the fields are columns of `/speech`."""

    start_s: float
    end_s: float
    text: str
    confidence: float
    """Geometric mean of the probabilities of its tokens."""
    no_speech_prob: float


@dataclass(frozen=True, slots=True)
class FoundSpeech:
    """What is said in one video."""

    segments: tuple[SpokenSegment, ...]
    language: str
    """Empty where no voice was found."""
    model: str
    weights: str
    detector: str
    windows: int
    """Windows that were transcribed."""
    lost: tuple[LostSpan, ...]


class SpeechStage:
    """Listens to the sound of one video; memory holds a window, and those under way to the model host."""

    def __init__(self, client: HostClient, settings: PipelineSettings, weights: str, clock: StageClock) -> None:
        """`weights` is the fingerprint of the model's weights."""
        self._client, self._settings, self._weights, self._clock = client, settings, weights, clock

    def listen(self, path: bytes, info: FeatureInfo) -> FoundSpeech:
        """Return what is said. A video without sound, or without a voice, asks no model. Raises JobError."""
        wanted = self._settings.speech
        track = SoundTrack(path, wanted.stream, self._settings.probe.max_pixels)
        places: list[tuple[float, float]] = []
        heard: dict[int, Heard] = {}
        language = wanted.language
        for start_s, window in windows(self._told(track, info), wanted):
            number = len(places)
            places.append((start_s, start_s + window.length_s))
            self._client.submit_window(wanted.model, number, Window(window.samples, language, wanted.beam_size))
            if not language:  # The first words decide for all: single ones in another language are rather misheard.
                heard |= self._collected()
                language = heard[number].language
        heard |= self._collected()
        segments = sorted(segment for number, place in enumerate(places) for segment in _within(heard[number], *place))
        return FoundSpeech(
            tuple(segments),
            language if places else "",
            wanted.model,
            self._weights,
            detector(),
            len(places),
            tuple(track.lost),
        )

    def _told(self, track: SoundTrack, info: FeatureInfo) -> Iterator[Sound]:
        """Yield the sound as far as the video was looked at, and tell how far it is."""
        begun, until_s = self._clock.share, info.duration_s if info.probe["cut_off"] else math.inf
        for sound in track.pieces():
            if sound.start_s >= until_s:
                return
            yield sound
            done = min(1.0, sound.start_s / info.duration_s) if info.duration_s > 0 else 0.0
            self._clock.moved(share=begun + (LISTENED_SHARE - begun) * done)

    def _collected(self) -> dict[int, Heard]:
        return {number: heard for (_, number), heard in self._client.collect_heard().items()}


def windows(sounds: Iterable[Sound], wanted: SpeechSettings) -> Iterator[tuple[float, VoiceWindow]]:
    """Yield each window with its start in presentation seconds; a long gap in the sound begins anew."""
    stretch = _Stretch(wanted, 0.0)
    for sound in sounds:
        gap_s = sound.start_s - stretch.end_s
        if gap_s > wanted.min_silence_s:
            yield from stretch.finish()
            stretch = _Stretch(wanted, sound.start_s)
        elif gap_s * RATE_HZ >= 1:
            yield from stretch.take(np.zeros(round(gap_s * RATE_HZ), np.int16))
        yield from stretch.take(sound.samples)
    yield from stretch.finish()


class _Stretch:
    """Sound without a gap, and the windows in it."""

    def __init__(self, wanted: SpeechSettings, start_s: float) -> None:
        self._start_s, self._samples = start_s, 0
        self._detector = VoiceDetector()
        self._cutter = VoiceWindows(wanted.voice_threshold, wanted.min_silence_s, wanted.pad_s)
        self._waiting: list[Samples] = []

    @property
    def end_s(self) -> float:
        """Where the next sample belongs."""
        return self._start_s + self._samples / RATE_HZ

    def take(self, samples: Samples) -> Iterator[tuple[float, VoiceWindow]]:
        """Take what is heard next; yield the windows that are over."""
        self._samples += len(samples)
        self._waiting.append(samples)
        if sum(map(len, self._waiting)) >= _BLOCK:
            held = np.concatenate(self._waiting)
            whole = len(held) // FRAME * FRAME
            self._waiting = [held[whole:]]
            yield from self._look(held[:whole])

    def finish(self) -> Iterator[tuple[float, VoiceWindow]]:
        """Yield the windows that are left."""
        held = np.concatenate([*self._waiting, np.zeros(0, np.int16)])
        yield from self._look(np.pad(held, (0, -len(held) % FRAME)))
        yield from map(self._placed, self._cutter.finish())

    def _look(self, samples: Samples) -> Iterator[tuple[float, VoiceWindow]]:
        yield from map(self._placed, self._cutter.take(samples, self._detector.probabilities(samples)))

    def _placed(self, window: VoiceWindow) -> tuple[float, VoiceWindow]:
        return self._start_s + window.start_s, window


def _within(heard: Heard, start_s: float, end_s: float) -> Iterator[SpokenSegment]:
    """Yield the segments of a window in presentation seconds; a model may tell times after the end of its window."""
    for found in heard.segments:
        begin_s = min(start_s + max(0.0, found.start_s), end_s)
        yield SpokenSegment(
            begin_s,
            min(max(start_s + found.end_s, begin_s), end_s),
            visible(found.text),
            math.exp(min(0.0, found.avg_logprob)),
            found.no_speech_prob,
        )
