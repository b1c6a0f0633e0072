"""What a run of each kind does in its own way: the engine looks it up here and is the same for all of them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.engine.records import OutputRecord
from pipeline.engine.sniff import is_still
from pipeline.engine.tuning import EXTRACTING, Share, transcoding
from pipeline.model import JobState, RunKind
from pipeline.models import registry
from pipeline.outputs.naming import NAMED, candidates
from pipeline.outputs.paths import has_pictures
from pipeline.reading.engines import choose
from pipeline.settings import PipelineSettings
from pipeline.stages.keys import TEXT_ENGINE, stage_keys, transcode_keys
from pipeline.transcode.settings import SUFFIXES

Fingerprints = Mapping[str, str]

STILL = "a still picture: there is no video in it"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of runs."""

    models: Callable[[PipelineSettings], tuple[str, ...]]
    """The models that a run needs."""
    keys: Callable[[PipelineSettings, str, Fingerprints], dict[str, str]]
    """The key of each result of a video with a content id."""
    still_good: Callable[[PipelineSettings, OutputRecord], bool]
    """Whether an output whose file and keys are as they should be is all that is wanted."""
    passes_over: Callable[[bytes, bytes], str]
    """Why a media file of this name and these first bytes is nothing for it, empty if it is."""
    suffix: Callable[[PipelineSettings], bytes]
    """How the outputs' names end where the engine chooses those, else empty."""
    keeps_partial: Callable[[PipelineSettings], bool]
    """Whether what could be read of a damaged video is kept."""
    share: Callable[[PipelineSettings], Share]
    """What one worker takes of the machine."""


def needs_host(kind: RunKind, settings: PipelineSettings) -> bool:
    """Return whether the jobs of a run need a model host."""
    return bool(KINDS[kind].models(settings)) or reads_text(kind, settings)


def reads_text(kind: RunKind, settings: PipelineSettings) -> bool:
    """Return whether a run reads the text of its videos."""
    return kind is RunKind.EXTRACT and settings.text.enabled


def fingerprints(kind: RunKind, settings: PipelineSettings) -> dict[str, str]:
    """Return the fingerprint of the weights of each model that a run needs, and the engine that reads its text.

    Raises OSError, VconsoleError.
    """
    wanted = KINDS[kind].models(settings)
    models = registry.catalogue(settings) if wanted else {}
    prints = {key: registry.fingerprint(key, models[key]) for key in wanted}
    if reads_text(kind, settings):
        prints[TEXT_ENGINE] = choose(settings.text)
    return prints


def output_name(kind: RunKind, settings: PipelineSettings, relative: bytes, result: Mapping[str, object]) -> bytes:
    """Return the name of a job's output that the engine chose; empty where the kind needs no choice."""
    suffix = KINDS[kind].suffix(settings)
    chosen = result.get(NAMED) or result.get("output")
    if not suffix:
        return b""
    return os.fsencode(str(chosen)) if chosen else next(candidates(relative, suffix))


def _has_all_pictures(settings: PipelineSettings, known: OutputRecord) -> bool:
    return has_pictures(known.out, known.relative, settings.frames.save, int(known.result.get("frames", 0)))


def _is_whole_enough(settings: PipelineSettings, known: OutputRecord) -> bool:
    return settings.transcode.salvage or known.result.get("state") != JobState.PARTIAL


KINDS: dict[RunKind, Kind] = {
    RunKind.EXTRACT: Kind(
        models=lambda settings: settings.model_keys,
        keys=stage_keys,
        still_good=_has_all_pictures,
        passes_over=lambda name, head: "",
        suffix=lambda _: b"",
        keeps_partial=lambda settings: settings.probe.keep_partial,
        share=lambda _: EXTRACTING,
    ),
    RunKind.TRANSCODE: Kind(
        models=lambda _: (),
        keys=lambda settings, content_id, _: transcode_keys(settings, content_id),
        still_good=_is_whole_enough,
        passes_over=lambda name, head: STILL if is_still(name, head) else "",
        suffix=lambda settings: SUFFIXES[settings.transcode.output_format],
        keeps_partial=lambda settings: settings.transcode.salvage,
        share=lambda settings: transcoding(settings.transcode.video_codec),
    ),
}
"""The kinds of runs that this program makes."""
