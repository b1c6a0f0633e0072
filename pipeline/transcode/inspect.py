"""Finds out what a media file holds and what is odd about it, by its content."""

import os
from dataclasses import replace
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from pipeline.errors import JobError
from pipeline.media.ebml import structure
from pipeline.media.header import header_seconds, track_end
from pipeline.media.open import PICTURE_FORMATS, open_media, prepare_decoder, translated, video_stream
from pipeline.model import FailureClass, Stage
from pipeline.progress import Tick, no_tick
from pipeline.stage_sections import ProbeSettings
from pipeline.stages.probe import check_size
from pipeline.transcode import words
from pipeline.transcode.atoms import index_place, lacks_index
from pipeline.transcode.facts import AudioFacts, ClockFacts, DamageFacts, MediaFacts, SubtitleFacts, VideoFacts
from pipeline.transcode.look import Picture, first_pictures, lone_channel
from pipeline.transcode.measure import decoded
from pipeline.transcode.rates import constant_rate
from pipeline.transcode.scan import Scan, Track, scan

_LONGEST_S = 7 * 86_400.0
_ABSURD_FPS = 1000.0
_STILL_BRANDS = frozenset({"avif", "heic", "heix", "mif1"})
_ENDS_TOLD = frozenset({"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "avi", "flv", "asf", "nut"})
"""Formats whose header is written when the length is known; of others it is estimated."""
_INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", "avi")
_SHORT_S, _SHORT_SHARE = 0.5, 0.01
_HEAD_BYTES = 128
_NO_INDEX = "Its index (moov) is missing: its recording was not ended, its end is cut off, or it is a part of a stream."
_TWICE = 0.02
_CHAPTER_S = 0.05
_TAG_CHARS = 200
_PROBE = ProbeSettings()


def inspect(
    path: bytes,
    probe: ProbeSettings = _PROBE,
    *,
    decode: bool = False,
    threads: int = 1,
    tick: Tick = no_tick,
) -> MediaFacts:
    """Return what the file at `path` (absolute) holds; its packets are read once, some pictures and sound decoded.

    With `decode`, all of the video and the sound is decoded to learn how much of it can be. Raises JobError (stage
    probe): empty without a moving picture, corrupt, unsupported, encrypted, too_large, io.
    """
    most = probe.max_pixels
    try:
        found = _scanned(path, most, tick)
    except JobError as error:
        if error.failure is FailureClass.CORRUPT and lacks_index(path):
            raise JobError(FailureClass.CORRUPT, _NO_INDEX, stage=Stage.PROBE, detail=error.detail) from error
        raise
    with open_media(path, Stage.PROBE, most) as container, translated(Stage.PROBE):
        stream = video_stream(container, Stage.PROBE)
        prepare_decoder(stream, most, 1)
        picture = first_pictures(container, stream)
        if picture.encrypted:
            raise JobError(FailureClass.ENCRYPTED, "The video is encrypted.", stage=Stage.PROBE)
        if picture.frame is not None:
            check_size(picture.frame.width, picture.frame.height, most, Stage.PROBE)
        facts = _facts(path, container, stream, found, picture)
        lone = [_lone(path, track, facts.duration_s, most) for track in facts.audio]
        facts = replace(facts, audio=tuple(replace(a, lone_channel=n) for a, n in zip(facts.audio, lone, strict=True)))
    return replace(facts, decoded=decoded(path, facts, probe, threads, tick)) if decode else facts


def _scanned(path: bytes, most: int, tick: Tick) -> Scan:
    with open_media(path, Stage.PROBE, most) as container, translated(Stage.PROBE):
        stream = video_stream(container, Stage.PROBE)
        check_size(stream.codec_context.width, stream.codec_context.height, most, Stage.PROBE)
        streams: list[Stream] = [stream, *container.streams.audio]
        return scan(container, streams, tick)


def _lone(path: bytes, track: AudioFacts, duration_s: float, most: int) -> int:
    if track.channels < 2 or not track.decodable:
        return -1
    with open_media(path, Stage.PROBE, most) as container, translated(Stage.PROBE):
        found = container.streams[track.index]
        return lone_channel(container, found, duration_s) if isinstance(found, AudioStream) else -1


def _facts(path: bytes, container: InputContainer, stream: VideoStream, found: Scan, picture: Picture) -> MediaFacts:
    own = found.tracks.get(stream.index, Track(0.0, is_video=True))
    start_s = min((_first_s(track) for track in found.tracks.values() if track.times), default=0.0)
    video = _video(stream, own, picture, start_s)
    audio = tuple(_audio(sound, found.tracks.get(sound.index), start_s) for sound in container.streams.audio)
    tracks: list[VideoFacts | AudioFacts] = [video, *audio]
    end_s = max((track.start_s + track.duration_s for track in tracks), default=0.0)
    if end_s > _LONGEST_S:
        raise JobError(
            FailureClass.CORRUPT, f"Its times say that it lasts {end_s / 86400:.0f} days.", stage=Stage.PROBE
        )
    header_s = header_seconds(container, stream)
    videos = [one for one in container.streams.video if one.index != stream.index]
    covers = sum(bool(one.disposition & Disposition.attached_pic) for one in videos)
    name = container.format.name
    tags = {key.lower(): value for key, value in container.metadata.items()}
    single = container.metadata.get("major_brand") in _STILL_BRANDS and own.packets <= 1
    return MediaFacts(
        container=name,
        format=words.format_of(name, container.metadata.get("major_brand", ""), _head(path)),
        size_bytes=os.stat(path).st_size,
        header_duration_s=header_s,
        duration_s=end_s,
        start_s=start_s,
        video=video,
        other_videos=len(videos) - covers,
        covers=covers,
        audio=audio,
        subtitles=tuple(_subtitle(one) for one in container.streams.subtitles if not _tells_chapters(container, one)),
        data=tuple(str(one.name or "data") for one in container.streams.data if "timecode" not in one.metadata),
        attachments=len(container.streams.attachments),
        chapters=len(container.chapters()),
        timecode=next((tags["timecode"] for tags in (tags, dict(stream.metadata)) if "timecode" in tags), ""),
        title=tags.get("title", ""),
        tags=tuple(
            (name, value[:_TAG_CHARS])
            for name, value in sorted(tags.items())
            if value and name not in words.OF_THE_CONTAINER
        ),
        index=index_place(path) if name.startswith("mov,") else "",
        is_picture=name in PICTURE_FORMATS or single,
        mark=words.mark_in(container.metadata),
        clock=ClockFacts(
            found.timeline.backward, found.timeline.jumps, _without_times(stream, own, picture), own.repeated()
        ),
        damage=_damage(path, container, stream, found, header_s),
    )


def _tells_chapters(container: InputContainer, stream: Stream) -> bool:
    """Whether a track of texts in an mp4 is how that keeps the names of its chapters."""
    starts = [float(one["start"] * (one["time_base"] or 0)) for one in container.chapters()]
    if not starts or not container.format.name.startswith("mov,") or len(stream.index_entries) != len(starts):
        return False
    shown = [float(entry.timestamp * (stream.time_base or 0)) for entry in stream.index_entries]
    return all(abs(one - other) < _CHAPTER_S for one, other in zip(shown, starts, strict=True))


def _without_times(stream: VideoStream, track: Track, picture: Picture) -> int:
    """Return how many pictures do not say when they are shown, which only those may that come in order."""
    if picture.disordered:
        return track.packets
    return track.timeless + (track.borrowed if stream.codec_context.has_b_frames else 0)


def _head(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read(_HEAD_BYTES)


def _video(stream: VideoStream, track: Track, picture: Picture, start_s: float) -> VideoFacts:
    context, frame = stream.codec_context, picture.frame
    shown = frame if frame is not None else context
    pixels = shown.format
    step_s, times = track.step_s(), track.sorted_times()
    variable = track.variable()
    span_s = float(times[-1] - times[0]) * track.tick_s if len(times) > 1 else 0.0
    fps = (len(times) - 1) / span_s if span_s > 0 else 0.0
    header = [stream.average_rate, stream.guessed_rate, stream.base_rate]
    header_fps = float(header[0] or header[1] or 0)
    fields = picture.interlaced and any(rate and abs(fps / float(rate) - 2) < _TWICE for rate in header)
    if fields:  # Each field has a packet of its own.
        fps, step_s = fps / 2, step_s * 2
    rate = constant_rate(fps, step_s, header, variable=variable)
    last_s = track.last_duration * track.tick_s
    held_s = last_s if 0 < last_s < 10 * (step_s or last_s) else step_s or float(1 / rate)
    flagged = picture.interlaced or context.field_order > 1
    sar = stream.sample_aspect_ratio
    return VideoFacts(
        index=stream.index,
        codec=context.codec.canonical_name,
        profile=stream.profile or "",
        tag=context.codec_tag.strip("\0 "),
        width=shown.width,
        height=shown.height,
        rotation_deg=picture.rotation_deg,
        mirrored=picture.mirrored,
        sar=f"{sar.numerator}:{sar.denominator}" if sar else "1:1",
        pixel_format=pixels.name if pixels is not None else "",
        bit_depth=max((part.bits for part in pixels.components), default=0) if pixels is not None else 0,
        range=words.range_of(int(shown.color_range), pixels.name if pixels is not None else ""),
        matrix=words.MATRICES.get(int(shown.colorspace), ""),
        primaries=words.PRIMARIES.get(int(shown.color_primaries), ""),
        transfer=words.TRANSFERS.get(int(shown.color_trc), ""),
        interlaced=picture.interlaced,
        field_order=words.FIELDS.get(context.field_order, "") if flagged else "",
        fps=fps if fps < _ABSURD_FPS else 0.0,
        header_fps=header_fps if header_fps < _ABSURD_FPS else 0.0,
        rate=str(rate),
        variable=variable,
        frames=(track.packets + 1) // 2 if fields else track.packets,
        hidden=track.hidden,
        keyframe_gap_s=track.key_gap_s(),
        start_s=max(0.0, _first_s(track) - start_s) if track.times else 0.0,
        duration_s=span_s + held_s if track.packets else 0.0,
        bit_rate=context.bit_rate or 0,
        language=stream.language or "",
        hdr_told=picture.hdr,
    )


def _audio(stream: AudioStream, track: Track | None, start_s: float) -> AudioFacts:
    context: Any = stream.codec_context
    first_s = _first_s(track) if track is not None and track.times else start_s
    end_s = track.end * track.tick_s if track is not None and track.end is not None else first_s
    return AudioFacts(
        index=stream.index,
        codec=context.codec.canonical_name if context is not None else "",
        profile=(stream.profile or "") if context is not None else "",
        channels=context.channels if context is not None else 0,
        layout=context.layout.name if context is not None else "",
        rate_hz=context.sample_rate or 0 if context is not None else 0,
        language=stream.language or "",
        title=stream.metadata.get("title", ""),
        default=bool(stream.disposition & Disposition.default),
        start_s=max(0.0, first_s - start_s),
        duration_s=max(0.0, end_s - first_s),
        packets=track.packets if track is not None else 0,
        bit_rate=(context.bit_rate or 0) if context is not None else 0,
        decodable=context is not None and bool(context.sample_rate) and bool(track and track.packets),
        lone_channel=-1,
    )


def _subtitle(stream: Stream) -> SubtitleFacts:
    context: Any = stream.codec_context
    codec = context.codec.canonical_name if context is not None else ""
    return SubtitleFacts(stream.index, codec, stream.language or "", codec in words.TEXT_SUBTITLES)


def _damage(path: bytes, container: InputContainer, stream: VideoStream, found: Scan, header_s: float) -> DamageFacts:
    own = found.tracks.get(stream.index, Track(0.0, is_video=True))
    name = container.format.name
    missing_bytes = structure(os.fsdecode(path), deep=False).missing_bytes if name == "matroska,webm" else 0
    promised = 0
    if name in _INDEXED:
        promised = sum(entry.size > 0 and not entry.is_discard for entry in stream.index_entries)
    ends = [track.end * track.tick_s for track in found.tracks.values() if track.end is not None]
    told_s = max(track_end(container, stream), header_s)
    reached_s = max(ends, default=0.0)
    slack_s = max(_SHORT_S, _SHORT_SHARE * told_s)
    short_s = told_s - reached_s if name in _ENDS_TOLD and reached_s + slack_s < told_s <= _LONGEST_S else 0.0
    return DamageFacts(own.marked, tuple(found.faults), missing_bytes, max(0, promised - own.packets), short_s)


def _first_s(track: Track) -> float:
    return float(min(track.times)) * track.tick_s if track.times else 0.0
