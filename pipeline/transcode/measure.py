"""How much of a file decodes: everything is decoded once and nothing kept."""

from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.video.stream import VideoStream

from pipeline.media.open import open_media, prepare_decoder, translated
from pipeline.model import Stage
from pipeline.progress import Tick, no_tick
from pipeline.shortage import refuse_shortage
from pipeline.stage_sections import ProbeSettings
from pipeline.transcode.facts import Decoded, MediaFacts

EXACT = frozenset({"h264", "hevc", "av1", "mpeg2video", "mpeg1video", "prores", "dnxhd", "mjpeg", "ffv1", "vp9"})
"""Codecs of which each packet gives one picture, so that a picture that is missing is a loss."""

_READ_ERRORS = 8


def decoded(
    path: bytes,
    facts: MediaFacts,
    probe: ProbeSettings,
    threads: int,
    tick: Tick = no_tick,
    *,
    sound_only: bool = False,
) -> Decoded:
    """Decode all of the video and the sound and return how much of it did. Raises JobError."""
    pictures = damaged = refused = sound_errors = 0
    with open_media(path, Stage.PROBE, probe.max_pixels) as container, translated(Stage.PROBE):
        sounds = [track.index for track in facts.audio if track.decodable]
        wanted = [container.streams[index] for index in (sounds if sound_only else (facts.video.index, *sounds))]
        for stream in wanted:
            if isinstance(stream, VideoStream):
                prepare_decoder(stream, probe.max_pixels, threads)
        for _ in range(_READ_ERRORS):
            try:
                for packet in container.demux(wanted):
                    tick()
                    stream = packet.stream
                    try:
                        frames = stream.decode(packet if packet.size else None)  # type: ignore[attr-defined]
                    except EOFError:
                        continue
                    except (FFmpegError, UnicodeError, AttributeError, LookupError, ValueError) as error:
                        refuse_shortage(error, Stage.PROBE)
                        refused += isinstance(stream, VideoStream)
                        sound_errors += isinstance(stream, AudioStream)
                        continue
                    if isinstance(stream, VideoStream):
                        pictures += len(frames)
                        damaged += sum(frame.is_corrupt for frame in frames)
            except FFmpegError as error:
                refuse_shortage(error, Stage.PROBE)
            else:
                break
    if sound_only:
        return Decoded(0, 0, 0, sound_errors)
    return Decoded(pictures, lost_pictures(facts, pictures, refused), damaged, sound_errors)


def lost_pictures(facts: MediaFacts, shown: int, refused: int) -> int:
    """Return how many pictures are lost, of which the decoder `refused` some, when `shown` came out of it."""
    promised = facts.video.frames + facts.damage.missing_frames
    exact = facts.video.codec in EXACT and not facts.video.interlaced
    if exact:
        return max(0, promised - shown)
    return max(refused, facts.damage.missing_frames)
