"""What is odd about a file, each with a code, a sentence, and what a transcode will do about it; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.text import plural
from pipeline.transcode import formats
from pipeline.transcode.facts import MediaFacts
from pipeline.transcode.settings import TranscodeSettings

COMMON_VIDEO = frozenset({"h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "prores", "mpeg2video", "mjpeg"})
COMMON_AUDIO = frozenset(
    {"aac", "mp3", "opus", "vorbis", "ac3", "eac3", "flac", "alac", "mp2", "dts"}
    | {f"pcm_{kind}" for kind in ("s16le", "s16be", "s24le", "s24be", "s32le", "f32le", "u8")}
)
"""Codecs that any program reads."""
COMMON_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is odd: `code` for programs, `sentence` for the operator, `will` what the settings do about it."""

    code: str
    sentence: str
    will: str


def problems_of(facts: MediaFacts, settings: TranscodeSettings) -> tuple[Problem, ...]:
    """Return all that is odd about a file, and what a transcode with these settings does about each."""
    copied = settings.video_codec == "copy"
    return (
        *_codec(facts, settings),
        *_times(facts, settings, copied=copied),
        *_picture(facts, settings, copied=copied),
        *_sound(facts, settings),
        *_container(facts, settings),
        *_damage(facts, settings, copied=copied),
    )


def _codec(facts: MediaFacts, settings: TranscodeSettings) -> Iterator[Problem]:
    codec = facts.video.codec
    if codec not in COMMON_VIDEO:
        will = "kept as it is" if settings.video_codec == "copy" else f"encoded as {settings.family}"
        yield Problem("rare_codec", f"Few programs read {codec or 'its codec'}.", will)


def _times(facts: MediaFacts, settings: TranscodeSettings, *, copied: bool) -> Iterator[Problem]:
    found = facts.video
    if found.variable:
        will = "kept as it is"
        if not copied and (settings.cfr or settings.fps):
            will = f"made constant at {settings.fps or _rate(found.rate)} frames a second"
        yield Problem("variable_frame_rate", f"Its frame rate varies around {found.fps:.2f} a second.", will)
    if facts.clock.backward:
        places = plural(facts.clock.backward, "time")
        yield Problem("times_back", f"Its clock goes back {places}.", _joined(copied=copied))
    if facts.clock.jumps:
        places = plural(facts.clock.jumps, "time")
        yield Problem("times_jump", f"Its clock leaps ahead {places}, with nothing in between.", _joined(copied=copied))
    if facts.clock.repeated:
        sentence = f"{plural(facts.clock.repeated, 'picture')} have the time of another one."
        yield Problem("times_repeated", sentence, "kept as they are" if copied else "one of them is shown")
    if facts.clock.missing:
        say = "says" if facts.clock.missing == 1 else "say"
        sentence = f"{plural(facts.clock.missing, 'picture')} {say} not when to be shown."
        yield Problem("times_missing", sentence, "kept as they are" if copied else "given the times in between")


def _joined(*, copied: bool) -> str:
    return "kept as it is: a copy cannot mend it" if copied else "the parts are joined without a gap"


def _rate(rate: str) -> str:
    top, _, bottom = rate.partition("/")
    return f"{int(top) / int(bottom or 1):.6g}"


def _picture(facts: MediaFacts, settings: TranscodeSettings, *, copied: bool) -> Iterator[Problem]:
    found = facts.video
    kept = "kept as it is"

    def will(wanted: bool, deed: str) -> str:
        return deed if wanted and not copied else kept

    if found.rotation_deg or found.mirrored:
        turn = f"{found.rotation_deg} degrees" if found.rotation_deg else "left to right"
        sentence = f"A flag says that the picture is to be turned by {turn}."
        if found.mirrored:
            sentence = (
                f"A flag says that the picture is to be mirrored{f' and turned by {turn}' if turn[0] in '129' else ''}."
            )
        yield Problem("rotation_flag", sentence, will(settings.upright, "turned upright"))
    if found.shape != 1:
        yield Problem(
            "pixels_not_square", f"Its pixels have the shape {found.sar}.", will(settings.square_pixels, "made square")
        )
    if found.interlaced:
        yield Problem("interlaced", "Its pictures are interlaced.", will(settings.deinterlace, "deinterlaced"))
    depth = formats.depth(settings.pixel_format) if settings.pixel_format else found.bit_depth
    if found.bit_depth > 8:
        deed = will(depth < found.bit_depth, f"reduced to {depth} bits")
        yield Problem("high_bit_depth", f"It has {found.bit_depth} bits a colour.", deed)
    if found.hdr:
        yield Problem("hdr", f"It is HDR ({found.hdr.upper()}).", will(depth == 8, "converted to SDR (BT.709)"))
    if "Dolby Vision" in found.hdr_told.dynamic and not found.hdr:
        sentence = "Its colours are Dolby Vision's own, which FFmpeg does not convert."
        yield Problem("dolby_vision", sentence, will(True, "encoded as they are, so they will look wrong"))
    if found.width % 2 or found.height % 2:
        sentence = f"Its size {found.width} x {found.height} is odd."
        yield Problem("odd_size", sentence, will("444" not in settings.pixel_format, "made even by a pixel"))


def _sound(facts: MediaFacts, settings: TranscodeSettings) -> Iterator[Problem]:
    encoded = settings.audio_codec not in ("copy", "none")
    if not facts.audio:
        yield Problem("no_audio", "It has no sound.", "the output has none either")
        return
    if len(facts.audio) > 1:
        will = "all are kept" if settings.audio_stream == "all" else "one is kept"
        yield Problem("several_audio", f"It has {len(facts.audio)} sound tracks.", _silent(settings) or will)
    for number, track in enumerate(facts.audio):
        name = "Its sound" if len(facts.audio) == 1 else f"Sound track {number}"
        encode = f"encoded as {formats.SOUND_FAMILIES[settings.audio_codec]}" if encoded else "kept as it is"
        if not track.decodable:
            yield Problem("audio_unreadable", f"{name} cannot be decoded.", "left out")
            continue
        if track.codec not in COMMON_AUDIO:
            yield Problem("rare_audio_codec", f"{name} is {track.codec}.", _silent(settings) or encode)
        if track.lone_channel >= 0:
            will = "put on all channels" if encoded and settings.audio_channels else "kept as it is"
            sentence = f"{name} is heard in one channel of {track.channels} only."
            yield Problem("audio_one_channel", sentence, _silent(settings) or will)
        if track.channels > 2:
            most = settings.audio_channels
            will = f"mixed to {plural(most, 'channel')}" if encoded and most and most != track.channels else "kept"
            yield Problem("many_channels", f"{name} has {track.channels} channels.", _silent(settings) or will)
        if track.rate_hz not in COMMON_RATES:
            will = "resampled" if encoded else "kept as it is"
            yield Problem("odd_audio_rate", f"{name} has {track.rate_hz} samples a second.", _silent(settings) or will)


def _silent(settings: TranscodeSettings) -> str:
    return "left out" if settings.audio_codec == "none" else ""


def _container(facts: MediaFacts, settings: TranscodeSettings) -> Iterator[Problem]:
    if facts.index == "end":
        yield Problem(
            "index_at_end", "Its index is at the end, so that playing cannot begin at once.", _index(settings)
        )
    if facts.index == "fragments":
        yield Problem("fragments", "It is in fragments, without one index for all.", _index(settings))
    if facts.format == "avi" and facts.damage.missing_frames:
        yield Problem("index_damaged", "Its index does not fit what is there.", "written anew")
    if facts.damage.short_s and not (facts.damage.missing_bytes or facts.damage.missing_frames):
        sentence = f"Its header promises {facts.header_duration_s:.1f} s; there are {facts.duration_s:.1f} s."
        yield Problem("wrong_duration", sentence, "the output's says the true one")


def _index(settings: TranscodeSettings) -> str:
    if settings.output_format in ("mp4", "mov"):
        return "put at the front" if settings.faststart else "written at the end"
    return f"{settings.output_format} has its own"


def _damage(facts: MediaFacts, settings: TranscodeSettings, *, copied: bool) -> Iterator[Problem]:
    damage, decoded = facts.damage, facts.decoded
    will = "what decodes is kept" if settings.salvage else "the job fails, unless salvage is on"
    if damage.missing_bytes or damage.missing_frames:
        what = [
            *([plural(damage.missing_frames, "picture")] if damage.missing_frames else []),
            *([plural(damage.missing_bytes, "byte")] if damage.missing_bytes else []),
        ]
        yield Problem("truncated", f"It ends early: {' and '.join(what)} missing.", will)
    if damage.faults or damage.marked:
        places = plural(len(damage.faults) + damage.marked, "place")
        yield Problem("corrupt", f"It is damaged in {places}.", will)
    if decoded is not None and (decoded.lost or decoded.damaged):
        share = 100 * decoded.share
        sentence = (
            f"{share:.1f} % of its pictures decode without error ({decoded.lost} lost, {decoded.damaged} damaged)."
        )
        yield Problem("undecodable", sentence, "kept as it is" if copied else will)
    if decoded is not None and decoded.sound_errors:
        sentence = f"Its sound has {plural(decoded.sound_errors, 'place')} that cannot be decoded."
        yield Problem("sound_damaged", sentence, "filled with silence")
