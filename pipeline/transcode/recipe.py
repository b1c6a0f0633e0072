"""What will be done to a video: facts and settings in, a plan out; pure."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.text import plural
from pipeline.transcode import formats
from pipeline.transcode.facts import AudioFacts, MediaFacts, SubtitleFacts, VideoFacts
from pipeline.transcode.picture import Box, PicturePlan, plan_picture
from pipeline.transcode.settings import TranscodeSettings

Action = Literal["encode", "remux", "conforms"]

_KEYFRAME_SLACK = 1.1
_DEFAULT_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_MOST_CHANNELS = 8


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """What becomes of the picture: copied where `picture` is None."""

    index: int
    reasons: tuple[str, ...]
    """Why it is encoded again."""
    picture: PicturePlan | None
    rate: Fraction | None
    """The constant frame rate of the output, None where times are kept."""


@dataclass(frozen=True, slots=True)
class AudioPlan:
    """What becomes of a sound track: copied where `encoder` is empty."""

    index: int
    reasons: tuple[str, ...]
    encoder: str
    rate_hz: int
    layout: str
    kbps: int
    lone_channel: int


@dataclass(frozen=True, slots=True)
class SubtitlePlan:
    """What becomes of a subtitle track: copied where `codec` is empty."""

    index: int
    codec: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What will be done."""

    action: Action
    reasons: tuple[str, ...]
    """Why anything is done at all."""
    video: VideoPlan
    audio: tuple[AudioPlan, ...]
    subtitles: tuple[SubtitlePlan, ...]
    attachments: bool
    dropped: tuple[str, ...]
    """What the output does not hold of the source."""


def recipe(facts: MediaFacts, settings: TranscodeSettings, crop: Box | None = None) -> Recipe:
    """Return what is to be done; `crop` is where the picture is inside its borders, in pixels of the upright picture.

    Raises JobError (settings) where a stream is to be copied that the container cannot hold.
    """
    video = _video(facts, settings, crop)
    audio = tuple(
        _audio(track, settings, damaged=facts.damage.any or track.damaged) for track in chosen_audio(facts, settings)
    )
    planned = tuple((track, _subtitle(track, settings.output_format)) for track in facts.subtitles)
    subtitles = tuple(plan for _, plan in planned if plan is not None)
    attachments = settings.output_format == "mkv" and facts.attachments > 0
    unheld = [track for track, plan in planned if plan is None]
    dropped = (*_dropped(facts, settings, unheld, attachments=attachments), *_hdr_dropped(facts.video, video.picture))
    why = [*video.reasons, *(reason for plan in audio for reason in plan.reasons), *_container(facts, settings)]
    action: Action = "encode" if video.picture is not None else "remux" if why else "conforms"
    return Recipe(action, tuple(why), video, audio, subtitles, attachments, dropped)


def chosen_audio(facts: MediaFacts, settings: TranscodeSettings) -> tuple[AudioFacts, ...]:
    """Return the sound tracks that are taken."""
    tracks = [track for track in facts.audio if track.decodable]
    if settings.audio_codec == "none" or not tracks:
        return ()
    wanted = settings.audio_stream
    if wanted == "all":
        return tuple(tracks)
    if wanted.isdigit():
        found = [track for number, track in enumerate(facts.audio) if number == int(wanted) and track.decodable]
    else:
        found = [track for track in tracks if wanted and track.language.lower() == wanted.lower()]
    default = sorted(tracks, key=lambda track: not track.default)
    return ((found or default)[0],)


def _video(facts: MediaFacts, settings: TranscodeSettings, crop: Box | None) -> VideoPlan:
    found = facts.video
    held = formats.COPIED_VIDEO[settings.output_format]
    if settings.video_codec == "copy":
        if found.codec not in held:
            raise JobError(
                FailureClass.SETTINGS,
                f"{settings.output_format} cannot hold {found.codec or 'this codec'} as it is: "
                "choose mkv, or a codec to encode with.",
                stage=Stage.PROBE,
            )
        if facts.clock.missing:
            raise JobError(
                FailureClass.UNSUPPORTED,
                "It does not say when its pictures are shown, so they cannot be copied: encode it.",
                stage=Stage.PROBE,
            )
        return VideoPlan(found.index, (), None, None)
    picture = plan_picture(found, settings, crop)
    rate = None
    if settings.fps:
        rate = Fraction(settings.fps).limit_denominator(1001)
    elif settings.cfr:
        rate = Fraction(found.rate)
    reasons = [*_codec(facts, settings), *picture.changes]
    if rate is not None and found.frames > 1 and found.variable:
        reasons.append("its frame rate varies")
    elif rate is not None and found.fps and abs(float(rate) - found.fps) > 0.005 * found.fps:
        reasons.append(f"it has {found.fps:.2f} frames a second, not {float(rate):.2f}")
    limit_s = settings.keyframe_interval_s * _KEYFRAME_SLACK
    if limit_s and found.keyframe_gap_s > limit_s and found.duration_s > limit_s:
        reasons.append(f"its keyframes are up to {found.keyframe_gap_s:.1f} s apart")
    return VideoPlan(found.index, tuple(reasons), picture if reasons else None, rate)


def _codec(facts: MediaFacts, settings: TranscodeSettings) -> list[str]:
    reasons = []
    if facts.video.codec != settings.family:
        reasons.append(f"it is {facts.video.codec or 'of an unknown codec'}, not {settings.family}")
    if not facts.clock.sound:
        reasons.append("its times go back, jump, repeat or are missing")
    if facts.video.hidden:
        reasons.append("an edit list hides pictures of it")
    if facts.damage.any:
        reasons.append("it is damaged")
    return reasons


def _audio(track: AudioFacts, settings: TranscodeSettings, *, damaged: bool) -> AudioPlan:
    if settings.audio_codec == "copy":
        if track.codec not in formats.COPIED_AUDIO[settings.output_format]:
            raise JobError(
                FailureClass.SETTINGS,
                f"{settings.output_format} cannot hold {track.codec} sound as it is: choose mkv, or a codec for it.",
                stage=Stage.PROBE,
            )
        return AudioPlan(track.index, (), "", 0, "", 0, -1)
    channels = settings.audio_channels or min(track.channels, _MOST_CHANNELS)
    rate_hz = formats.sound_rate(settings.audio_codec, settings.audio_rate_hz or track.rate_hz)
    codec = formats.SOUND_FAMILIES[settings.audio_codec]
    reasons = []
    if track.codec != codec:
        reasons.append(f"its sound is {track.codec}, not {codec}")
    if damaged:
        reasons.append("its sound may be damaged")
    if channels != track.channels:
        reasons.append(f"its sound has {track.channels} channels, not {channels}")
    if settings.audio_rate_hz and rate_hz != track.rate_hz:
        reasons.append(f"its sound has {track.rate_hz} samples a second, not {rate_hz}")
    if track.lone_channel >= 0 and settings.audio_channels:
        reasons.append("only one channel of its sound is heard")
    lone = track.lone_channel if settings.audio_channels else -1
    encoder = settings.audio_codec if reasons else ""
    kbps = settings.audio_kbps or formats.KBPS_A_CHANNEL.get(settings.audio_codec, 0) * channels
    return AudioPlan(track.index, tuple(reasons), encoder, rate_hz, _DEFAULT_LAYOUTS[channels], kbps, lone)


def _subtitle(track: SubtitleFacts, output_format: str) -> SubtitlePlan | None:
    copied, encoded = formats.SUBTITLES[output_format]
    if track.codec in copied:
        return SubtitlePlan(track.index, "")
    return SubtitlePlan(track.index, encoded) if track.text else None


def _hdr_dropped(found: VideoFacts, picture: PicturePlan | None) -> tuple[str, ...]:
    """Return what an encoded picture no longer tells of HDR; one that is converted to SDR has no need of any."""
    if picture is None:
        return ()
    lost = [f"the {name} metadata" for name in found.hdr_told.dynamic]
    if found.hdr_told.static and not picture.hdr.static and not picture.to_sdr:
        lost.append(f"the HDR10 metadata (mastering display, brightness), which {picture.encoder} is not told")
    return tuple(lost)


def _container(facts: MediaFacts, settings: TranscodeSettings) -> list[str]:
    """Return why the container has to be written anew."""
    reasons = []
    kept = len(chosen_audio(facts, settings))
    if kept < len(facts.audio):
        reasons.append(f"it has {plural(len(facts.audio), 'sound track')}, not {kept}")
    if facts.format != settings.output_format:
        reasons.append(f"it is {facts.format.partition(',')[0]}, not {settings.output_format}")
    elif facts.index and facts.index != "front" and settings.faststart:
        reasons.append({"end": "its index is at the end", "fragments": "it is in fragments"}.get(facts.index, ""))
    if facts.damage.short_s and not facts.damage.any:
        reasons.append("its header gives a wrong duration")
    return reasons


def _dropped(
    facts: MediaFacts, settings: TranscodeSettings, subtitles: list[SubtitleFacts], *, attachments: bool
) -> tuple[str, ...]:
    taken = {track.index for track in chosen_audio(facts, settings)}
    lost = [
        *(["a second picture"] if facts.other_videos == 1 else []),
        *([f"{facts.other_videos} further pictures"] if facts.other_videos > 1 else []),
        *(["the cover"] if facts.covers else []),
        *(
            f"sound track {number} ({track.codec or 'unknown'}{f', {track.language}' if track.language else ''})"
            for number, track in enumerate(facts.audio)
            if track.index not in taken
        ),
        *(f"subtitles ({track.codec}), which {settings.output_format} cannot hold" for track in subtitles),
        *(f"a data track ({name})" for name in facts.data),
        *(["attachments"] if facts.attachments and not attachments else []),
    ]
    return tuple(lost)
