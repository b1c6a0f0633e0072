"""Filter graphs: frames in, frames out, made anew where the frames change."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from av.audio.frame import AudioFrame
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as AtEnd
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from pipeline.transcode import words

Chain = Sequence[tuple[str, str]]


class PictureGraph:
    """A chain of video filters; frames of another size, format or colour get a new one."""

    def __init__(self, chain: Chain, sar: Fraction, threads: int) -> None:
        self._chain, self._sar, self._threads = chain, sar, threads
        self._kind: tuple[object, ...] = ()
        self._graph: Graph | None = None
        self._source: FilterContext | None = None
        self._sink: FilterContext | None = None

    def through(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """Push a frame (None = the end) and yield what comes out."""
        if frame is None:
            yield from self._flush()
            return
        kind = (frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range))
        if kind != self._kind:
            yield from self._flush()
            self._build(frame)
            self._kind = kind
        assert self._source is not None
        self._source.push(frame)
        yield from self._pulled()

    def _flush(self) -> Iterator[VideoFrame]:
        if self._source is not None:
            self._source.push(None)
            yield from self._pulled()
        self._graph = self._source = self._sink = None
        self._kind = ()

    def _build(self, frame: VideoFrame) -> None:
        graph = Graph()
        graph.threads = self._threads
        source = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base=str(frame.time_base or Fraction(1, 90_000)),
            pixel_aspect=f"{self._sar.numerator}/{self._sar.denominator}",
            colorspace=words.MATRICES.get(int(frame.colorspace), "unknown"),
            range=words.range_of(int(frame.color_range), frame.format.name) or "unknown",
        )
        sink = graph.add("buffersink")
        graph.link_nodes(source, *(graph.add(name, arguments or None) for name, arguments in self._chain), sink)
        graph.configure()
        self._graph, self._source, self._sink = graph, source, sink

    def _pulled(self) -> Iterator[VideoFrame]:
        assert self._sink is not None
        while True:
            try:
                frame = self._sink.pull()
            except (NothingYet, AtEnd):
                return
            assert isinstance(frame, VideoFrame)
            yield frame


class SoundGraph:
    """Brings sound to one rate, layout and format in frames of one size; gaps in its times become silence."""

    def __init__(self, *, rate_hz: int, layout: str, sample_format: str, frame_size: int, lone_channel: int) -> None:
        self._rate_hz, self._layout, self._format = rate_hz, layout, sample_format
        self._frame_size, self._lone = frame_size, lone_channel
        self._kind: tuple[object, ...] = ()
        self._graph: Graph | None = None
        self._source: FilterContext | None = None
        self._sink: FilterContext | None = None

    def through(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        """Push a frame (None = the end) and yield what comes out."""
        if frame is None:
            yield from self._flush()
            return
        kind = (frame.sample_rate, frame.format.name, frame.layout.name, frame.layout.nb_channels)
        if kind != self._kind:
            yield from self._flush()
            self._build(frame)
            self._kind = kind
        assert self._source is not None
        self._source.push(frame)
        yield from self._pulled()

    def _flush(self) -> Iterator[AudioFrame]:
        if self._source is not None:
            self._source.push(None)
            yield from self._pulled()
        self._graph = self._source = self._sink = None
        self._kind = ()

    def _build(self, frame: AudioFrame) -> None:
        graph = Graph()
        source = graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=str(frame.time_base),
        )
        chain: list[tuple[str, str]] = []
        if 0 <= self._lone < frame.layout.nb_channels:
            chain.append(("pan", f"mono|c0=c{self._lone}"))
        chain.append(("aresample", f"{self._rate_hz}:async=1"))
        formats = f"sample_fmts={self._format}:sample_rates={self._rate_hz}:channel_layouts={self._layout}"
        chain.append(("aformat", formats))
        sink = graph.add("abuffersink")
        graph.link_nodes(source, *(graph.add(name, arguments) for name, arguments in chain), sink)
        graph.configure()
        if self._frame_size:
            graph.set_audio_frame_size(self._frame_size)
        self._graph, self._source, self._sink = graph, source, sink

    def _pulled(self) -> Iterator[AudioFrame]:
        assert self._sink is not None
        while True:
            try:
                frame = self._sink.pull()
            except (NothingYet, AtEnd):
                return
            assert isinstance(frame, AudioFrame)
            yield frame
