"""Filter graphs: frames in, frames out, made anew where the frames change."""

import errno
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Generic, TypeVar

from av.audio.frame import AudioFrame
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as AtEnd
from av.error import FFmpegError
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.transcode import words

Chain = Sequence[tuple[str, str]]
_REFUSED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})
_REFUSAL = "FFmpeg's filters cannot convert such a picture or sound."
Frame = TypeVar("Frame", bound=VideoFrame | AudioFrame)
Configured = tuple[Graph, FilterContext, FilterContext]
"""A graph, its source and its sink."""


class FrameGraph(Generic[Frame]):
    """A chain of filters; frames of another kind get a new one.

    `kind` gives what is alike in frames that one chain takes, `build` a configured graph for frames like one, with the
    filter that takes them and the one that gives them back; none where such frames pass as they are.
    """

    def __init__(
        self,
        frame_type: type[Frame],
        kind: Callable[[Frame], tuple[object, ...]],
        build: Callable[[Frame], Configured | None],
    ) -> None:
        self._type, self._kind_of, self._build = frame_type, kind, build
        self._kind: tuple[object, ...] = ()
        self._made: Configured | None = None

    def through(self, frame: Frame | None) -> Iterator[Frame]:
        """Push a frame (None = the end) and yield what comes out."""
        kind = () if frame is None else self._kind_of(frame)
        if frame is None or kind != self._kind:
            yield from self._flushed()
        if frame is None:
            return
        if kind != self._kind:
            self._made, self._kind = self._build(frame), kind
        if self._made is None:
            yield frame
            return
        _, source, sink = self._made
        source.push(frame)
        yield from self._pulled(sink)

    def _flushed(self) -> Iterator[Frame]:
        if self._made is not None:
            _, source, sink = self._made
            source.push(None)
            yield from self._pulled(sink)
        self._made, self._kind = None, ()

    def _pulled(self, sink: FilterContext) -> Iterator[Frame]:
        while True:
            try:
                frame = sink.pull()
            except (NothingYet, AtEnd):
                return
            except FFmpegError as error:
                if error.errno in _REFUSED:
                    raise JobError(
                        FailureClass.UNSUPPORTED, _REFUSAL, stage=Stage.TRANSCODE, detail=repr(error)
                    ) from error
                raise
            assert isinstance(frame, self._type)
            yield frame


def picture_graph(chain: Chain, sar: Fraction, threads: int) -> FrameGraph[VideoFrame]:
    """Return a chain of video filters; `sar` is the shape of the source's pixels."""

    def kind(frame: VideoFrame) -> tuple[object, ...]:
        return frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range)

    def build(frame: VideoFrame) -> Configured | None:
        steps = [*_without_reserved(frame), *chain]
        if all(step == ("format", frame.format.name) for step in steps):
            return None
        graph = Graph()
        graph.threads = threads
        source = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base=str(frame.time_base or Fraction(1, 90_000)),
            pixel_aspect=f"{sar.numerator}/{sar.denominator}",
            colorspace=words.MATRICES.get(int(frame.colorspace), "unknown"),
            range=words.range_of(int(frame.color_range), frame.format.name) or "unknown",
        )
        sink = graph.add("buffersink")
        graph.link_nodes(source, *(graph.add(name, arguments or None) for name, arguments in steps), sink)
        graph.configure()
        return graph, source, sink

    return FrameGraph(VideoFrame, kind, build)


def _without_reserved(frame: VideoFrame) -> Chain:
    """Return the filter that takes colours away which mean nothing: no other filter works with these."""
    colours = (
        ("color_primaries", int(frame.color_primaries), words.PRIMARIES),
        ("color_trc", int(frame.color_trc), words.TRANSFERS),
        ("colorspace", int(frame.colorspace), words.MATRICES),
    )
    reserved = [name for name, number, known in colours if number != words.UNSPECIFIED and number not in known]
    return [("setparams", ":".join(f"{name}=unknown" for name in reserved))] if reserved else []


def sound_graph(
    *, rate_hz: int, layout: str, sample_format: str, frame_size: int, lone_channel: int
) -> FrameGraph[AudioFrame]:
    """Return what brings sound to one rate, layout and format in frames of one size; gaps in time become silence."""

    def kind(frame: AudioFrame) -> tuple[object, ...]:
        return frame.sample_rate, frame.format.name, frame.layout.name, frame.layout.nb_channels

    def build(frame: AudioFrame) -> Configured:
        graph = Graph()
        source = graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=str(frame.time_base),
        )
        chain: list[tuple[str, str]] = []
        if 0 <= lone_channel < frame.layout.nb_channels:
            chain.append(("pan", f"mono|c0=c{lone_channel}"))
        chain.append(("aresample", f"{rate_hz}:async=1"))
        chain.append(("aformat", f"sample_fmts={sample_format}:sample_rates={rate_hz}:channel_layouts={layout}"))
        sink = graph.add("abuffersink")
        graph.link_nodes(source, *(graph.add(name, arguments) for name, arguments in chain), sink)
        graph.configure()
        if frame_size:
            graph.set_audio_frame_size(frame_size)
        return graph, source, sink

    return FrameGraph(AudioFrame, kind, build)
