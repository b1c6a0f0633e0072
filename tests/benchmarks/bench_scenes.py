"""Point 3: our scenes against PySceneDetect's own `detect`, on every multi-shot video of a folder.

    python tests/benchmarks/bench_scenes.py [--media FOLDER] [--detector adaptive ...] [--json FILE]

Cuts are matched one to one within one frame (of the average rate; for variable rates that is a comparison in
seconds). Videos in which PySceneDetect finds no cut, and in which we find none, say nothing and are left out of F1.
Exit code 1 if F1 over the constant-rate files is below 0.98 for a detector.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from scenedetect import AdaptiveDetector, ContentDetector, HashDetector, ThresholdDetector, detect

from pipeline.errors import JobError
from pipeline.media.sweep import sweep
from pipeline.settings import PipelineSettings
from pipeline.stage_sections import FramesSettings, ScenesSettings
from pipeline.stages.probe import probe

DETECTORS = {
    "adaptive": AdaptiveDetector,
    "content": ContentDetector,
    "threshold": ThresholdDetector,
    "hash": HashDetector,
}
TARGET = 0.98


def our_cuts(path: Path, detector: str) -> tuple[list[float], float, bool]:
    """Return our cuts in seconds from the first frame, the average rate, and whether it varies."""
    settings = PipelineSettings(
        scenes=ScenesSettings(detector=detector), frames=FramesSettings(method="interval", interval_s=1e6)
    )
    found = probe(os.fsencode(path), settings.probe)
    whole = (0, 0, found.width, found.height)
    result = sweep(
        os.fsencode(path),
        found,
        whole,
        settings,
        decode_threads=2,
        on_frame=lambda _: None,
        progress=lambda *_: None,
    )
    first = result.scenes[0].start_s
    return [scene.start_s - first for scene in result.scenes[1:]], result.fps, result.variable_rate


def their_cuts(path: Path, detector: str) -> list[float]:
    """Return PySceneDetect's cuts in seconds from the first frame."""
    scenes = detect(str(path), DETECTORS[detector](), start_in_scene=True)
    first = scenes[0][0].seconds if scenes else 0.0
    return [start.seconds - first for start, _ in scenes[1:]]


def matches(ours: list[float], theirs: list[float], within_s: float) -> int:
    """Return how many cuts can be paired one to one, in order."""
    free = list(theirs)
    count = 0
    for cut in ours:
        near = [other for other in free if abs(other - cut) <= within_s]
        if near:
            free.remove(min(near, key=lambda other: abs(other - cut)))
            count += 1
    return count


def compare(paths: list[Path], detector: str) -> list[dict[str, object]]:
    """Return a row a video that has a cut."""
    rows: list[dict[str, object]] = []
    for path in paths:
        try:
            ours, fps, variable = our_cuts(path, detector)
            theirs = their_cuts(path, detector)
        except JobError as error:
            print(f"  left out {path.name}: {error}", file=sys.stderr)
            continue
        except Exception as error:  # noqa: BLE001 - PySceneDetect raises anything over damaged files.
            print(f"  left out {path.name}: PySceneDetect: {error}", file=sys.stderr)
            continue
        if not ours and not theirs:
            continue
        paired = matches(ours, theirs, 1.01 / (fps or 25))
        rows.append(
            {
                "video": str(path),
                "variable_rate": variable,
                "ours": len(ours),
                "theirs": len(theirs),
                "paired": paired,
            }
        )
        print(f"  {detector:9} ours {len(ours):4} theirs {len(theirs):4} paired {paired:4}  {path.name}", flush=True)
    return rows


def f1(rows: list[dict[str, object]]) -> float:
    """Return F1 over all cuts of the rows."""
    paired = sum(int(str(row["paired"])) for row in rows)
    total = sum(int(str(row["ours"])) + int(str(row["theirs"])) for row in rows)
    return 2 * paired / total if total else 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=Path(__file__).parents[3] / "shared" / "media" / "videos")
    parser.add_argument("--detector", nargs="+", choices=DETECTORS, default=["adaptive"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    paths = sorted(path for path in options.media.rglob("*") if path.is_file() and path.stat().st_size > 20_000)
    results = {}
    for detector in options.detector:
        rows = compare(paths, detector)
        constant = [row for row in rows if not row["variable_rate"]]
        varying = [row for row in rows if row["variable_rate"]]
        results[detector] = {"f1_constant": f1(constant), "f1_variable": f1(varying), "videos": rows}
        print(
            f"{detector}: F1 {f1(constant):.4f} over {len(constant)} constant-rate videos, "
            f"{f1(varying):.4f} over {len(varying)} variable-rate videos"
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0 if all(result["f1_constant"] >= TARGET for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
