"""Threads around one decode: one reads packets, some decode stretches, the caller gets every frame in order."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType

from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.media.decode import Decoder, View
from pipeline.media.open import prepare_decoder
from pipeline.media.seen import Seen, VideoPacket
from pipeline.media.stretch import Splitter, Stretch, Tally, read_packets

OpenContainer = Callable[[], AbstractContextManager[InputContainer]]

_PACKET_BYTES = 32 << 20
_PENDING_FRAMES = 4096
_BATCH = 8
_BATCH_S = 0.1
_PATIENCE_S = 0.2


class Conveyor:
    """Use as a context manager and iterate; leaving it stops and joins every thread and closes every file.

    `decoders` threads decode a stretch each at a time, every one with its own file handle and a codec context of
    `codec_threads` threads. Reading ahead is bounded in packets' bytes, in frames and in `pending_bytes` of held
    pictures a stretch.
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
    ) -> None:
        self.tally = Tally()
        self._open, self._index, self._view = open_container, stream_index, view
        self._codec_threads, self._max_pixels = codec_threads, max_pixels
        self._pending_bytes, self._every = pending_bytes, every_stream
        self._decoders = decoders
        self._change = threading.Condition()
        self._stretches: deque[Stretch] = deque()
        self._unclaimed: deque[Stretch] = deque()
        self._splitter = Splitter(view.split, 1.0 / view.tick_s)
        self._read = self._stop = False
        self._error: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Conveyor":
        jobs = [self._read_file] + [self._decode_stretches] * self._decoders
        self._threads = [threading.Thread(target=self._run, args=(job,), daemon=True) for job in jobs]
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

    def __iter__(self) -> Iterator[tuple[Stretch | None, list[Seen]]]:
        """Yield the frames of each stretch in order, in batches.

        A batch may be empty: the last of a stretch, and one now and then while packets are read but nothing is
        decoded. Raises what a thread raised: IrregularError, JobError.
        """
        while True:
            stretch = None
            while stretch is None:
                with self._change:
                    if not (self._stretches or self._read or self._error):
                        self._change.wait(_PATIENCE_S)
                    self._check()
                    if self._stretches:
                        stretch = self._stretches[0]
                    elif self._read:
                        return
                if stretch is None:
                    yield None, []
            finished = False
            while not finished:
                with self._change:
                    if not (stretch.seen or stretch.done or self._error):
                        self._change.wait(_PATIENCE_S)
                    self._check()
                    batch = list(stretch.seen)
                    stretch.seen.clear()
                    stretch.held_bytes = 0
                    finished = stretch.done
                    self._change.notify_all()
                yield stretch, batch
            with self._change:
                self._stretches.popleft()
                self._change.notify_all()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it.
            with self._change:
                self._error = self._error or error
                self._stop = True
                self._change.notify_all()

    def _read_file(self) -> None:
        with ExitStack() as stack:
            container = stack.enter_context(self._open())
            stream = container.streams[self._index]
            assert isinstance(stream, VideoStream)
            for packet in read_packets(container, stream, self.tally, self._every):
                with self._change:
                    while not self._stop and self._full():
                        self._change.wait()
                    if self._stop:
                        return
                    begun = self._splitter.add(packet)
                    if begun is not None:
                        self._stretches.append(begun)
                        self._unclaimed.append(begun)
                    self._change.notify_all()
            with self._change:
                self._splitter.finish()
                self._read = True
                self._change.notify_all()

    def _full(self) -> bool:
        return self._splitter.queued_bytes > _PACKET_BYTES or len(self._unclaimed) > self._decoders

    def _decode_stretches(self) -> None:
        with self._open() as container:
            stream = container.streams[self._index]
            assert isinstance(stream, VideoStream)
            prepare_decoder(stream, self._max_pixels, self._codec_threads)
            decoder = Decoder(stream, self._view)
            while True:
                with self._change:
                    while not (self._unclaimed or self._read or self._stop):
                        self._change.wait()
                    if self._stop or not self._unclaimed:
                        return
                    stretch = self._unclaimed.popleft()
                    self._change.notify_all()
                self._decode(decoder, stretch)

    def _decode(self, decoder: Decoder, stretch: Stretch) -> None:
        batch: list[Seen] = []
        handed = time.monotonic()
        for seen in decoder.frames(stretch, self._packets(stretch)):
            batch.append(seen)
            if len(batch) >= _BATCH or time.monotonic() - handed > _BATCH_S:
                if not self._hand_over(stretch, batch):
                    return
                batch = []
                handed = time.monotonic()
        self._hand_over(stretch, batch, last=True)

    def _packets(self, stretch: Stretch) -> Iterator[VideoPacket]:
        while True:
            with self._change:
                while not (stretch.packets or stretch.closed or self._stop):
                    self._change.wait()
                if self._stop or not stretch.packets:
                    return
                packets = list(stretch.packets)
                stretch.packets.clear()
                self._splitter.queued_bytes -= sum(packet.size for packet in packets)
                self._change.notify_all()
            yield from packets

    def _hand_over(self, stretch: Stretch, batch: list[Seen], last: bool = False) -> bool:
        with self._change:
            while not self._stop and (stretch.held_bytes > self._pending_bytes or len(stretch.seen) > _PENDING_FRAMES):
                self._change.wait()
            stretch.seen.extend(batch)
            stretch.held_bytes += sum(seen.candidate.held_bytes for seen in batch if seen.candidate)
            stretch.done = last
            self._change.notify_all()
            return not self._stop
