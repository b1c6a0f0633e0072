"""What is said in a video as subtitles: SubRip (.srt) and WebVTT (.vtt)."""

import html
import os
from collections.abc import Callable, Iterator, Sequence

from pipeline.outputs.atomic import atomic_file, make_folder
from pipeline.outputs.features import read_features
from pipeline.outputs.format import Table
from pipeline.outputs.paths import FEATURES, safe_name

LEAST_S = 0.001
"""How long a subtitle is shown at least: players leave out what takes no time."""


def srt(segments: Table) -> str:
    """Return the rows of `/speech` as SubRip."""
    cues = (f"{number}\n{_cue(row, ',')}\n{row[2]}\n" for number, row in enumerate(_rows(segments), 1))
    return "\n".join(cues)


def vtt(segments: Table) -> str:
    """Return the rows of `/speech` as WebVTT."""
    cues = (f"{_cue(row, '.')}\n{html.escape(row[2], quote=False)}\n" for row in _rows(segments))
    return "\n".join(("WEBVTT\n", *cues))


SUBTITLES: dict[str, Callable[[Table], str]] = {"srt": srt, "vtt": vtt}
"""The formats by the ending of their files."""


def feature_files(out: bytes) -> Iterator[bytes]:
    """Yield the feature files of an output folder by name."""
    for folder, folders, names in os.walk(os.path.join(out, FEATURES)):
        folders.sort()
        yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(b".h5"))


def write_subtitles(path: bytes, to: bytes, kinds: Sequence[str]) -> list[bytes]:
    """Write what the feature file at `path` says is said, a file of each kind below `to`; return their paths.

    Nothing is written where nothing is said. Raises FeatureError and OSError.
    """
    features = read_features(path, vectors=False)
    if features.speech is None or not len(features.speech.segments["text"]):
        return []
    targets = []
    for kind in dict.fromkeys(kinds):
        targets.append(os.path.join(to, safe_name(features.info.source, f".{kind}".encode())))
        make_folder(os.path.dirname(targets[-1]))
        with atomic_file(targets[-1]) as part, open(part, "w", encoding="utf-8") as file:
            file.write(SUBTITLES[kind](features.speech.segments))
    return targets


def _rows(segments: Table) -> Iterator[tuple[float, float, str]]:
    columns = (segments[name].tolist() for name in ("start_s", "end_s", "text"))
    return zip(*columns, strict=True)


def _cue(row: tuple[float, float, str], comma: str) -> str:
    start_s, end_s, _ = row
    return f"{_stamp(start_s, comma)} --> {_stamp(max(end_s, start_s + LEAST_S), comma)}"


def _stamp(seconds: float, comma: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{comma}{thousandths:03}"
