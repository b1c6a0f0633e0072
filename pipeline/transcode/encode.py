"""Makes the output of one recipe: packets are read once, each stream goes its own way into the file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from pipeline.errors import JobError
from pipeline.media.open import open_media, prepare_decoder, translated
from pipeline.model import FailureClass, Stage
from pipeline.shortage import refuse_shortage
from pipeline.transcode.beside import Beside
from pipeline.transcode.copy_line import CopyLine
from pipeline.transcode.graph import picture_graph, sound_graph
from pipeline.transcode.lines import Line, PictureEncoder, PictureLine, SoundLine, SubtitleLine, Timed
from pipeline.transcode.measure import lost_pictures
from pipeline.transcode.order import LossError, Made, Order
from pipeline.transcode.output import (
    add_audio,
    add_video,
    carry_tags,
    open_output,
    stream_tags,
    subtitle_header,
    tick_of,
    writing,
)
from pipeline.transcode.pace import ConstantPace, SourcePace
from pipeline.transcode.part import PartFile
from pipeline.transcode.picture import PicturePlan
from pipeline.transcode.timeline import Timeline

_READ_ERRORS = 8
_PROGRESS_S = 0.2
_AHEAD = 4
"""Pictures that wait for the encoder at most."""
Progress = Callable[[float, int], None]


def make(order: Order, picture: PicturePlan | None, progress: Progress) -> Made:
    """Write the output of `order` to its temporary path; `picture` is the plan of its video, None to copy it.

    Raises EncodingError, LossError (without `salvage`), JobError, and what `progress` raises.
    """
    with open_media(order.path, Stage.TRANSCODE, order.probe.max_pixels) as source, PartFile(order.part) as file:
        with writing(order.part):
            output = open_output(file, order.settings, order.mark)
        with ExitStack() as held:
            making = _Making(order, picture, source, output, progress, held)
            with translated(Stage.TRANSCODE), making.encoding:
                making.run()
        with writing(order.part):
            file.end(output.close, making.tell)
        return making.made()


class _Making:
    """The state of one output while it is written."""

    def __init__(
        self,
        order: Order,
        picture: PicturePlan | None,
        source: InputContainer,
        output: OutputContainer,
        progress: Progress,
        held: ExitStack,
    ) -> None:
        self._held = held
        self._order, self._source, self._output, self._progress = order, source, output, progress
        self._told = time.monotonic()
        self._frames = 0
        self._video: PictureLine | CopyLine
        self._lines: dict[int, Line] = {}
        self._dropped: list[str] = []
        self._sounds: list[SoundLine | CopyLine] = []
        self._subtitles: list[SubtitleLine | CopyLine] = []
        self._writing = threading.Lock()
        self._encoder: PictureEncoder
        self.encoding: Beside[Timed] = Beside(lambda timed: self._encoder.take(timed), _AHEAD, "encoder")
        """Pictures are encoded beside the decoding, so that neither waits for the threads of the other."""
        carry_tags(source, output, order.facts)
        self._add_video(picture)
        for plan in order.recipe.audio:
            self._add_audio(plan.index)
        for subtitle in order.recipe.subtitles:
            self._add_subtitle(subtitle.index, subtitle.codec)
        if order.recipe.attachments:
            for attachment in source.streams.attachments:
                output.add_attachment(
                    str(attachment.metadata.get("filename", "attachment")),
                    str(attachment.mimetype or "application/octet-stream"),
                    attachment.data,
                )

    def run(self) -> None:
        """Read the source to its end."""
        facts = self._order.facts
        timeline = Timeline(facts.container)
        played = {facts.video.index, *(track.index for track in facts.audio)}
        for packet in self._packets():
            base = float(packet.time_base or 0)
            if packet.stream_index in played:
                dts_s = None if packet.dts is None else packet.dts * base
                timeline.moved(packet.stream_index, dts_s, (packet.duration or 0) * base)
            line = self._lines.get(packet.stream_index)
            if line is not None:
                line.take(packet, timeline.shift_s - facts.start_s)
            self._refuse_loss()
            self.tell()
        for line in self._lines.values():
            line.finish()
        self.encoding.finish(self.tell)
        self._refuse_loss(at_end=True)

    def made(self) -> Made:
        """Return what was made."""
        video = self._video
        made = Made(
            sound_errors=sum(line.refused for line in self._sounds if isinstance(line, SoundLine)),
            sounds=sum(line.written > 0 for line in self._sounds),
            subtitles=sum(line.written > 0 for line in self._subtitles),
            dropped=self._dropped,
        )
        if isinstance(video, CopyLine):
            made.frames = made.shown = video.written
            made.hidden = self._order.facts.video.hidden
            return made
        made.frames, made.shown, made.damaged = video.written, video.shown, video.damaged
        made.lost, made.losses = self._lost(video), video.losses
        made.repeated, made.left_out = self._pace.repeated, self._pace.left_out
        made.span_s = video.span_s
        return made

    def _packets(self) -> Iterator[Packet[Any]]:
        streams = [self._source.streams[index] for index in self._lines]
        failed: FFmpegError | None = None
        for _ in range(_READ_ERRORS):
            try:
                for packet in self._source.demux(streams):
                    if packet.size:
                        yield packet
            except (FFmpegError, UnicodeError, ValueError, LookupError) as error:
                refuse_shortage(error, Stage.TRANSCODE)
                failed = error if isinstance(error, FFmpegError) else failed
            else:
                return

    def _write(self, packet: Packet[Any]) -> None:
        with self._writing, writing(self._order.part):
            self._output.mux_one(packet)

    def tell(self) -> None:
        """Say now and then how far it is."""
        now = time.monotonic()
        if now - self._told >= _PROGRESS_S:
            self._told = now
            video = self._video
            if isinstance(video, PictureLine):
                self._progress(video.last_s, video.shown)
            else:
                rate = float(Fraction(self._order.facts.video.rate))
                self._progress(video.written / rate if rate else 0.0, video.written)

    def _lost(self, video: PictureLine) -> int:
        return lost_pictures(self._order.facts, video.shown, video.refused)

    def _refuse_loss(self, *, at_end: bool = False) -> None:
        video = self._video
        if self._order.settings.salvage or isinstance(video, CopyLine):
            return
        if video.refused or video.damaged or (at_end and self._lost(video)):
            raise LossError

    def _add_video(self, picture: PicturePlan | None) -> None:
        order, facts = self._order, self._order.facts.video
        stream = self._source.streams[facts.index]
        assert isinstance(stream, VideoStream)
        if picture is None:
            self._video = self._copy(stream)
            return
        prepare_decoder(stream, order.probe.max_pixels, order.decode_threads)
        rate = order.recipe.video.rate
        tick = tick_of(rate, stream.time_base or Fraction(1, 90_000))
        nominal = rate or Fraction(facts.rate)
        target = add_video(self._output, picture, order.settings, rate=nominal, tick=tick, threads=order.encode_threads)
        target.metadata.update(stream_tags(stream.metadata))
        self._pace = ConstantPace(rate, tick) if rate is not None else SourcePace(tick)
        graph = picture_graph(picture.chain, Fraction(facts.sar.replace(":", "/")), order.encode_threads)
        self._encoder = PictureEncoder(target, picture.encoder, self._write)
        self._video = PictureLine(
            stream,
            self._held.enter_context(order.engines.decoder(stream)) if order.engines else stream.codec_context,
            graph,
            self._pace,
            self.encoding.give,
            step_s=1 / facts.fps if facts.fps else float(1 / nominal),
            end_s=facts.start_s + facts.duration_s,
            by_order=self._order.facts.clock.missing > 0,
        )
        self._lines[facts.index] = self._video

    def _add_audio(self, index: int) -> None:
        plan = next(plan for plan in self._order.recipe.audio if plan.index == index)
        stream = self._source.streams[index]
        assert isinstance(stream, AudioStream)
        if not plan.encoder:
            self._sounds.append(self._copy(stream))
            return
        target = add_audio(self._output, plan, stream.metadata)
        context = target.codec_context
        graph = sound_graph(
            rate_hz=plan.rate_hz,
            layout=plan.layout,
            sample_format=context.format.name,
            frame_size=context.frame_size,
            lone_channel=plan.lone_channel,
        )
        line = SoundLine(stream, target, graph, self._write)
        self._sounds.append(line)
        self._lines[index] = line

    def _add_subtitle(self, index: int, codec: str) -> None:
        stream = self._source.streams[index]
        assert isinstance(stream, SubtitleStream)
        if not codec:
            self._subtitles.append(self._copy(stream))
            return
        header = subtitle_header(stream, codec)
        if header is None:
            self._dropped.append(f"subtitles ({stream.codec_context.codec.canonical_name}) that cannot be encoded")
            return
        target = self._output.add_stream(codec)
        assert isinstance(target, SubtitleStream)
        target.codec_context.subtitle_header = header
        target.metadata.update(stream_tags(stream.metadata))
        line = SubtitleLine(stream, target, self._write)
        self._subtitles.append(line)
        self._lines[index] = line

    def _copy(self, stream: Stream) -> CopyLine:
        try:
            target = self._output.add_stream_from_template(stream, opaque=True)
        except ValueError as error:
            raise JobError(FailureClass.SETTINGS, f"{error}.", stage=Stage.TRANSCODE) from error
        target.metadata.update(stream_tags(stream.metadata))
        line = CopyLine(target, self._write)
        self._lines[stream.index] = line
        return line
