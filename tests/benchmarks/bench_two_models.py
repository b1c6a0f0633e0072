"""Two models in one run cost one decode: total <= decode + model A + model B + 5 %.

    python tests/benchmarks/bench_two_models.py [--frames 128] [--size 640] [--batch 8] [--rounds 3]

Makes one video whose frames are all kept, and a ViT-B-32 and a DINOv2 (ViT-S/14 at 98 pixels) with random weights. Each
part runs in a process of its own, with a model host beside it, and they take turns: `decode` sweeps with no model, `A`
and `B` sweep with one, `both` with two. What a model costs is what its part takes beyond `decode`. Prints JSON with the
medians in seconds and exits 1 if `both` takes longer than decode + A + B + 5 %.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_embed import RATE, make_video

from pipeline.models.client import HostClient
from pipeline.models.operators import declare_missing_operators
from pipeline.models.standalone import standalone_host
from pipeline.sections import ModelSettings
from pipeline.settings import PipelineSettings

PARTS: dict[str, tuple[str, ...]] = {"decode": (), "A": ("clip",), "B": ("dino",), "both": ("clip", "dino")}
MOST = 1.05
DINO = "vit_small_patch14_dinov2"


def main() -> int:
    options = parse()
    if options.part:
        print(json.dumps(seconds_of(options)))
        return 0
    seconds: dict[str, list[float]] = {part: [] for part in PARTS}
    with tempfile.TemporaryDirectory(prefix="bench-two-") as scratch:
        make_video(Path(scratch) / "video.mp4", options.frames, options.size)
        save_weights(Path(scratch))
        for _ in range(options.rounds):
            for part, found in seconds.items():
                command = [sys.executable, __file__, *sys.argv[1:], "--part", part, "--folder", scratch]
                answer = subprocess.run(command, capture_output=True, text=True, check=True)
                found.append(json.loads(answer.stdout.splitlines()[-1]))
    median = {part: statistics.median(found) for part, found in seconds.items()}
    allowed = MOST * (median["A"] + median["B"] - median["decode"])
    rounded = {part: [round(value, 2) for value in found] for part, found in seconds.items()}
    figures = {"seconds": rounded, "both": round(median["both"], 2), "allowed": round(allowed, 2)}
    print(json.dumps(figures | {"load_average": os.getloadavg()[0]}, indent=2))
    return 0 if median["both"] <= allowed else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--size", type=int, default=640, help="width and height of the video in pixels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=tuple(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def save_weights(folder: Path) -> None:
    declare_missing_operators()
    import open_clip
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    save_file(open_clip.create_model("ViT-B-32").state_dict(), str(folder / "clip.safetensors"))
    save_file(timm.create_model(DINO).state_dict(), str(folder / "dino.safetensors"))


def seconds_of(options: argparse.Namespace) -> float:
    """Return the seconds from the start of the sweep to the last vector; loading is not counted."""
    from pipeline.media.sweep import sweep
    from pipeline.stages.embed import Embedder
    from pipeline.stages.probe import probe

    keys = PARTS[options.part]
    settings = PipelineSettings.model_validate(
        {
            "scenes": {"enabled": False},
            "frames": {"method": "interval", "interval_s": 1 / RATE},
            "dedupe": {"enabled": False},
            "embed": {"models": list(keys)},
            "host": {"device": "cpu", "batch_size": options.batch},
        }
    )
    models = {
        "clip": ModelSettings(architecture="ViT-B-32", path=str(options.folder / "clip.safetensors")),
        "dino": ModelSettings(
            family="timm", architecture=DINO, path=str(options.folder / "dino.safetensors"), image_size=98
        ),
    }
    path = os.fsencode(options.folder / "video.mp4")
    found = probe(path, settings.probe)
    with standalone_host(settings.host, models, nice=0) as host:
        client = HostClient(host.socket_path, settings.host.window_bytes, progress=lambda _: None)
        embedder = Embedder(client, settings.embed)
        began = time.monotonic()
        area = (0, 0, options.size, options.size)
        swept = sweep(
            path, found, area, settings, decode_threads=1, on_frame=embedder.on_frame, progress=lambda *_: None
        )
        vectors = embedder.finish(swept.frames, len(swept.scenes))
        seconds = time.monotonic() - began
        client.close()
    if any(len(item.frames) != options.frames for item in vectors.values()) or len(vectors) != len(keys):
        raise SystemExit("vectors are missing")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
