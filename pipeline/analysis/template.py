"""The template of a video: what its structure is, in one JSON file that programs can read without HDF5.

`docs/templates.md` tells its fields; `vconsole templates --schema` prints the schema.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.analysis.folder import ENDING
from pipeline.analysis.outline import Interval, Outline, outline_of
from pipeline.analysis.reader import Answer, Work
from pipeline.analysis.stamps import stamp_of
from pipeline.analysis.stored import vectors_of
from pipeline.outputs.atomic import atomic_file
from pipeline.outputs.features import Group, opened
from pipeline.outputs.paths import EXTENSIONS, frames_folder, picture_name
from pipeline.section import Section
from pipeline.text import visible

TEMPLATES = b"templates"
FORMAT_VERSION = 1
MAIN_LINES, SCENE_LINES = 20, 5
"""On-screen lines told of a video and of a scene: those shown longest."""


class Label(Section):
    """A class."""

    name: str
    probability: float


class Frame(Section):
    """A kept frame."""

    time_s: float
    frame_index: int
    picture: str = Field("", description="Where it was saved below the output folder; empty if it was not.")


class Text(Section):
    """A text and when it is shown or spoken."""

    start_s: float
    end_s: float
    text: str


class Scene(Section):
    """A scene, half-open: start_s <= t < end_s."""

    index: int
    start_s: float
    end_s: float
    label: Label | None = Field(description="Its class, null where nobody classified it or none is likely enough.")
    representative: Frame | None = Field(description="The frame most like the scene, null where none was kept.")
    lines: tuple[Text, ...] = Field(description=f"The {SCENE_LINES} on-screen lines shown longest in it, by time.")
    speech: tuple[Text, ...] = Field(description="What is spoken in it: segments whose middle lies in it.")


class MadeFrom(Section):
    """What the template was made from: while that stays, the template is not made again."""

    size_bytes: int
    mtime_ns: int
    classes: str = Field(description="Key of the classification, empty without one.")


class Template(Section):
    """The structure of one video."""

    format: Literal["vconsole-template"] = "vconsole-template"
    format_version: Literal[1] = 1
    source: str = Field(description="The video's path below its input folder, as it is shown.")
    features: str = Field(description="Its feature file below the folder of those, as it is shown.")
    content_id: str = Field(description="The same for two files with the same content.")
    duration_s: float
    width: int
    height: int
    fps: float
    partial: bool = Field(description="Whether part of the video could not be read.")
    label: Label | None = Field(description="Its class, null where nobody classified it or none is likely enough.")
    representative: Frame | None = Field(description="The frame most like the whole video.")
    language: str = Field(description="Language of the speech, empty if unknown.")
    has_text: bool = Field(description="Whether on-screen text was looked for.")
    has_speech: bool = Field(description="Whether speech was listened for.")
    lines: tuple[Text, ...] = Field(description=f"The {MAIN_LINES} on-screen lines shown longest, by time.")
    scenes: tuple[Scene, ...]
    made_from: MadeFrom


def template_path(out: bytes, name: bytes) -> bytes:
    """Return where the template of a feature file lies."""
    return os.path.join(out, TEMPLATES, name.removesuffix(ENDING) + b".json")


def templating(arguments: Mapping[str, Any]) -> Work:
    """Return what writes the template of one feature file; it is handed its name, and its class if it has one."""
    out, force = os.fsencode(arguments["out"]), bool(arguments["force"])

    def work(path: bytes, extra: Any) -> Answer:
        name, label, labels = os.fsencode(extra["name"]), extra["label"], extra["labels"]
        target, (size, mtime_ns) = template_path(out, name), stamp_of(path)
        made_from = MadeFrom(size_bytes=size, mtime_ns=mtime_ns, classes=extra["key"])
        if not force and _made_from(target) == made_from:
            return {"made": False}
        with opened(path) as file:
            found = _template(file, out, name, label, labels, made_from)
        with atomic_file(target) as part, open(part, "wb") as written:
            written.write(found.model_dump_json(indent=1).encode() + b"\n")
        return {"made": True}

    return work


def _made_from(target: bytes) -> MadeFrom | None:
    """Return what a template that is there was made from; None for none, or one that is not whole."""
    try:
        with open(target, "rb") as file:
            return Template.model_validate_json(file.read()).made_from
    except (OSError, ValueError):
        return None


def _template(file: Group, out: bytes, name: bytes, label: Any, labels: Sequence[Any], made_from: MadeFrom) -> Template:
    seen, nearness = outline_of(file), _nearness(file)
    classes = [Label(**one) if one else None for one in labels] or [None] * len(seen.scenes)
    return Template(
        source=seen.source_display,
        features=visible(name),
        content_id=seen.content_id,
        duration_s=seen.duration_s,
        width=seen.width,
        height=seen.height,
        fps=seen.fps,
        partial=seen.partial,
        label=Label(**label) if label else None,
        representative=_best(seen, np.ones(len(seen.frame_index), bool), nearness[0] if nearness else None, out),
        language=seen.language,
        has_text=seen.lines is not None,
        has_speech=seen.speech is not None,
        lines=_longest(seen.lines or (), MAIN_LINES),
        scenes=tuple(
            Scene(
                index=index,
                start_s=start_s,
                end_s=end_s,
                label=classes[index],
                representative=_best(seen, seen.frame_scene == index, nearness[1] if nearness else None, out),
                lines=_longest([one for one in seen.lines or () if one[0] < end_s and start_s < one[1]], SCENE_LINES),
                speech=tuple(map(_text, _spoken(seen, start_s, end_s, last=index == len(seen.scenes) - 1))),
            )
            for index, (start_s, end_s) in enumerate(seen.scenes)
        ),
        made_from=made_from,
    )


def _nearness(file: Group) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Return how like each frame is to the video and to its scene, by the first model's vectors; None without any."""
    keys = list(file.get("embeddings", ()))
    if not keys:
        return None
    scene = file["frames"]["scene"][()]
    frames = file["embeddings"][keys[0]]["vectors"][()]
    scenes, video = vectors_of(file, keys[0], len(file["scenes"]["start_s"]))
    return frames @ video, np.einsum("nd,nd->n", frames, scenes[scene])


def _best(seen: Outline, among: NDArray[np.bool_], nearness: NDArray[np.float32] | None, out: bytes) -> Frame | None:
    """Return the frame most like the whole, or the sharpest where there are no vectors; None where none was kept."""
    if not among.any():
        return None
    merit = seen.sharpness if nearness is None else nearness
    place = int(np.where(among, merit, -np.inf).argmax())
    index = int(seen.frame_index[place])
    return Frame(time_s=float(seen.frame_time_s[place]), frame_index=index, picture=_picture(seen, index, out))


def _picture(seen: Outline, index: int, out: bytes) -> str:
    folder = frames_folder(out, seen.source)
    saved = (os.path.join(folder, picture_name(index, kind)) for kind in EXTENSIONS)
    return next((visible(os.path.relpath(path, out)) for path in saved if os.path.exists(path)), "")


def _longest(lines: Sequence[Interval], most: int) -> tuple[Text, ...]:
    chosen = sorted(lines, key=lambda line: line[0] - line[1])[:most]
    return tuple(map(_text, sorted(chosen)))


def _spoken(seen: Outline, start_s: float, end_s: float, *, last: bool) -> list[Interval]:
    """Return the segments whose middle lies in a scene; what comes after the last picture belongs to the last."""
    return [
        one for one in seen.speech or () if start_s <= (one[0] + one[1]) / 2 and (last or one[0] + one[1] < 2 * end_s)
    ]


def _text(one: Interval) -> Text:
    return Text(start_s=one[0], end_s=one[1], text=one[2].strip())


def schema() -> str:
    """Return the JSON schema of a template."""
    return json.dumps(Template.model_json_schema(), indent=1)
