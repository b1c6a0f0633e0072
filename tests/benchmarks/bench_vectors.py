"""Point 4 of the issue: vectors equal open_clip's own preprocess and encode_image on the same frames.

    python tests/benchmarks/bench_vectors.py [--videos FILE ...]

Saves a ViT-B-32 with seeded random weights to a local checkpoint, runs `vconsole extract` over the videos (the sample
videos if none are named) with that model and with tiny-shapes, then decodes each kept frame again with plain PyAV and
puts it through open_clip's own transform and `encode_image`. Prints the least cosine by model as JSON and exits 1 if
one is below 0.999 or a frame has no vector. `nearest_other_frame` is the largest cosine with the vector of another
frame of the same video: random weights put all pictures close together, so it says how much a cosine of 0.999 tells.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.media.samples import make
from pipeline.models.families import PACKAGED
from pipeline.models.operators import declare_missing_operators
from pipeline.outputs.features import read_features
from pipeline.outputs.format import Features
from pipeline.outputs.manifest import read_manifest

LEAST_COSINE = 0.999
SEED = 2026
RANDOM = "random-b-32"
TOY = "tiny-shapes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", nargs="*", type=Path, default=[])
    options = parser.parse_args()
    declare_missing_operators()
    with tempfile.TemporaryDirectory(prefix="bench-vectors-") as scratch:
        folder = Path(scratch)
        models = references(folder)
        videos = [path.absolute() for path in options.videos] or samples(folder / "samples")
        code = extract(videos, folder)
        figures: dict[str, Any] = {
            "exit_code": code,
            "videos": {},
            "least_cosine": {},
            "nearest_other_frame": {},
            "frames": 0,
            "missing": 0,
        }
        for name, features in found(folder / "out", videos):
            pictures = list(kept_pictures(name, features))
            figures["frames"] += len(pictures)
            figures["videos"][name.name] = len(pictures)
            for key, (model, transform) in models.items():
                vectors = features.embeddings[key].vectors
                figures["missing"] += len(features.frames["time_s"]) - len(pictures)
                table = cosines(vectors, pictures, model, transform)
                least, other = figures["least_cosine"], figures["nearest_other_frame"]
                least[key] = min(least.get(key, 1.0), float(table.diagonal().min()))
                apart = table[~np.eye(len(table), dtype=bool)]
                other[key] = max(other.get(key, -1.0), float(apart.max(initial=-1.0)))
    print(json.dumps(figures, indent=2))
    least = figures["least_cosine"]
    return 0 if len(least) == len(models) and min(least.values()) >= LEAST_COSINE and not figures["missing"] else 1


def references(folder: Path) -> dict[str, tuple[Any, Any]]:
    """Return open_clip's own model and inference transform by key, after saving the random one to a checkpoint."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(SEED)
    save_file(open_clip.create_model("ViT-B-32").state_dict(), str(folder / "random.safetensors"))
    open_clip.add_model_config(PACKAGED)
    made = {}
    for key, name, path in (
        (RANDOM, "ViT-B-32", folder / "random.safetensors"),
        (TOY, "tiny-shapes", PACKAGED.with_suffix(".safetensors")),
    ):
        model, _, transform = open_clip.create_model_and_transforms(name, pretrained=str(path))
        made[key] = (model.eval(), transform)
    return made


def samples(folder: Path) -> list[Path]:
    return [folder / sample.name for sample in make(folder) if sample.kind == "video"]


def extract(videos: list[Path], folder: Path) -> int:
    config = folder / "config.toml"
    config.write_text(
        f'[models.{RANDOM}]\narchitecture = "ViT-B-32"\npath = "{folder / "random.safetensors"}"\n'
        f'[embed]\nmodels = ["{TOY}", "{RANDOM}"]\n'
    )
    command = [sys.executable, "-m", "vconsole", "extract", *map(str, videos), "--out", str(folder / "out")]
    command += ["--config", str(config), "--device", "cpu"]
    environment = {**os.environ, "VCONSOLE_STATE_DIR": str(folder / "state")}
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode


def found(out: Path, videos: list[Path]) -> Iterator[tuple[Path, Features]]:
    by_name = {path.name: path for path in videos}
    for row in read_manifest(os.fsencode(out)):
        if row["status"] in ("done", "partial"):
            yield by_name[Path(row["source"]).name], read_features(os.fsencode(out / row["features"]))


def kept_pictures(path: Path, features: Features) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames the feature file names, decoded with plain PyAV, upright and cropped, in its order."""
    wanted = features.frames["frame_index"].tolist()
    x, y, width, height = features.info.crop_xywh
    pictures = {}
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                upright = np.rot90(frame.to_ndarray(format="rgb24"), -features.info.rotation_deg // 90)
                pictures[index] = np.ascontiguousarray(upright[y : y + height, x : x + width])
            if len(pictures) == len(set(wanted)):
                break
    for index in wanted:
        yield pictures[index]


def cosines(
    vectors: NDArray[np.float32], pictures: list[NDArray[np.uint8]], model: Any, transform: Any
) -> NDArray[np.float32]:
    """Return the cosine of each stored vector (row) with open_clip's own of each picture (column)."""
    import torch

    with torch.inference_mode():
        theirs = [
            model.encode_image(transform(Image.fromarray(picture))[None], normalize=True)[0].numpy()
            for picture in pictures
        ]
    table: NDArray[np.float32] = vectors @ np.stack(theirs).T
    return table


if __name__ == "__main__":
    sys.exit(main())
