"""What a model of speech is asked and what it answers: a window of sound, and the segments that are said in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
"""Samples a second of all sound that is listened to; mono."""
LONGEST_S = 30.0
"""The longest window that a model takes."""

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of sound with speech in it, and how it is to be decoded."""

    samples: Samples
    language: str
    """Code of the language that is spoken, empty = to be found."""
    beam_size: int

    @property
    def nbytes(self) -> int:
        """Return the size of the samples."""
        return self.samples.nbytes

    def silent(self) -> "Window":
        """Return a window like it in which nothing is heard."""
        return Window(np.zeros_like(self.samples), self.language, self.beam_size)


class Segment(NamedTuple):
    """Words that belong together; times in seconds from the start of their window."""

    start_s: float
    end_s: float
    text: str
    avg_logprob: float
    """Mean logarithm of the probabilities of its tokens."""
    no_speech_prob: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What a model heard in one window."""

    language: str
    segments: tuple[Segment, ...]

    def to_message(self) -> dict[str, Any]:
        """Return the fields that cross a process border."""
        return {"language": self.language, "segments": [list(segment) for segment in self.segments]}

    @classmethod
    def from_message(cls, fields: Mapping[str, Any]) -> "Heard":
        """Return what a host sent. Raises TypeError, KeyError or ValueError if it is none."""
        segments = (
            Segment(float(start_s), float(end_s), str(text), float(avg_logprob), float(no_speech_prob))
            for start_s, end_s, text, avg_logprob, no_speech_prob in fields["segments"]
        )
        return cls(str(fields["language"]), tuple(segments))


@dataclass(frozen=True, slots=True)
class SpeechSpec:
    """Which model of speech it is, where it runs, and how many windows it takes at once."""

    key: str
    model: str
    """Size, as whisper calls it."""
    weights: str
    """Where the weights come from: an address or a file."""
    weights_sha256: str
    precision: str
    device: str
    batch_size: int

    def to_message(self) -> dict[str, Any]:
        """Return the fields that cross a process border."""
        return asdict(self)
