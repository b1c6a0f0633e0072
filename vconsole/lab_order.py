"""Turns what an operator wants measured, typed behind the command or filled in on the screen, into an order."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from math import inf, nan
from pathlib import Path

from pydantic import ValidationError

from pipeline.benchmark.machine import has_gpu
from pipeline.benchmark.order import Order
from pipeline.benchmark.plan import NOTHING, Wanted, parse_sweep, subjects_of
from pipeline.benchmark.report import Method, Report, read_report
from pipeline.benchmark.services import read_services
from pipeline.commands import StartRun
from pipeline.engine.sniff import EXTENSIONS, STILLS
from pipeline.errors import SettingsError
from pipeline.lab import LabRequest
from pipeline.media.truth import read_truth
from pipeline.model import STAGES, RunKind, Stage
from pipeline.models.families import KNOW_TEXTS
from pipeline.models.registry import catalogue, require
from pipeline.settings import PRESETS, PipelineSettings, Settings, presets_of, with_preset
from pipeline.transcode.settings import conflict
from vconsole.options import absolute

SAMPLES_S = 120.0
CODECS = ("h264", "hevc", "av1", "vp9", "mpeg4", "prores")
"""What decoding is measured of where floors are asked for, whatever the inputs are."""
REPORT_FILE = "report.json"
"""What a report in the folder of a benchmark is called."""
FOLDER = "benchmarks"
"""Where in the state folder benchmarks lie, a folder each."""


def new_folder(state_dir: Path) -> Path:
    """Make and return the folder of one more benchmark."""
    stem = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    for number in range(1, 1000):
        folder = state_dir / FOLDER / (stem if number == 1 else f"{stem}-{number}")
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            return folder
    raise SettingsError(f"There are too many benchmarks of one second in {state_dir / FOLDER}.")


def order_of(
    request: LabRequest, settings: Settings, folder: Callable[[], Path], command: Sequence[str]
) -> tuple[Order, tuple[bytes, ...]]:
    """Return the order and its inputs, which are made in `folder` where none are named. Raises SettingsError."""
    method, (baseline, percent) = method_of(request), _gate(request)
    wanted = _wanted(request, settings, folder)
    order = Order(
        subjects=subjects_of(wanted),
        method=method,
        settings=PipelineSettings.model_validate(settings.model_dump(include=set(PipelineSettings.model_fields))),
        scratch="",
        presets={name: _with_preset(settings, name) for name in (*wanted.presets, *wanted.transcodes)},
        command=tuple(command),
        baseline=baseline,
        allowed_percent=percent,
    )
    videos = (path for paths in wanted.videos.values() for path in paths)
    return order, tuple(map(os.fsencode, (*wanted.images, *videos)))


def command_of(order: Order, inputs: tuple[bytes, ...], folder: Path) -> StartRun:
    """Return the command that has the order in a folder measured."""
    asked = dict.fromkeys(subject.target for subject in order.subjects if not subject.is_floor)
    return StartRun(RunKind.BENCHMARK, inputs, bytes(folder), " ".join(asked), order.settings)


def method_of(request: LabRequest) -> Method:
    """Return how is measured. Raises SettingsError that names the option."""
    names = ("iterations", "warmup_iterations", "min_seconds", "max_seconds")
    try:
        return Method.model_validate({name: getattr(request, name) for name in names})
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise SettingsError(f"--{option}: {first['msg']}") from error


def _gate(request: LabRequest) -> tuple[Report | None, float | None]:
    """Return the baseline and how much slower is allowed. Raises SettingsError."""
    if request.allowed_percent and not request.baseline:
        raise SettingsError("--fail-on-regression has nothing to compare with", remedy="Name a report with --baseline.")
    try:
        percent = float(request.allowed_percent) if request.allowed_percent else None
    except ValueError:
        percent = nan
    if percent is not None and not 0 <= percent < inf:
        raise SettingsError(f"--fail-on-regression {request.allowed_percent}: a percentage of 0 or more is wanted")
    if not request.baseline:
        return None, None
    path = Path(os.fsdecode(absolute(request.baseline)))
    return read_report(path / REPORT_FILE if path.is_dir() else path), percent


def _wanted(request: LabRequest, settings: Settings, folder: Callable[[], Path]) -> Wanted:
    """Return what is asked for, with inputs made up where none are named. Raises SettingsError."""
    if not (request.extractors or request.stages or request.presets or request.services or request.floors):
        raise SettingsError("there is nothing to measure", remedy=NOTHING)
    _check_names("stage", request.stages, STAGES[RunKind.EXTRACT])
    kinds = RunKind.EXTRACT, RunKind.TRANSCODE
    presets, transcodes = (presets_of({**PRESETS, **settings.presets}, kind) for kind in kinds)
    _check_names("preset", request.presets, {**presets, **transcodes})
    needed = {Stage.EMBED: settings.embed.models, Stage.SPEECH: (settings.speech.model,)}
    of_stages = (key for stage, keys in needed.items() if stage in request.stages for key in keys)
    require([*request.extractors, *of_stages], settings)
    models = catalogue(settings)
    sweep = parse_sweep(request.sweep.split())
    services = read_services(request.services) if request.services else {}
    turned = any(name in transcodes for name in request.presets)
    images, paths = _inputs(request.inputs) if request.inputs else _samples(folder() / "samples", turned=turned)
    videos = _by_codec(paths)
    others = _in_codecs(folder() / "codecs", set(CODECS) - set(videos)) if request.floors else {}
    return Wanted(
        extractors=tuple(dict.fromkeys(request.extractors)),
        texts=frozenset(key for key in request.extractors if models[key].family in KNOW_TEXTS),
        stages=tuple(dict.fromkeys(request.stages)),
        presets=tuple(dict.fromkeys(name for name in request.presets if name in presets)),
        transcodes=tuple(dict.fromkeys(name for name in request.presets if name in transcodes)),
        services=services,
        images=images,
        videos=videos,
        floors=request.floors,
        other_codecs=others,
        dummy_text=not request.inputs,
        sweep=sweep,
        cuda=_is_cuda(settings.host.device) or any(map(_is_cuda, sweep.get("device", ()))),
    )


def _with_preset(settings: Settings, name: str) -> PipelineSettings:
    """Return what a run with a preset reads. Raises SettingsError where that contradicts itself."""
    found = with_preset(settings, name)
    wrong = conflict(found.transcode)
    if wrong:
        raise SettingsError(f"the settings of preset {name} cannot go together: {wrong}", remedy="Change one of them.")
    return found


def _check_names(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(f"there is no {what} {name!r}; there are {', '.join(sorted(known))}")


def _inputs(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the pictures and the videos among paths and what is in folders, by their names."""
    found: list[str] = []
    for name in names:
        path = os.fsdecode(absolute(name))
        if not os.path.exists(path):  # noqa: PTH110 - the path may hold any bytes
            raise SettingsError(f"--inputs: there is no {name}")
        inside = (os.path.join(top, file) for top, _, files in os.walk(path) for file in sorted(files))  # noqa: PTH118
        found += [path] if os.path.isfile(path) else inside  # noqa: PTH113
    endings = {path: os.fsencode(os.path.splitext(path)[1].lower().lstrip(".")) for path in found}  # noqa: PTH122
    images = tuple(path for path in found if endings[path] in STILLS | {b"webp"})
    videos = tuple(path for path in found if endings[path] in EXTENSIONS - STILLS - {b"webp"})
    if not images and not videos:
        raise SettingsError("--inputs holds neither pictures nor videos")
    return images, videos


def _samples(folder: Path, *, turned: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return a picture and a video that are made in a process of its own: this one holds no codec.

    The video is the first one, or the first that has to be `turned`, in which a transcode finds something to do.
    """
    _program("pipeline.media.samples", str(folder))
    samples = read_truth(folder)
    pictures = tuple(str(folder / one.name) for one in samples if one.kind == "picture")
    videos = (str(folder / one.name) for one in samples if one.kind == "video" and bool(one.rotation_deg) >= turned)
    return pictures, (next(videos),)


def _in_codecs(folder: Path, codecs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return a video of each codec, made up."""
    wanted = [codec for codec in CODECS if codec in codecs]
    folder.mkdir(parents=True, exist_ok=True)
    if wanted:
        _program("pipeline.media.samples", str(folder), *wanted)
    return {codec: (str(folder / f"{codec}.mkv"),) for codec in wanted}


def _by_codec(paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the videos of each codec, in the order in which codecs come."""
    told = json.loads(_program("pipeline.benchmark.codecs", asked=json.dumps(paths))) if paths else []
    return {codec: tuple(path for path, its in zip(paths, told, strict=True) if its == codec) for codec in told}


def _program(module: str, *arguments: str, asked: str = "") -> str:
    """Return what a program of this package answers. Raises SettingsError."""
    command = [sys.executable, "-P", "-m", module, *arguments]
    try:
        return subprocess.run(
            command, check=True, input=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            timeout=SAMPLES_S,
        ).stdout  # fmt: skip
    except subprocess.SubprocessError as error:
        message = f"inputs could not be made up or looked at: {error}"
        raise SettingsError(message, remedy="Name others with --inputs.") from error


def _is_cuda(device: str) -> bool:
    return device.startswith("cuda") or (device == "auto" and has_gpu())
