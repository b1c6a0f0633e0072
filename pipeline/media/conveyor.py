"""Threads around one decode: each decodes a stretch at a time, the caller gets every frame in order."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType

from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.media.decode import Decoder, View
from pipeline.media.engines import Engines
from pipeline.media.open import prepare_decoder
from pipeline.media.seen import Seen, VideoPacket, held_bytes
from pipeline.media.stretch import WHOLE, Source, Span, Stretch, Tally, read_packets

OpenContainer = Callable[[], AbstractContextManager[InputContainer]]

_PORTION_BYTES = 16 << 20
_PENDING_FRAMES = 4096
_BATCH = 64
_BATCH_S = 0.1
_PATIENCE_S = 0.2


class Conveyor:
    """Use as a context manager and iterate; leaving it stops and joins every thread and closes every file.

    `decoders` threads take turns at reading the packets of the next stretch, and decode it, every one with its own
    file handle and a codec context of `codec_threads` threads. What runs ahead of the caller is bounded: in packets
    to a portion a decoder, in stretches to one more than there are decoders, and in each stretch in frames and in
    `pending_bytes` of held pictures.
    """

    def __init__(
        self,
        open_container: OpenContainer,
        stream_index: int,
        view: View,
        *,
        decoders: int,
        codec_threads: int,
        max_pixels: int,
        pending_bytes: int,
        every_stream: bool,
        span: Span = WHOLE,
        engines: Engines | None = None,
    ) -> None:
        """With `engines`, those that are free on a GPU take the place of software decoders."""
        self.tally = Tally()
        self._span, self._engines = span, engines
        self._open, self._index, self._view = open_container, stream_index, view
        self._decoders, self._codec_threads, self._max_pixels = decoders, codec_threads, max_pixels
        self._pending_bytes, self._every = pending_bytes, every_stream
        self._reading = threading.Lock()
        self._change = threading.Condition()
        self._stretches: deque[Stretch] = deque()
        self._stop = False
        self._working = decoders
        self._error: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._files = ExitStack()

    def __enter__(self) -> "Conveyor":
        container = self._files.enter_context(self._open())
        packets = read_packets(container, self._stream(container), self.tally, self._every, self._span)
        self._source = Source(packets, self._view.split, 1.0 / self._view.tick_s, self._span)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._decoders)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._change:
            self._stop = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()
        self._files.close()

    def __iter__(self) -> Iterator[tuple[Stretch | None, list[Seen]]]:
        """Yield the frames of each stretch in order, in batches.

        A batch may be empty: the last of a stretch, and one now and then while packets are read but nothing is
        decoded. Raises what a thread raised: IrregularError, JobError.
        """
        while True:
            with self._change:
                if not (self._stretches or self._error or not self._working):
                    self._change.wait(_PATIENCE_S)
                stretch = self._stretches[0] if self._stretches else None
                if stretch is not None and not (stretch.seen or stretch.done or self._error):
                    self._change.wait(_PATIENCE_S)
                if self._error is not None:
                    raise self._error
                if stretch is None and not self._working and not self._stretches:
                    return
                batch: list[Seen] = []
                if stretch is not None:
                    batch, stretch.seen = stretch.seen, batch
                    stretch.held_bytes = 0
                    if stretch.done:
                        self._stretches.popleft()
                    self._change.notify_all()
            yield stretch, batch

    def _stream(self, container: InputContainer) -> VideoStream:
        stream = container.streams[self._index]
        assert isinstance(stream, VideoStream)
        return stream

    def _work(self) -> None:
        try:
            with self._open() as container, ExitStack() as held:
                stream = self._stream(container)
                prepare_decoder(stream, self._max_pixels, self._codec_threads)
                decoding = held.enter_context(self._engines.decoder(stream)) if self._engines else stream.codec_context
                self._decode_all(Decoder(decoding, self._view))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it.
            with self._change:
                self._error = self._error or error
                self._stop = True
        finally:
            with self._change:
                self._working -= 1
                self._change.notify_all()

    def _decode_all(self, decoder: Decoder) -> None:
        while True:
            with ExitStack() as turn:
                turn.enter_context(self._reading)
                stretch = None if self._wait(lambda: len(self._stretches) > self._decoders) else self._source.begin()
                if stretch is None:
                    return
                with self._change:
                    self._stretches.append(stretch)
                    self._change.notify_all()
                if not self._decode(decoder, stretch, self._packets(stretch, turn)):
                    return

    def _wait(self, full: Callable[[], bool]) -> bool:
        """Wait while `full`; return whether to stop."""
        with self._change:
            while full() and not self._stop:
                self._change.wait()
            return self._stop

    def _packets(self, stretch: Stretch, turn: ExitStack) -> Iterator[VideoPacket]:
        """Yield the packets of a stretch; the turn at reading ends with the last one read, before it is decoded."""
        portion: list[VideoPacket] = []
        size = 0
        for packet in self._source.read(stretch):
            portion.append(packet)
            size += packet.size
            if size > _PORTION_BYTES:
                yield from portion
                portion, size = [], 0
        turn.close()
        yield from portion

    def _decode(self, decoder: Decoder, stretch: Stretch, packets: Iterator[VideoPacket]) -> bool:
        batch: list[Seen] = []
        handed = time.monotonic()
        for seen in decoder.frames(stretch, packets):
            batch.append(seen)
            if len(batch) >= _BATCH or time.monotonic() - handed > _BATCH_S:
                if not self._hand_over(stretch, batch, done=False):
                    return False
                batch = []
                handed = time.monotonic()
        return self._hand_over(stretch, batch, done=True)

    def _hand_over(self, stretch: Stretch, batch: list[Seen], *, done: bool) -> bool:
        if self._wait(lambda: stretch.held_bytes > self._pending_bytes or len(stretch.seen) > _PENDING_FRAMES):
            return False
        with self._change:
            stretch.seen.extend(batch)
            stretch.held_bytes += sum(held_bytes(seen) for seen in batch)
            stretch.done = done
            self._change.notify_all()
        return True
