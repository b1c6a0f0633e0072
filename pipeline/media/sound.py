"""Decodes the sound of a file into 16 kHz mono, piece after piece in presentation time, and notes what is lost."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from numpy.typing import NDArray

from pipeline.media.open import open_media
from pipeline.media.result import LostSpan
from pipeline.model import Stage
from pipeline.models.speech import RATE_HZ
from pipeline.shortage import refuse_shortage
from pipeline.stages.probe import start_seconds

if TYPE_CHECKING:
    SoundPacket: TypeAlias = Packet[AudioStream]
else:
    SoundPacket = Packet  # PyAV's class takes no parameter at run time.

DAMAGED, BROKEN, ENDS_EARLY = "damaged sound", "sound: the container is broken", "the sound ends early"
UNKNOWN = "sound that FFmpeg cannot decode"
"""Reasons."""
_BREAK_S = 0.1
"""A gap in the times of the packets from which on it is one; less is the rounding of a container's clock."""
_LEAST_S = 0.1
"""What is lost at least where nobody knows how much."""
_MOST_SPANS = 1000
_SLACK_S, _SLACK_SHARE = 0.5, 0.01
_BELIEVED_S = 7 * 86_400.0
_TRUE_LENGTHS = ("mov,mp4,m4a,3gp,3g2,mj2", "avi", "wav")
"""Formats that tell the length of a track, and did so when it was known."""
_DAMAGE = (av.error.FFmpegError, UnicodeError, AttributeError, LookupError, ValueError, OverflowError)
"""What PyAV raises over damaged packets."""


class Sound(NamedTuple):
    """A piece of sound; one that does not begin where the last one ended follows a gap."""

    start_s: float
    """In presentation seconds."""
    samples: NDArray[np.int16]


class SoundTrack:
    """One sound track of a file; `lost` says, once `pieces` has come to its end, what could not be read."""

    def __init__(self, path: bytes, wanted: str, max_pixels: int) -> None:
        """`wanted` is a number counted from 0 or a language; where there is no such track, the default one is read."""
        self._path, self._wanted, self._max_pixels = path, wanted, max_pixels
        self.lost: list[LostSpan] = []

    def pieces(self) -> Iterator[Sound]:
        """Decode; nothing comes of a file without sound. Raises JobError."""
        self.lost.clear()
        with open_media(self._path, Stage.SPEECH, self._max_pixels) as container:
            stream = _chosen(container, self._wanted)
            if stream is None:
                return
            if stream.codec_context is None:
                self._lose(0.0, (container.duration or 0) / av.time_base, UNKNOWN)
                return
            line = _Line(start_seconds(container))
            yield from self._decoded(container, stream, line)
            if line.known and self.lost[:1] == [LostSpan(0.0, _LEAST_S, DAMAGED)]:
                del self.lost[0]  # A track may begin in the midst of a packet: nothing is missing.
            self._ending(container, stream, line)

    def _decoded(self, container: InputContainer, stream: AudioStream, line: "_Line") -> Iterator[Sound]:
        resampler = _Resampler()
        for packet in self._packets(container, stream, line):
            try:
                frames = stream.codec_context.decode(packet if packet.size else None)
            except _DAMAGE as error:
                refuse_shortage(error, Stage.SPEECH)
                start_s = line.time_of(packet)
                self._lose(start_s, start_s + float((packet.duration or 0) * (packet.time_base or 0)), DAMAGED)
                continue
            for frame in frames:
                if line.breaks_at(frame):
                    yield from line.sounds(resampler.rest())
                    line.go_to(frame)
                yield from line.sounds(resampler.through(frame))
        yield from line.sounds(resampler.rest())

    def _packets(self, container: InputContainer, stream: AudioStream, line: "_Line") -> Iterator[SoundPacket]:
        """Yield packets up to a place that cannot be read."""
        try:
            yield from container.demux(stream)
        except _DAMAGE as error:
            refuse_shortage(error, Stage.SPEECH)
            self._lose(line.at_s, line.at_s, BROKEN)

    def _ending(self, container: InputContainer, stream: AudioStream, line: "_Line") -> None:
        """Compare what the track promises with what there was."""
        if container.format.name not in _TRUE_LENGTHS or not stream.duration or not stream.time_base:
            return
        promised_s = float(((stream.start_time or 0) + stream.duration) * stream.time_base) - line.zero_s
        if line.at_s + max(_SLACK_S, _SLACK_SHARE * promised_s) < promised_s <= _BELIEVED_S:
            self._lose(line.at_s, promised_s, ENDS_EARLY)

    def _lose(self, start_s: float, end_s: float, reason: str) -> None:
        """Note a lost part; what touches the one before is one with it."""
        start_s = max(0.0, start_s)
        end_s = max(start_s + _LEAST_S, end_s)
        last = self.lost[-1] if self.lost else None
        if last and ((last.reason == reason and start_s <= last.end_s + _BREAK_S) or len(self.lost) >= _MOST_SPANS):
            self.lost[-1] = LostSpan(last.start_s, max(last.end_s, end_s), last.reason)
        else:
            self.lost.append(LostSpan(start_s, end_s, reason))


class _Line:
    """Where in presentation time the next sample belongs."""

    def __init__(self, zero_s: float) -> None:
        self.zero_s = zero_s
        self.at_s = 0.0
        self.known = False
        """Whether any sound came."""

    def time_of(self, found: AudioFrame | SoundPacket) -> float:
        """Return when a frame or packet says that it is heard; where it does not say, after the last one."""
        ticks, base = found.pts, found.time_base
        return self.at_s if ticks is None or not base else float(ticks * base) - self.zero_s

    def breaks_at(self, frame: AudioFrame) -> bool:
        """Whether a frame is the first, or leaves a gap; one that lies in the past is heard when it comes."""
        return not self.known or _BREAK_S < self.time_of(frame) - self.at_s < _BELIEVED_S

    def go_to(self, frame: AudioFrame) -> None:
        """Go on where a frame begins."""
        self.at_s, self.known = max(0.0, self.time_of(frame)), True

    def sounds(self, found: Iterator[NDArray[np.int16]]) -> Iterator[Sound]:
        """Yield blocks of samples, int16 (n,) at RATE_HZ, with the seconds at which they begin."""
        for samples in found:
            yield Sound(self.at_s, samples)
            self.at_s += len(samples) / RATE_HZ


class _Resampler:
    """Brings frames to 16 kHz mono; frames of another kind get a new resampler."""

    def __init__(self) -> None:
        self._kind: tuple[object, ...] = ()
        self._made: AudioResampler | None = None

    def through(self, frame: AudioFrame) -> Iterator[NDArray[np.int16]]:
        """Yield what comes out of a frame: int16 (n,)."""
        kind = (frame.sample_rate, frame.format.name, frame.layout.name, frame.layout.nb_channels)
        if kind != self._kind:
            yield from self.rest()
        if self._made is None:
            self._made, self._kind = AudioResampler(format="s16", layout="mono", rate=RATE_HZ), kind
        frame.pts = None  # The line keeps the time, and odd times would make it pad or drop.
        yield from map(_samples, self._made.resample(frame))

    def rest(self) -> Iterator[NDArray[np.int16]]:
        """Yield what it still holds: int16 (n,)."""
        made, self._made, self._kind = self._made, None, ()
        if made is not None:
            yield from map(_samples, made.resample(None))


def _samples(frame: AudioFrame) -> NDArray[np.int16]:
    return np.asarray(frame.to_ndarray().reshape(-1), np.int16)


def _chosen(container: InputContainer, wanted: str) -> AudioStream | None:
    """Return the track that is wanted, or the default one, if there is any; one that can be decoded comes first."""
    tracks = list(container.streams.audio)
    able = [track for track in tracks if track.codec_context is not None]
    if wanted.isdigit():
        found = [track for track in tracks[int(wanted) : int(wanted) + 1] if track in able]
    else:
        found = [track for track in able if wanted and (track.language or "").lower() == wanted.lower()]
    default = sorted(able or tracks, key=lambda track: not track.disposition & Disposition.default)
    return next(iter(found or default), None)
