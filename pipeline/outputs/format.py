"""Format 1 of a feature file: its tables and attributes, and what must be true of their contents."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "vconsole-features"
FORMAT_VERSION = 1

TEXT = "text"
"""Marks a column of variable-length UTF-8 strings."""

BOX = "box"
"""Marks a column of float32 (N, 4): x0, y0, x1, y1 as fractions of the picture."""

Column = NDArray[Any]
Table = Mapping[str, Column]
"""Columns of equal length by name; the columns of each table are in `TABLES`."""
Vectors = NDArray[np.float32]

TABLES: dict[str, dict[str, str]] = {
    "scenes": {"start_s": "float64", "end_s": "float64", "start_frame": "int64", "end_frame": "int64"},
    "frames": {
        "time_s": "float64",
        "frame_index": "int64",
        "scene": "int32",
        "dhash": "uint64",
        "sharpness": "float32",
    },
    "text": {"time_s": "float64", "frame_index": "int64", "text": TEXT, "confidence": "float32", "box": BOX},
    "lines": {"start_s": "float64", "end_s": "float64", "text": TEXT},
    "speech": {
        "start_s": "float64",
        "end_s": "float64",
        "text": TEXT,
        "confidence": "float32",
        "no_speech_prob": "float32",
    },
    "speech_lost": {"start_s": "float64", "end_s": "float64", "reason": TEXT},
    "lost": {"start_s": "float64", "end_s": "float64", "reason": TEXT},
}
"""Columns and dtypes of each table."""

OPTIONAL = frozenset({"text", "lines", "speech", "speech_lost", "lost"})
"""Tables that may be absent: `text`, `lines` and `speech` where not asked for, the lost ones where all was read."""

MEAN = "mean"
NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class FeatureInfo:
    """The attributes of the root; `format` and `format_version` stand beside them."""

    source: bytes
    """Path relative to the input root, byte for byte."""
    source_display: str
    source_bytes: int
    content_id: str
    duration_s: float
    width: int
    """Of the upright picture in pixels, before the crop."""
    height: int
    fps: float
    video_codec: str
    audio_codec: str
    crop_xywh: tuple[int, int, int, int]
    rotation_deg: int
    frames_decoded: int
    frames_lost: int
    created_utc: str
    """ISO 8601 with seconds, ending in Z."""
    vconsole_version: str
    settings_hash: str
    stage_keys: Mapping[str, str]
    """See `pipeline.stages.keys`; stored as JSON."""
    probe: Mapping[str, Any]
    """What the probe found (`pipeline.stages.probe.Probe` but for its own wall time), with `variable_rate` as all
    decoded frames show it, and `cut_off`: whether `probe.max_frames` ended the video before its end;
    `false_times`: pictures whose times could not be and were replaced. Stored as JSON."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which model made vectors: the attributes of `/embeddings/K`."""

    model: str
    weights: str
    weights_sha256: str
    precision: str
    device: str
    pooling: str = MEAN
    """How the vectors of scenes and of the video are made: `mean` of those of the frames (a file does not say that),
    or by the `model` itself."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vectors of one model: float32 (N, D), L2-normalised, a row a frame; and those of the scenes and the video.

    `scenes` is float32 (S, D), with a row of zeros for a scene none of whose frames was kept; `video` is
    float32 (1, D). Both are None where the preset did not ask for them.
    """

    vectors: Vectors
    provenance: Provenance
    scenes: Vectors | None = None
    video: Vectors | None = None


@dataclass(frozen=True, slots=True)
class ScreenText:
    """On-screen text: table `text` with a row a piece of text in a frame that was read, and `lines` over time."""

    pieces: Table
    lines: Table
    engine: str
    """What read it, with its version: an attribute of `/text`."""
    until_s: float | None = None
    """From when on nothing was read (`text.max_pieces`), an attribute of `/text` too; None, and absent, if all was."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What is said: table `speech` with a row a segment, and `speech_lost` where sound could not be read."""

    segments: Table
    language: str
    """Code of the language, empty where nothing is said."""
    model: str
    """Key of the model that transcribed it."""
    weights: str
    """Fingerprint of its weights."""
    detector: str
    """What found the voices, with its version. All four are attributes of `/speech`."""
    lost: Table | None = None


SPEECH_ATTRS = ("language", "model", "weights", "detector")


@dataclass(frozen=True, slots=True)
class Features:
    """All that a feature file holds."""

    info: FeatureInfo
    scenes: Table
    frames: Table
    sampling: str
    """How the frames were chosen: scenes | uniform | interval | keyframes."""
    embeddings: Mapping[str, Embedding] = field(default_factory=dict)
    lost: Table | None = None
    text: ScreenText | None = None
    """None where it was not asked for."""
    speech: Speech | None = None
    """None where it was not asked for."""

    @property
    def tables(self) -> dict[str, Table]:
        """Return the tables that there are, by name."""
        found = {"scenes": self.scenes, "frames": self.frames}
        if self.text is not None:
            found |= {"text": self.text.pieces, "lines": self.text.lines}
        if self.speech is not None:
            found |= {"speech": self.speech.segments}
            found |= {} if self.speech.lost is None else {"speech_lost": self.speech.lost}
        return found if self.lost is None else found | {"lost": self.lost}

    @property
    def losses(self) -> list[Table]:
        """Return the tables of what could not be read."""
        return [table for name, table in self.tables.items() if name in ("lost", "speech_lost")]

    @property
    def partial(self) -> bool:
        """Whether part of the video could not be read."""
        return bool(self.losses) or self.info.frames_lost > 0

    @property
    def lost_s(self) -> float:
        """Return the seconds of which picture or sound could not be read; those that lack both count once."""
        spans = [pair for lost in self.losses for pair in zip(lost["start_s"], lost["end_s"], strict=True)]
        total_s, until_s = 0.0, -math.inf
        for start_s, end_s in sorted(spans):
            total_s += max(0.0, float(end_s - max(start_s, until_s)))
            until_s = max(until_s, end_s)
        return total_s

    @property
    def memory_bytes(self) -> int:
        """Return the size of the arrays."""
        columns = [column for table in self.tables.values() for column in table.values()]
        for item in self.embeddings.values():
            columns += [array for array in (item.vectors, item.scenes, item.video) if array is not None]
        return sum(column.nbytes for column in columns)


def table(name: str, columns: Mapping[str, list[Any]]) -> Table:
    """Return `columns` as the arrays that table `name` stores."""
    return {column: _column(columns[column], dtype) for column, dtype in TABLES[name].items()}


def _column(values: list[Any], dtype: str) -> Column:
    if dtype == BOX:
        return np.array(values, dtype=np.float32).reshape(-1, 4)
    return np.array(values, dtype=object if dtype == TEXT else dtype)


def problems(features: Features) -> Iterator[str]:
    """Yield a sentence for each thing in `features` that cannot be true of a whole feature file."""
    if not np.isfinite([features.info.duration_s, features.info.fps]).all():
        yield "/: duration_s or fps is not finite"
    for name, columns in features.tables.items():
        yield from _table_problems(name, columns)
    if len({len(column) for column in features.scenes.values()}) == 1:
        yield from _frame_problems(features)
    for key, embedding in features.embeddings.items():
        yield from _embedding_problems(key, embedding, features)


def _table_problems(name: str, columns: Table) -> Iterator[str]:
    if len({len(column) for column in columns.values()}) != 1:
        yield f"/{name}: the columns differ in length"
        return
    for column, values in columns.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            yield f"/{name}/{column}: not finite"
    if "end_s" in columns and (columns["end_s"] < columns["start_s"]).any():
        yield f"/{name}: an end lies before its start"
    if "box" in columns and not _are_boxes(columns["box"]):
        yield f"/{name}/box: not corners within the picture"
    first = columns.get("start_s", columns.get("time_s"))
    if first is not None and (np.diff(first) < 0).any():
        yield f"/{name}: the times do not rise"


def _are_boxes(box: Column) -> bool:
    return bool(((box >= 0) & (box <= 1)).all() and (box[:, :2] <= box[:, 2:]).all())


def _frame_problems(features: Features) -> Iterator[str]:
    scenes, scene = len(features.scenes["start_s"]), features.frames["scene"]
    if not scenes:
        yield "/scenes: empty; no cut means one scene"
    if (features.scenes["end_frame"] < features.scenes["start_frame"]).any():
        yield "/scenes: an end frame lies before its start frame"
    if len(scene) and (scene.min() < 0 or scene.max() >= scenes):
        yield "/frames/scene: a number of no scene"
    if (np.diff(features.frames["frame_index"]) <= 0).any():
        yield "/frames/frame_index: the numbers do not rise"


def _embedding_problems(key: str, embedding: Embedding, features: Features) -> Iterator[str]:
    frames, scenes = len(features.frames["time_s"]), len(features.scenes["start_s"])
    dim = embedding.vectors.shape[-1] if embedding.vectors.ndim else 0
    for group, vectors, rows in (
        ("embeddings", embedding.vectors, frames),
        ("scene_vectors", embedding.scenes, scenes),
        ("video", embedding.video, 1),
    ):
        if vectors is None:
            continue
        if vectors.shape != (rows, dim):
            yield f"/{group}/{key}: shape {vectors.shape} is not {(rows, dim)}"
            continue
        # A row of zeros stands for "no frame kept", so only a mean may have one.
        norms = np.linalg.norm(vectors, axis=1)
        off = ~(np.abs(norms - 1) <= NORM_TOLERANCE)
        if group != "embeddings":
            off &= norms != 0
        if off.any():
            yield f"/{group}/{key}: {int(off.sum())} of {rows} vectors are not finite and of length 1"
