"""One chunk of a long video, from the file to what is written down of it until all chunks are over."""

import time
from functools import partial

from pipeline.extract_job import Division
from pipeline.extraction import SWEEP_SHARE, Extraction
from pipeline.media.chunk import Task, spans_of, sweep_chunk
from pipeline.model import JobState, Stage
from pipeline.models.client import PictureSpec
from pipeline.outcome import Outcome
from pipeline.outputs.atomic import check_volume, disk_error
from pipeline.outputs.chunks import (
    StoredChunk,
    Vectors,
    chunk_key,
    chunk_path,
    pictures_folder,
    read_chunk,
    write_chunk,
)
from pipeline.outputs.paths import features_path
from pipeline.outputs.pictures import saved_pictures
from pipeline.stages.chunk_text import ChunkText
from pipeline.stages.keys import stage_keys


class DividedExtraction(Extraction):
    """What doing a chunk and putting all of them together have in common."""

    @property
    def _division(self) -> Division:
        assert self._job.division is not None
        return self._job.division

    def _task(self) -> Task:
        return Task(self._video.path, self._probe(), self._division.crop_xywh, self._settings)

    def _stored(self, number: int) -> StoredChunk | None:
        path, key = self._place(number)
        return read_chunk(path, key)

    def _place(self, number: int) -> tuple[bytes, str]:
        keys = stage_keys(self._settings, self._job.content_id, self._run.fingerprints)
        span = spans_of(self._division.cuts)[number]
        output = features_path(self._run.out, self._job.relative)
        return chunk_path(output, number), chunk_key(keys, span.start, span.end)

    def _make(self, number: int) -> StoredChunk:
        """Decode a chunk, hand over the frames that may be kept, and write down what was found."""
        began, clock = time.monotonic(), self._clock
        span = spans_of(self._division.cuts)[number]
        start_s, end_s = self._division.borders_s[number : number + 2]
        task = self._task()

        def progress(video_s: float, frames: int) -> None:
            done_s = max(0.0, video_s - start_s)
            clock.moved(share=SWEEP_SHARE * min(1.0, done_s / (end_s - start_s)), video_s=done_s, frames=frames)

        frames, folder = self._settings.frames, pictures_folder(self._place(number)[0])
        vectors: Vectors = {}
        weights: dict[str, str] = {}
        devices: dict[str, str] = {}
        with (
            saved_pictures(folder, frames.save, frames.save_quality) as pictures,
            self._served.embedder(self._models()) as embedder,
            self._served.reader(ChunkText, wanted=self._reads) as text,
        ):
            on_frame = partial(self._keep, pictures, embedder)
            clock.stage = self._decoding_stage
            threads = self._job.decode_threads
            record = sweep_chunk(
                task,
                span,
                decode_threads=threads,
                on_frame=on_frame,
                progress=progress,
                onlooker=text,
                engines=self._engines,
            )
            self._video.check()
            if embedder:
                with clock.timed(Stage.EMBED, 0):
                    vectors = embedder.taken()
                    weights = {key: made_by(spec) for key, spec in embedder.specs.items()}
                    devices = {key: spec.device for key, spec in embedder.specs.items()}
            looks = text.looks() if text else ()
        chunk = StoredChunk(record, vectors, weights, devices, looks, self._seconds(began), self._engines.told())
        self._write_down(number, chunk)
        return chunk

    def _seconds(self, began: float) -> dict[str, float]:
        """Return the seconds of each stage since `began`: what is not another stage's is the decode's."""
        seconds = {stage: spent for stage, spent in self._clock.seconds.items() if stage != Stage.PROBE}
        rest = time.monotonic() - began - sum(seconds.values())
        return seconds | {str(self._decoding_stage): max(0.0, rest)}

    def _write_down(self, number: int, chunk: StoredChunk) -> None:
        path, key = self._place(number)
        with self._clock.within(Stage.WRITE):
            check_volume(self._run.out, self._run.out_device, Stage.WRITE)
            try:
                write_chunk(path, key, chunk)
            except OSError as error:
                raise disk_error(error, "write", path) from error


class ChunkExtraction(DividedExtraction):
    """Does one chunk."""

    def _outcome(self) -> Outcome:
        self._clock.moved()
        number = self._division.chunk
        assert number is not None
        chunk = self._stored(number)
        adopted = chunk is not None
        chunk = chunk or self._make(number)
        frames = chunk.record.frame_count
        told = {"chunk": number, "frames_decoded": frames, "adopted": adopted}
        return Outcome(JobState.DONE, told | self._engines.told())


def made_by(spec: PictureSpec) -> str:
    """Return what makes the vectors of a model: those of another making are not mixed with them."""
    return f"{spec.weights_sha256} {spec.precision}"
