"""The one result of all chunks of a long video: decided over all of them as one sweep would have, and written."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from pipeline.divided import DividedExtraction, made_by
from pipeline.errors import JobError
from pipeline.media.chunk import Task, UncuttableError, decide, text_times
from pipeline.media.collect import WHOLE_PICTURE
from pipeline.media.fetch import fetch
from pipeline.media.record import Gap, Record
from pipeline.media.result import KeptFrame, LostSpan, Picture, Sweep
from pipeline.model import FailureClass, JobState, Stage
from pipeline.outcome import Outcome
from pipeline.outputs.atomic import remove_tree
from pipeline.outputs.chunks import (
    StoredChunk,
    pictures_folder,
)
from pipeline.outputs.format import Embedding, ScreenText
from pipeline.outputs.paths import chunks_folder, features_path, picture_name
from pipeline.outputs.pictures import PictureFolder
from pipeline.outputs.reuse import Reuse
from pipeline.stages.chunk_text import JoinedText, Look
from pipeline.stages.embed import Embedder
from pipeline.stages.probe import Probe
from pipeline.stages.write import stored_text

_JOIN_SHARE = 0.5
"""The share of putting together that is done when the scenes are decided."""


class JoinedExtraction(DividedExtraction):
    """Decides over all chunks as one sweep would have, and writes the feature file."""

    def _outcome(self) -> Outcome:
        outcome = super()._outcome()
        division = self._division
        if division.missing:
            outcome.result["missing"] = [division.missing_told(number) for number in sorted(division.missing)]
        if outcome.state in {JobState.DONE, JobState.PARTIAL} and not self._division.missing:
            remove_tree(chunks_folder(features_path(self._run.out, self._job.relative)))
        return outcome

    def _is_good(self, reuse: Reuse) -> bool:
        """Whether an earlier output may be built on: not one of which a chunk is missing that may be there now."""
        lost = reuse.features.lost
        names = tuple(f"{self._division.name(number)} " for number in range(len(self._division.cuts) + 1))
        gaps = lost is not None and any(reason.startswith(names) for reason in lost["reason"].tolist())
        return not gaps and super()._is_good(reuse)

    def _find_crop(self, found: Probe) -> tuple[int, int, int, int]:
        return self._division.crop_xywh

    def _sweep(
        self, found: Probe, crop_xywh: tuple[int, int, int, int], models: tuple[str, ...], known: Sweep | None
    ) -> tuple[Sweep, dict[str, Embedding]]:
        if known is not None:
            return super()._sweep(found, crop_xywh, models, known)
        chunks = self._chunks()
        swept = self._decide(chunks)
        self._video.check()
        self._refuse_loss(swept.lost, swept.frames_lost, self._decoding_stage)
        self._decoded(swept)
        with self._served.reader(JoinedText, wanted=self._reads) as reading:
            if reading:
                self._text = self._join_text(reading, chunks, swept.duration_s)
        with self._pictures.saving() as pictures, self._served.embedder(models) as embedder:
            if embedder:
                _give(embedder, chunks)
            there = self._take_pictures(pictures, chunks, swept) if pictures else frozenset()
            unseen = [
                frame
                for frame in swept.frames
                if (pictures and frame.frame_index not in there) or (embedder and not embedder.has(frame.frame_index))
            ]

            def on_frame(frame: KeptFrame) -> None:
                if pictures and frame.frame_index not in there:
                    pictures.add(frame.frame_index, frame.picture())
                if embedder and not embedder.has(frame.frame_index):
                    embedder.on_frame(frame)

            with self._clock.within(Stage.FRAMES):
                got = fetch(
                    self._video.path,
                    found,
                    crop_xywh,
                    self._settings,
                    unseen,
                    on_frame=on_frame,
                    progress=lambda *_: self._clock.moved(),
                )
            if got is None:
                raise UncuttableError("a frame to keep was not found again by seeking")
            embeddings = self._vectors(embedder, swept)
            if pictures:
                self._pictures.sum = pictures.sum
        return swept, embeddings

    def _take_pictures(
        self, pictures: PictureFolder, chunks: Mapping[int, StoredChunk], swept: Sweep
    ) -> frozenset[int]:
        """Take the saved pictures of frames to keep from the chunks; return which were there."""
        kind, taken = self._settings.frames.save, set()
        bases = dict(_bases(chunks))
        for frame in swept.frames:
            number = max(one for one, base in bases.items() if base <= frame.frame_index)
            name = picture_name(frame.frame_index - bases[number], kind)
            with suppress(FileNotFoundError, NotADirectoryError):
                with open(os.path.join(pictures_folder(self._place(number)[0]), name), "rb") as file:
                    pictures.put(frame.frame_index, file.read())
                taken.add(frame.frame_index)
        return frozenset(taken)

    def _join_text(self, reading: JoinedText, chunks: Mapping[int, StoredChunk], end_s: float) -> ScreenText:
        """Return what one reading of all chunks would have found; what only that would have read is read now."""
        task, last_s = self._task(), -1.0
        times = text_times(task, reading)
        for number, base in _bases(chunks):
            for look in chunks[number].looks:
                if look.frame_index or last_s < 0 or times.wanted(last_s, look.time_s):
                    shown = replace(look, frame_index=base + look.frame_index)
                    reading.take(shown, partial(self._picture_of, task, shown))
            last_s = max(last_s, chunks[number].record.last_s)
        text = reading.finish(end_s)
        self._clock.told(Stage.TEXT, 0.0, text.looked_at)
        return stored_text(text)

    def _picture_of(self, task: Task, look: Look) -> Picture:
        found: list[Picture] = []
        wanted = KeptFrame(look.time_s, look.frame_index, 0, look.dhash, 0.0)
        fetch(
            task.path,
            task.probe,
            WHOLE_PICTURE,
            self._settings,
            [wanted],
            on_frame=lambda frame: found.append(frame.picture()),
            progress=lambda *_: self._clock.moved(),
        )
        if not found:
            raise UncuttableError("a frame to read was not found again by seeking")
        return found[0]

    def _chunks(self) -> dict[int, StoredChunk]:
        """Return the chunks that are there by their numbers; one that should be and is not is made here."""
        chunks = {}
        for number in range(len(self._division.cuts) + 1):
            if number not in self._division.missing:
                chunks[number] = self._stored(number) or self._make(number)
        for chunk in chunks.values():
            self._engines.recall(chunk.decoding)
        if not chunks:
            raise JobError(FailureClass.CORRUPT, "None of its parts could be read.", stage=self._decoding_stage)
        return chunks

    def _decide(self, chunks: Mapping[int, StoredChunk]) -> Sweep:
        division = self._division
        parts: list[Record | Gap] = []
        for number in range(len(division.cuts) + 1):
            if number in chunks:
                parts.append(chunks[number].record)
                continue
            start_s, end_s = division.borders_s[number : number + 2]
            parts.append(Gap(LostSpan(start_s, end_s, division.missing_told(number))))
        for chunk in chunks.values():
            for stage, seconds in chunk.seconds.items():
                self._clock.add(Stage(stage), seconds)
        self._clock.stage = self._decoding_stage
        length_s = max(self._probe().duration_s, 1e-3)

        def progress(video_s: float, frames: int) -> None:
            self._clock.moved(share=_JOIN_SHARE * min(1.0, video_s / length_s))

        return decide(self._task(), parts, progress)


def _give(embedder: Embedder, chunks: Mapping[int, StoredChunk]) -> None:
    """Give an embedder the vectors of the chunks, as far as it would make the same ones."""
    specs = embedder.specs
    for number, base in _bases(chunks):
        chunk = chunks[number]
        if all(chunk.weights.get(key) == made_by(spec) for key, spec in specs.items()):
            for index in next(iter(chunk.vectors.values()), {}):
                embedder.give(base + index, {key: chunk.vectors[key][index] for key in specs}, chunk.devices)


def _bases(chunks: Mapping[int, StoredChunk]) -> Iterator[tuple[int, int]]:
    """Yield each chunk with the number of frames before it."""
    base = 0
    for number in sorted(chunks):
        yield number, base
        base += chunks[number].record.frame_count
