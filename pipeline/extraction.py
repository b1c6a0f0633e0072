"""One video, from its file to its feature file, doing again only what is not there already."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

from pipeline.errors import JobError
from pipeline.extract_job import Division, ExtractJob, RunContext
from pipeline.held import HeldVideo
from pipeline.kept_pictures import KeptPictures
from pipeline.media.chunk import UncuttableError, borders_s, find_cuts
from pipeline.media.engines import Engines
from pipeline.media.result import KeptFrame, LostSpan, Sweep
from pipeline.media.sweep import sweep
from pipeline.model import STAGES, FailureClass, JobState, RunKind, Stage
from pipeline.outcome import Outcome, failed, finished, loss_sentence
from pipeline.outputs.atomic import check_volume, check_written
from pipeline.outputs.feature_writer import Written
from pipeline.outputs.format import Embedding, Features, ScreenText, Speech
from pipeline.outputs.paths import features_name, features_path
from pipeline.outputs.pictures import PictureFolder
from pipeline.outputs.reuse import Reuse, find_reuse, known_frames
from pipeline.progress import Reporter, StageClock
from pipeline.served import Served
from pipeline.stages.crop import find_crop
from pipeline.stages.embed import Embedder
from pipeline.stages.keys import stage_keys
from pipeline.stages.probe import Probe, probe
from pipeline.stages.text import TextStage
from pipeline.stages.write import (
    Source,
    features_of,
    has_means,
    renewed,
    stored,
    stored_speech,
    stored_text,
    with_means,
    write,
)

SWEEP_SHARE = 0.9
"""The share of a job that is done when its video is decoded; embedding and writing are the rest."""
SWEEP_SHARE_OF_TWO = 0.5
"""The same where its sound is listened to afterwards."""
_DECODING = (Stage.CROP, Stage.SCENES, Stage.FRAMES, Stage.DEDUPE)
"""The stages between probe and embed."""


class Extraction:
    """The state of one job while it runs."""

    def __init__(self, job: ExtractJob, run: RunContext, report: Reporter) -> None:
        self._job = job
        self._run = run
        self._settings = run.settings
        self._clock = StageClock(report)
        self._pictures = KeptPictures(job, run)
        self._served = Served(job, run, self._clock)
        self._found: Probe | None = None
        self._text: ScreenText | None = None
        self._whole_because = job.division.whole if job.division else ""
        """Why a long video is not done in chunks."""
        self._anew = False
        """Whether scenes and frames are looked for, not taken from an earlier output."""
        self._video = HeldVideo(job.source, job.identity)
        self._engines = Engines(run.settings.decode, run.state_dir)

    def outcome(self) -> Outcome:
        """Do the job; every exception becomes a failure."""
        try:
            with self._video.held():
                return self._outcome()
        except UncuttableError as reason:
            return Outcome(JobState.QUEUED, {"division": asdict(Division(whole=str(reason)))})
        except Exception as error:  # noqa: BLE001 - the boundary: damaged media raises anything
            failure = self._video.failure(error, self._clock.stage)
        if failure.failure is FailureClass.EMPTY:
            return Outcome(JobState.SKIPPED, {"content_id": self._job.content_id, "reason": str(failure)})
        return failed(self._job.content_id, failure, self._found)

    def _outcome(self) -> Outcome:
        self._clock.moved()
        job, settings = self._job, self._settings
        keys = stage_keys(settings, job.content_id, self._run.fingerprints)
        path = features_path(self._run.out, job.relative)
        reuse = None if job.force else find_reuse(path, job.content_id, job.known_sha256, keys)
        if reuse and not self._is_good(reuse):
            reuse = None
        if reuse and reuse.same and self._pictures.are_whole(reuse.features):
            self._clock.reused(*(stage for stage in STAGES[RunKind.EXTRACT] if settings.asks_for(stage)))
            return self._finished(reuse.features, reuse.written, adopted=True)
        if reuse and reuse.text:
            self._text = reuse.text
            self._clock.reused(Stage.TEXT)
        if not (reuse and reuse.frames) and (division := self._divided()) is not None:
            return Outcome(JobState.QUEUED, {"division": asdict(division), "duration_s": self._probe().duration_s})
        features = self._rework(reuse, keys) if reuse and reuse.frames else self._work(keys)
        if reuse and features is reuse.features:  # only its pictures had to be made again
            self._clock.reused(Stage.WRITE)
            return self._finished(features, reuse.written)
        features = replace(features, speech=self._speech(features, reuse))
        with self._clock.timed(Stage.WRITE, 1):
            check_volume(self._run.out, self._run.out_device, Stage.WRITE)
            written = write(path, features, settings)
            check_written(path, self._run.out, self._run.out_device, Stage.WRITE)
        return self._finished(features, written)

    def _is_good(self, reuse: Reuse) -> bool:
        """Whether an earlier output may be built on."""
        return self._settings.probe.keep_partial or not reuse.features.partial

    def _divided(self) -> Division | None:
        """Return the chunks that a long video is to be done in, None where it is done as it is."""
        if not self._job.may_divide:
            return None
        found, chunk_s = self._probe(), self._settings.engine.chunk_s
        try:
            cuts = find_cuts(self._video.path, found, self._settings, chunk_s)
        except UncuttableError as reason:
            self._whole_because = str(reason)
            return None
        return Division(cuts=cuts, crop_xywh=self._find_crop(found), borders_s=borders_s(cuts, found)) if cuts else None

    def _finished(self, features: Features, written: Written, *, adopted: bool = False) -> Outcome:
        outcome = finished(
            features,
            written,
            output=os.fsdecode(features_name(self._job.relative)),
            seconds=self._clock.seconds,
            pictures=self._settings.frames.save,
            saved=self._pictures.sum,
            adopted=adopted,
        )
        outcome.result.update(self._engines.told())
        if self._whole_because:
            outcome.result["whole_because"] = self._whole_because
        return outcome

    def _work(self, keys: Mapping[str, str]) -> Features:
        """Do every stage but the last; text that is there already is kept."""
        self._anew = True
        job, settings = self._job, self._settings
        found = self._probe()
        crop_xywh = self._find_crop(found)
        swept, embeddings = self._sweep(found, crop_xywh, self._models(), None)
        source = Source(job.relative, job.identity.size_bytes, job.content_id)
        return features_of(source, found, crop_xywh, swept, embeddings, settings, keys, self._text)

    def _find_crop(self, found: Probe) -> tuple[int, int, int, int]:
        if not self._settings.crop.enabled:
            return 0, 0, found.width, found.height
        with self._clock.timed(Stage.CROP, self._settings.crop.probes):
            return find_crop(self._video.path, found, self._settings.crop)

    def _rework(self, reuse: Reuse, keys: Mapping[str, str]) -> Features:
        """Keep scenes, frames, vectors and text that are still wanted; only pictures that are needed are decoded."""
        had = reuse.features
        self._clock.reused(*self._decoding())
        means = self._settings.embed.scene_vectors
        good = {key: had.embeddings[key] for key in reuse.models if not means or has_means(had.embeddings[key])}
        missing = tuple(model for model in self._models() if model not in good)
        embeddings = {key: with_means(found, had, means) for key, found in good.items()}
        if missing or self._reads or self._settings.frames.save != "none":
            known = None if self._reads else known_frames(had)
            swept, fresh = self._sweep(self._probe(), had.info.crop_xywh, missing, known)
            if [frame.frame_index for frame in swept.frames] != had.frames["frame_index"].tolist():
                return self._work(keys)
            embeddings |= fresh
        else:
            self._clock.reused(Stage.PROBE)
            with self._pictures.saving():
                self._video.check()
        if reuse.same:
            return had
        return renewed(had, {key: embeddings[key] for key in self._models()}, self._text, self._settings, keys)

    def _models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._settings.embed.models)) if self._settings.embed.enabled else ()

    def _probe(self) -> Probe:
        if self._found is not None:
            return self._found
        with self._clock.timed(Stage.PROBE, 1):
            found = probe(self._video.path, self._settings.probe)
            self._found, self._clock.duration_s = found, found.duration_s
            if not (found.width and found.height):
                raise JobError(FailureClass.CORRUPT, "None of its pictures can be decoded.", stage=Stage.PROBE)
        return found

    def _sweep(
        self, found: Probe, crop_xywh: tuple[int, int, int, int], models: tuple[str, ...], known: Sweep | None
    ) -> tuple[Sweep, dict[str, Embedding]]:
        """Decode once; pictures go to the model host and to the disk as frames are chosen."""
        clock = self._clock
        reads = self._served.reader(TextStage, wanted=self._reads and known is None)
        with self._pictures.saving() as pictures, self._served.embedder(models) as embedder, reads as reading:
            on_frame = partial(self._keep, pictures, embedder)

            def progress(video_s: float, frames: int) -> None:
                whole = SWEEP_SHARE_OF_TWO if self._settings.speech.enabled else SWEEP_SHARE
                share = whole * min(1.0, video_s / found.duration_s) if found.duration_s > 0 else None
                clock.moved(share=share, video_s=video_s, frames=frames)

            clock.stage = self._decoding_stage if known is None else Stage.FRAMES
            swept = sweep(
                self._video.path,
                found,
                crop_xywh,
                self._settings,
                decode_threads=self._job.decode_threads,
                on_frame=on_frame,
                progress=progress,
                known=known,
                onlooker=reading,
                engines=self._engines,
            )
            self._video.check()
            self._refuse_loss(swept.lost, swept.frames_lost, self._decoding_stage)
            if self._anew:
                self._decoded(swept)
            if reading:
                if not self._anew:  # Only for its sake the video was decoded once more.
                    clock.add(Stage.TEXT, swept.seconds[Stage.SCENES])
                text = reading.finish(swept.duration_s)
                self._text = stored_text(text)
                clock.told(Stage.TEXT, 0.0, text.looked_at)
            embeddings = self._vectors(embedder, swept)
            if pictures:
                clock.stage = Stage.WRITE
                pictures.keep_only({frame.frame_index for frame in swept.frames})
                self._pictures.sum = pictures.sum
        return swept, embeddings

    def _vectors(self, embedder: Embedder | None, swept: Sweep) -> dict[str, Embedding]:
        """Return the vectors of the frames that are kept, by model key."""
        if embedder is None:
            return {}
        with self._clock.timed(Stage.EMBED, len(swept.frames) * len(embedder.specs)):
            found = embedder.finish(swept.frames, len(swept.scenes))
            return {key: stored(item) for key, item in found.items()}

    @property
    def _reads(self) -> bool:
        """Whether text is asked for that is not there already."""
        return self._settings.text.enabled and self._text is None

    def _speech(self, features: Features, reuse: Reuse | None) -> Speech | None:
        """Return what is said, by a pass over the sound of its own; None where it is not asked for."""
        if not self._settings.speech.enabled:
            return None
        if reuse and reuse.speech:
            self._clock.reused(Stage.SPEECH)
            return reuse.speech
        with self._served.listener() as listener:
            found = listener.listen(self._video.path, features.info)
        self._video.check()
        self._refuse_loss(found.lost, 0, Stage.SPEECH)
        self._clock.told(Stage.SPEECH, 0.0, found.windows)
        return stored_speech(found)

    def _decoding(self) -> list[Stage]:
        """Return the stages between probe and embed that the settings ask for."""
        return [stage for stage in _DECODING if self._settings.asks_for(stage)]

    def _decoded(self, swept: Sweep) -> None:
        """Tell the stages that the one decode serves as passed: the first with the frames decoded, the rest kept."""
        for stage in self._decoding():
            if stage is not Stage.CROP:
                items = swept.frames_decoded if stage is self._decoding_stage else len(swept.frames)
                self._clock.told(stage, swept.seconds.get(str(stage), 0.0), items)

    @property
    def _decoding_stage(self) -> Stage:
        """The stage under which the one decode of a video is shown."""
        return Stage.SCENES if self._settings.scenes.enabled else Stage.FRAMES

    def _refuse_loss(self, lost: Sequence[LostSpan], frames: int, stage: Stage) -> None:
        if (lost or frames) and not self._settings.probe.keep_partial:
            loss = loss_sentence(sum(span.end_s - span.start_s for span in lost), frames)
            raise JobError(FailureClass.CORRUPT, f"{loss}, and probe.keep_partial is off.", stage=stage)

    def _keep(self, pictures: PictureFolder | None, embedder: Embedder | None, frame: KeptFrame) -> None:
        """Save a frame that was chosen and have it embedded, as far as either is wanted."""
        if pictures:
            with self._clock.within(Stage.WRITE):
                pictures.add(frame.frame_index, frame.picture())
        if embedder:
            with self._clock.within(Stage.EMBED):
                embedder.on_frame(frame)
