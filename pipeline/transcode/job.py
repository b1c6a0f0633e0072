"""One transcode job: from a video to the one that the settings ask for, checked before it gets its name."""

import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NoReturn

from pipeline.errors import JobError
from pipeline.held import HeldVideo
from pipeline.identity import sha256_of
from pipeline.media.engines import Asked, Engines
from pipeline.model import FailureClass, JobState, Stage
from pipeline.outcome import Outcome
from pipeline.outputs.atomic import atomic_file, check_volume, check_written, disk_error
from pipeline.outputs.paths import part_path
from pipeline.progress import Reporter, StageClock
from pipeline.stages.crop import find_crop
from pipeline.stages.probe import probe
from pipeline.transcode import account, hardware
from pipeline.transcode.asked import TranscodeContext, TranscodeJob
from pipeline.transcode.encode import make
from pipeline.transcode.facts import Decoded, MediaFacts
from pipeline.transcode.inspect import inspect
from pipeline.transcode.measure import decoded
from pipeline.transcode.order import LossError, Made, Order
from pipeline.transcode.output import EncodingError
from pipeline.transcode.picture import Box, plan_picture, software_of
from pipeline.transcode.place import SALVAGED, adoptable, check_place, made_before
from pipeline.transcode.problems import problems_of
from pipeline.transcode.recipe import Recipe, recipe
from pipeline.transcode.verify import CopyError, verify

_UNDECODABLE = "not all of it decodes"
_ENCODE_SHARE = 0.97


def transcode(job: TranscodeJob, run: TranscodeContext, report: Reporter) -> Outcome:
    """Do one job and return how it ended, failures included; only what `report` raises comes out as an exception."""
    return _Transcoding(job, run, report).outcome()


class _Transcoding:
    """The state of one job while it runs."""

    def __init__(self, job: TranscodeJob, run: TranscodeContext, report: Reporter) -> None:
        self._job, self._run = job, run
        self._settings = run.settings.transcode
        self._clock = StageClock(report)
        self._video = HeldVideo(job.source, job.identity)
        self._path = os.path.join(run.out, job.output)
        self._mark = f"vconsole {job.key}"
        self._written_mark = self._mark + SALVAGED * self._settings.salvage
        self._facts: MediaFacts | None = None
        self._fallback = ""
        self._encoder = ""
        self._engines = Engines(run.settings.decode, run.state_dir)

    def outcome(self) -> Outcome:
        """Do the job; every exception becomes a failure."""
        try:
            with self._video.held():
                return self._outcome()
        except Exception as error:  # noqa: BLE001 - the boundary: damaged media raises anything
            failure = self._video.failure(error, self._clock.stage)
        if failure.stage is Stage.WRITE:
            failure.stage = self._clock.stage
        known = account.known(self._job.content_id, self._facts, self._settings)
        if failure.failure is FailureClass.EMPTY:
            return Outcome(JobState.SKIPPED, known | {"reason": str(failure), "action": "skipped"})
        return Outcome(JobState.FAILED, known | failure.seen, failure)

    def _outcome(self) -> Outcome:
        self._clock.moved()
        adopted = (
            None if self._job.force else adoptable(self._path, self._mark, self._job.known_sha256, self._clock.moved)
        )
        facts = self._probe()
        if adopted is not None:
            lacks = self._loss(facts) if adopted.mark.endswith(SALVAGED) else None
            self._clock.reused(Stage.TRANSCODE, Stage.VERIFY)
            return self._ended(facts, recipe(facts, self._settings), adopted, lacks, adopted=True)
        if facts.is_picture:
            raise JobError(FailureClass.EMPTY, "It is a still picture: there is no video in it.")
        if not facts.video.frames:
            raise JobError(FailureClass.EMPTY, "The video track holds no picture.")
        plan = recipe(facts, self._settings, self._crop(facts))
        tried = self._tried(facts, plan)
        if tried is not facts:
            facts = self._facts = tried
            plan = recipe(facts, self._settings, self._crop(facts))
        if plan.action == "conforms" and not self._job.force:
            reason = "It is already as the settings ask for."
            known = account.known(self._job.content_id, facts, self._settings)
            return Outcome(JobState.SKIPPED, known | {"reason": reason, "action": "conforms"})
        check_place(self._path, self._job.source, self._job.known_sha256)
        check_volume(self._run.out, self._run.out_device, Stage.TRANSCODE)
        try:
            found, made = self._written(facts, plan)
        except CopyError as error:
            fault = f"{_UNDECODABLE} ({error})"
            facts = replace(facts, damage=replace(facts.damage, faults=(*facts.damage.faults, fault)))
            if self._settings.video_codec == "copy":
                self._refuse(facts)
            plan = recipe(facts, self._settings, self._crop(facts))
            found, made = self._written(facts, plan)
        check_written(self._path, self._run.out, self._run.out_device, Stage.TRANSCODE)
        return self._ended(facts, plan, found, made)

    def _written(self, facts: MediaFacts, plan: Recipe) -> tuple[MediaFacts, Made]:
        """Make the output, check it and give it its name."""
        if facts.damage.any and not self._settings.salvage:
            self._refuse(facts)
        with atomic_file(self._path) as part:
            with self._clock.timed(Stage.TRANSCODE, facts.video.frames):
                try:
                    made = self._make(facts, plan, part)
                finally:  # of a full volume the engine knows by it how much room to wait for
                    self._clock.moved(bytes_out=self._part_bytes())
                self._video.check()
            with self._clock.timed(Stage.VERIFY, 1):
                found = verify(part, plan, made, self._clock.moved)
            check_volume(self._run.out, self._run.out_device, Stage.TRANSCODE)
        return found, made

    def _probe(self) -> MediaFacts:
        with self._clock.timed(Stage.PROBE, 1):
            facts = inspect(self._video.path, self._run.settings.probe, tick=self._clock.moved)
            self._facts, self._clock.duration_s = facts, facts.duration_s
        return facts

    def _crop(self, facts: MediaFacts) -> Box | None:
        if self._settings.crop != "auto":
            return None
        run = self._run.settings
        found = probe(self._video.path, run.probe)
        box = find_crop(self._video.path, found, run.crop.model_copy(update={"enabled": True}))
        if facts.video.mirrored:
            box = (found.width - box[0] - box[2], *box[1:])
        return box

    def _make(self, facts: MediaFacts, plan: Recipe, part: bytes) -> Made:
        """Write the output, by the hardware where it serves, else by software."""
        job, run = self._job, self._run
        threads = (job.decode_threads, job.encode_threads)
        order = Order(
            self._video.path,
            part,
            facts,
            plan,
            self._settings,
            run.settings.probe,
            self._written_mark,
            *threads,
            engines=self._gpu_for(facts) if plan.video.picture else None,
        )
        progress = partial(self._moved, facts.duration_s)
        try:
            if plan.video.picture is None:
                return make(order, None, progress)
            hard, self._fallback = hardware.chosen(self._settings)
            if hard:
                try:
                    return self._encode(order, hard, progress)
                except EncodingError as error:
                    if self._settings.hwaccel == "cuda":
                        raise
                    self._fallback = f"{hard} failed, so software encoded this video: {error}."
            return self._encode(order, software_of(self._settings), progress)
        except LossError:
            self._refuse(facts)
        except EncodingError as error:
            sentence = f"The encoder refuses this video: {error}."
            raise JobError(FailureClass.UNSUPPORTED, sentence, stage=Stage.TRANSCODE) from error
        except OSError as error:
            raise disk_error(error, "write", part) from error

    def _gpu_for(self, facts: MediaFacts) -> Engines | None:
        """Return where a GPU may decode; not what is odd or to be salvaged, for only software tells of all damage."""
        settings, video = self._settings, facts.video
        odd = video.interlaced or not facts.clock.sound or facts.damage.any
        if odd or settings.salvage or settings.hwaccel == "none":
            return None
        asked = Asked(
            self._video.path,
            video.index,
            video.codec,
            video.pixel_format,
            video.width,
            video.height,
            video.frames,
            self._run.settings.probe.max_pixels,
            self._job.decode_threads,
        )
        self._engines.choose(asked)
        return self._engines

    def _encode(self, order: Order, encoder: str, progress: "partial[None]") -> Made:
        assert order.recipe.video.picture is not None
        picture = order.recipe.video.picture
        if encoder != picture.encoder:
            crop = self._crop(order.facts)
            picture = plan_picture(order.facts.video, self._settings, crop, encoder)
        self._encoder = encoder
        with suppress(FileNotFoundError):
            os.truncate(order.part, 0)
        made = make(order, picture, progress)
        if not made.frames:
            raise JobError(FailureClass.CORRUPT, "None of its pictures can be decoded.", stage=Stage.TRANSCODE)
        return made

    def _moved(self, duration_s: float, video_s: float, frames: int) -> None:
        share = _ENCODE_SHARE * min(1.0, video_s / duration_s) if duration_s > 0 else None
        self._clock.moved(share=share, video_s=video_s, frames=frames, bytes_out=self._part_bytes())

    def _part_bytes(self) -> int:
        """Return how many bytes the output has so far."""
        try:
            return os.stat(part_path(self._path)).st_size
        except OSError:
            return 0

    def _loss(self, facts: MediaFacts) -> Made:
        """Return what an output lacks that is there already: its source is decoded once more to tell."""
        found = self._decoded(facts)
        return Made(lost=found.lost, damaged=found.damaged, sound_errors=found.sound_errors)

    def _tried(self, facts: MediaFacts, plan: Recipe) -> MediaFacts:
        """Decode what would only be copied, and return the facts with the damage that only this shows."""
        pictures = plan.video.picture is None and self._settings.video_codec != "copy"
        sound = self._settings.audio_codec != "copy" and any(not track.encoder for track in plan.audio)
        if not (pictures or sound):
            return facts
        found = self._decoded(facts, sound_only=not pictures)
        if found.lost or found.damaged:
            faults = (*facts.damage.faults, _UNDECODABLE)
            facts = replace(facts, decoded=found, damage=replace(facts.damage, faults=faults))
        if found.sound_errors:
            facts = replace(facts, audio=tuple(replace(track, damaged=True) for track in facts.audio))
        return facts

    def _decoded(self, facts: MediaFacts, *, sound_only: bool = False) -> Decoded:
        """Return how much of the source decodes."""
        with self._clock.within(Stage.PROBE):
            return decoded(
                self._video.path,
                facts,
                self._run.settings.probe,
                self._job.decode_threads,
                self._clock.moved,
                sound_only=sound_only,
            )

    def _refuse(self, facts: MediaFacts) -> NoReturn:
        """Fail for what cannot be decoded, and say how much can."""
        facts = self._facts = facts if facts.decoded else replace(facts, decoded=self._decoded(facts))
        why = next(
            (p.sentence for p in problems_of(facts, self._settings) if p.code in account.DAMAGE), "It is damaged."
        )
        assert facts.decoded is not None
        how = "only encoding leaves the rest out" if self._settings.salvage else "salvage would keep these"
        share = f" {100 * facts.decoded.share:.1f} % of its pictures decode; {how}."
        raise JobError(FailureClass.CORRUPT, why + (share if facts.decoded.frames else ""), stage=Stage.TRANSCODE)

    def _ended(
        self, facts: MediaFacts, plan: Recipe, found: MediaFacts, made: Made | None, *, adopted: bool = False
    ) -> Outcome:
        job = self._job
        status = os.stat(self._path)
        result = account.known(job.content_id, facts, self._settings) | account.finished(facts, found, plan, made)
        spent_s = self._clock.seconds.get(Stage.TRANSCODE, 0.0)
        result |= {
            "output": os.fsdecode(job.output),
            "output_bytes": status.st_size,
            "output_sha256": sha256_of(self._path, self._clock.moved),
            "output_mtime_ns": status.st_mtime_ns,
            "stage_keys": {"transcode": job.key},
            "adopted": adopted,
            "bytes_written": 0 if adopted else status.st_size,
            "seconds": {name: round(value, 6) for name, value in self._clock.seconds.items()},
            "encoder": self._encoder,
            "fallback": self._fallback,
            "notes": [
                f"{os.fsdecode(os.path.basename(other))}, made in another format before, stays beside it."
                for other in made_before(self._path)
            ],
            **self._engines.told(),
            "x_real_time": round(facts.duration_s / spent_s, 3) if spent_s > 0 else 0.0,
            "ratio": round(status.st_size / facts.size_bytes, 6) if facts.size_bytes else 0.0,
        }
        return Outcome(JobState.PARTIAL if result.get("loss") else JobState.DONE, result)
