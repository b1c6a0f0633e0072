"""What a benchmark is to measure: every subject with every set of parameters, floors first."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pipeline.errors import SettingsError
from pipeline.text import visible


class Kind(StrEnum):
    """What a subject is."""

    EXTRACTOR = "extractor"
    PRESET = "preset"
    TRANSCODE = "transcode"
    STAGE = "stage"
    SERVICE = "service"
    FORWARD = "forward"
    DECODE = "decode"
    DEMUX = "demux"
    READ = "read"
    WRITE = "write"
    COPY = "copy"


OF_PRESETS = frozenset({Kind.PRESET, Kind.TRANSCODE})
"""What reads the settings of a preset."""
ASKED = frozenset({Kind.EXTRACTOR, Kind.STAGE, Kind.SERVICE, *OF_PRESETS})
"""What operators ask for; all others are floors."""
SWEEPS: dict[str, frozenset[Kind]] = {
    "batch_size": frozenset({Kind.EXTRACTOR, Kind.FORWARD}),
    "precision": frozenset({Kind.EXTRACTOR, Kind.FORWARD}),
    "compile": frozenset({Kind.EXTRACTOR, Kind.FORWARD}),
    "device": frozenset({Kind.EXTRACTOR, Kind.FORWARD}),
    "hwaccel": frozenset({Kind.DECODE, *OF_PRESETS}),
    "workers": OF_PRESETS,
    "concurrency": frozenset({Kind.SERVICE}),
}
"""What can be varied, and of which subjects."""
CHOICES = {"precision": ("fp32", "fp16", "bf16", "int8"), "compile": ("false", "true"), "hwaccel": ("none", "cuda")}
MOST = {"batch_size": 4096, "workers": 256, "concurrency": 256}
SERVICE_CONCURRENCY = ("1", "2", "8")

NOTHING = "Name --extractors, --stages, --presets, --floors or a --service-config, see --help."

Sweep = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to measure with one set of parameters."""

    kind: Kind
    target: str
    input: str
    """image, text, video or file."""
    inputs: tuple[str, ...] = ()
    """Paths, none where the input is made up."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    description: Mapping[str, object] = field(default_factory=dict)
    """What the configuration says of a service."""
    codec: str = ""
    """The codec of videos, empty where it is not known; videos of two codecs are two subjects."""

    @property
    def is_floor(self) -> bool:
        """Whether it is measured for what stands on it."""
        return self.kind not in ASKED

    @property
    def name(self) -> str:
        """What a report calls it."""
        varied = "".join(f" {key}={value}" for key, value in sorted(self.parameters.items()))
        codec = f" {visible(self.codec)}" if self.codec and not self.is_floor else ""
        return f"{self.kind} {visible(self.target)} {self.input}{codec}{varied}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator asks for; paths are made up by the caller if none are named."""

    extractors: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()
    """Those of the extractors that know texts."""
    presets: tuple[str, ...] = ()
    """Those of extract runs."""
    transcodes: tuple[str, ...] = ()
    """Those of transcode runs."""
    stages: tuple[str, ...] = ()
    services: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    videos: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The videos of each codec, which is empty where it is not known."""
    floors: bool = False
    """Whether this machine's floors are wanted whatever stands on them."""
    other_codecs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Videos of further codecs, only to find the floors of these."""
    dummy_text: bool = False
    """Whether texts are measured: only where no inputs were named."""
    sweep: Sweep = field(default_factory=dict)
    cuda: bool = False


def parse_sweep(words: Iterable[str]) -> Sweep:
    """Return what `batch_size=1,8` and the like say. Raises SettingsError."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        key, sign, values = word.partition("=")
        if not sign or key not in SWEEPS:
            raise SettingsError(f"--sweep knows no {word!r}", remedy=f"It varies {', '.join(SWEEPS)}: KEY=A,B,C.")
        found[key] = tuple(dict.fromkeys(value.strip() for value in values.split(",") if value.strip()))
        for value in found[key] or ("",):
            _check(key, value)
    return found


def subjects_of(wanted: Wanted) -> tuple[Subject, ...]:
    """Return all there is to measure, floors before what stands on them. Raises SettingsError if that is nothing."""
    asked = [*_extractors(wanted), *_stages(wanted), *_presets(wanted), *_services(wanted)]
    if not asked and not wanted.floors:
        raise SettingsError("there is nothing to measure", remedy=NOTHING)
    return tuple(_varied([*_floors(wanted), *asked], wanted.sweep))


def _extractors(wanted: Wanted) -> Iterable[Subject]:
    for key in wanted.extractors:
        if wanted.images:
            yield Subject(Kind.EXTRACTOR, key, "image", wanted.images)
        if wanted.dummy_text and key in wanted.texts:
            yield Subject(Kind.EXTRACTOR, key, "text")
        yield from _on_videos(Kind.EXTRACTOR, key, wanted)


def _stages(wanted: Wanted) -> Iterable[Subject]:
    if wanted.stages and not wanted.videos:
        raise SettingsError("a stage is measured on videos, and --inputs names none")
    return (subject for name in wanted.stages for subject in _on_videos(Kind.STAGE, name, wanted))


def _presets(wanted: Wanted) -> Iterable[Subject]:
    names = [*((Kind.PRESET, name) for name in wanted.presets), *((Kind.TRANSCODE, name) for name in wanted.transcodes)]
    if names and not wanted.videos:
        raise SettingsError("a preset is measured on videos, and --inputs names none")
    return (subject for kind, name in names for subject in _on_videos(kind, name, wanted))


def _on_videos(kind: Kind, target: str, wanted: Wanted) -> Iterable[Subject]:
    return (Subject(kind, target, "video", paths, codec=codec) for codec, paths in wanted.videos.items())


def _services(wanted: Wanted) -> Iterable[Subject]:
    for name, description in wanted.services.items():
        kind = str(description["type"])
        videos = tuple(itertools.chain.from_iterable(wanted.videos.values()))
        inputs = {"image": wanted.images, "video": videos}.get(kind, ())
        if kind != "text" and not inputs:
            raise SettingsError(f"service {name} takes {kind}s, and --inputs names none")
        yield Subject(Kind.SERVICE, name, kind, inputs, description=description)


def _floors(wanted: Wanted) -> Iterable[Subject]:
    local = wanted.extractors or wanted.stages or wanted.presets or wanted.transcodes or wanted.floors
    if local:
        yield Subject(Kind.WRITE, "storage", "file")
        yield Subject(Kind.READ, "storage", "file")
    if local and wanted.cuda:
        yield Subject(Kind.COPY, "host to device", "file")
    for codec, paths in {**wanted.videos, **wanted.other_codecs}.items() if local else ():
        yield Subject(Kind.DEMUX, codec or "videos", "video", paths, codec=codec)
        yield Subject(Kind.DECODE, codec or "videos", "video", paths, codec=codec)
    for key in wanted.extractors:
        yield Subject(Kind.FORWARD, key, "image")
        if wanted.dummy_text and key in wanted.texts:
            yield Subject(Kind.FORWARD, key, "text")


def _varied(subjects: Sequence[Subject], sweep: Sweep) -> Iterable[Subject]:
    for subject in subjects:
        own = {key: values for key, values in sweep.items() if subject.kind in SWEEPS[key]}
        if subject.kind is Kind.SERVICE:
            own.setdefault("concurrency", SERVICE_CONCURRENCY)
        for values in itertools.product(*own.values()):
            yield replace(subject, parameters=dict(zip(own, values, strict=True)))


def _check(key: str, value: str) -> None:
    if key in MOST and not (value.isdecimal() and 1 <= int(value) <= MOST[key]):
        raise SettingsError(f"--sweep {key}={value}: a whole number from 1 to {MOST[key]} is wanted")
    if key in CHOICES and value not in CHOICES[key]:
        raise SettingsError(f"--sweep {key}={value}: it can be {', '.join(CHOICES[key])}")
    if not value:
        raise SettingsError(f"--sweep {key}= names no value")
