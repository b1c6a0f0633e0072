"""Point 4 of the issue: 10,000 stored videos are classified in seconds without decoding, and rightly.

    python tests/benchmarks/bench_classify.py [--videos 10000] [--scenes 5] [--workers auto]

Draws pictures of all combinations of colours and shapes, embeds them with tiny-shapes, and writes a feature file for
each video, whose frames are those of one combination with some noise. Then `vconsole classify` runs over them, by the
words of all 64 combinations and by examples; with the page cache as the writing left it. Prints the seconds, the share
that is right and the most memory of the program and of one of its readers as JSON; exits 1 below 0.9 right, or above
60 s. Its second call shows what a call costs that finds all done.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.media.shapes import ALL, draw, random_look
from pipeline.models.client import HostClient, prepare
from pipeline.models.standalone import standalone_host
from pipeline.outputs.feature_writer import write_features
from pipeline.outputs.format import Embedding, FeatureInfo, Features, Provenance, table
from pipeline.sections import HostSettings
from pipeline.settings import MODELS
from pipeline.stages.embed import normalised, pooled

KEY = "tiny-shapes"
LOOKS = 4
FRAMES_PER_SCENE = 3
SCENE_S = 4.0
NOISE = 0.02
EXAMPLES_EACH = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--scenes", type=int, default=5)
    parser.add_argument("--workers", default="auto")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-classify-") as scratch:
        folder = Path(scratch)
        vectors, provenance = embedded()
        rng = np.random.default_rng(1)
        began = time.monotonic()
        for number in range(options.videos):
            write(folder / "all", number, vectors, provenance, options.scenes, rng)
        made_s = time.monotonic() - began
        for number in range(len(ALL) * EXAMPLES_EACH):
            write(folder / "shown", number, vectors, provenance, options.scenes, rng)
        labels = [pair.caption for pair in ALL]
        figures = {
            "videos": options.videos,
            "made_s": round(made_s, 1),
            "by_words": classified(folder, ["--labels", *labels], options.workers),
            "again": classified(folder, ["--labels", *labels], options.workers),
            "by_examples": classified(folder, ["--examples", str(folder / "shown")], options.workers),
            "by_probe": classified(folder, ["--examples", str(folder / "shown"), "--method", "probe"], options.workers),
        }
    figures["most_memory_mb"] = round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3)
    print(json.dumps(figures, indent=2))
    timed = [figures[name] for name in ("by_words", "again", "by_examples", "by_probe")]
    return 0 if all(one["right"] >= 0.9 and one["seconds"] <= 60 for one in timed) else 1


def embedded() -> tuple[Any, Provenance]:
    """Return vectors (combination, look, D) of drawn pictures, and what made them."""
    rng = np.random.default_rng(3)
    with standalone_host(HostSettings(device="cpu", batch_size=32), MODELS) as host:
        client = HostClient(host.socket_path, 1 << 24, progress=lambda _: None)
        spec = client.spec(KEY)
        for place, pair in enumerate(ALL):
            for look in range(LOOKS):
                client.submit(KEY, place * LOOKS + look, prepare(draw(pair, random_look(rng)), spec))
        rows = client.collect()
        client.close()
    stacked = np.stack([rows[KEY, tag] for tag in range(len(ALL) * LOOKS)]).reshape(len(ALL), LOOKS, -1)
    provenance = Provenance(spec.model, spec.weights, spec.weights_sha256, spec.precision, spec.device)
    return stacked, provenance


def write(out: Path, number: int, vectors: Any, provenance: Provenance, scenes: int, rng: np.random.Generator) -> None:
    pair = ALL[number % len(ALL)]
    frames = scenes * FRAMES_PER_SCENE
    chosen = vectors[number % len(ALL)][rng.integers(LOOKS, size=frames)]
    rows = normalised(chosen + NOISE * rng.normal(size=chosen.shape))
    scene = np.repeat(np.arange(scenes), FRAMES_PER_SCENE)
    relative = os.fsencode(f"{pair.colour}-{pair.shape}/{number}.mp4")
    starts = [SCENE_S * place for place in range(scenes)]
    times = [SCENE_S * place / FRAMES_PER_SCENE for place in range(frames)]
    features = Features(
        info=FeatureInfo(
            source=relative, source_display=os.fsdecode(relative), source_bytes=1, content_id=f"{number:040x}",
            duration_s=SCENE_S * scenes, width=320, height=240, fps=25.0, video_codec="h264", audio_codec="aac",
            crop_xywh=(0, 0, 320, 240), rotation_deg=0, frames_decoded=int(25 * SCENE_S * scenes), frames_lost=0,
            created_utc="2026-01-01T00:00:00Z", vconsole_version="0.1.0", settings_hash="", stage_keys={}, probe={},
        ),
        scenes=table("scenes", {
            "start_s": starts, "end_s": [start + SCENE_S for start in starts],
            "start_frame": [int(25 * start) for start in starts],
            "end_frame": [int(25 * (start + SCENE_S)) for start in starts],
        }),
        frames=table("frames", {
            "time_s": times, "frame_index": [int(25 * at) for at in times], "scene": scene.tolist(),
            "dhash": rng.integers(0, 2**63, frames).tolist(), "sharpness": [1.0] * frames,
        }),
        sampling="scenes",
        embeddings={KEY: Embedding(rows, provenance, pooled(rows, scene, scenes), pooled(rows, scene * 0, 1))},
    )  # fmt: skip
    write_features(os.fsencode(out / "features" / os.fsdecode(relative)) + b".h5", features, deep_verify=False)


def classified(folder: Path, how: list[str], workers: str) -> dict[str, float]:
    command = [sys.executable, "-m", "vconsole", "classify", str(folder / "all"), *how, "--workers", workers]
    began = time.monotonic()
    subprocess.run([*command, "--json"], check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    with open(folder / "all" / "classes.jsonl", "rb") as lines:
        classes = json.loads(next(lines))["classes"]
        right = [classes[int(np.argmax(video["video"]))] in truth(video["source"]) for video in map(json.loads, lines)]
    return {"seconds": round(seconds, 2), "videos": len(right), "right": round(sum(right) / len(right), 4)}


def truth(source: str) -> tuple[str, str]:
    """Return what the class of a video is called: by its words, and by the folder of its examples."""
    colour, shape = source.partition("/")[0].split("-")
    return next(pair.caption for pair in ALL if (pair.colour, pair.shape) == (colour, shape)), f"{colour}-{shape}"


if __name__ == "__main__":
    sys.exit(main())
