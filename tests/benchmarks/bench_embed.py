"""What embedding in a run keeps of the throughput of a bare loop.

    python tests/benchmarks/bench_embed.py [--frames 256] [--size 256] [--batch 16] [--threads 0] [--rounds 3]

Makes one small video whose frames are all kept, and a ViT-B-32 with random weights in a local checkpoint. `ours` is
what a worker does (probe, sweep, `Embedder`) in a process of its own with a model host beside it, both at niceness 10
as the engine starts them, timed from the first picture handed over to the last vector back. `bare` is a loop over the
same decoded frames: open_clip's own preprocess and `encode_image` with the same batch size, device and thread count, at
the same niceness, timed from the first to the last batch, decoding not counted. Both are warmed up and take turns; the
medians count. Prints JSON and exits 1 if ours keeps less than 0.95. `decode_share` is decoding alone over all of ours.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.media.shapes import ALL, draw, random_look
from pipeline.models.client import HostClient
from pipeline.models.operators import declare_missing_operators
from pipeline.models.standalone import standalone_host
from pipeline.sections import ModelSettings
from pipeline.settings import PipelineSettings

LEAST_SHARE = 0.95
KEY = "random-b-32"
NICE = 10
RATE = 25
WARM_UP = 2
"""Batches before the clock starts."""

Picture = NDArray[np.uint8]


def main() -> int:
    options = parse()
    if options.part:
        print(json.dumps({"bare": bare, "ours": ours}[options.part](options)))
        return 0
    rounds: dict[str, list[float]] = {"bare": [], "ours": []}
    decode_s: list[float] = []
    with tempfile.TemporaryDirectory(prefix="bench-embed-") as scratch:
        make_video(Path(scratch) / "video.mp4", options.frames, options.size)
        save_weights(Path(scratch) / "random.safetensors")
        for _ in range(options.rounds):
            for part, rates in rounds.items():
                answer = run_part(part, scratch)
                rates.append(answer["pictures_per_s"])
                decode_s += [answer["decode_s"]] if "decode_s" in answer else []
    medians = {part: statistics.median(rates) for part, rates in rounds.items()}
    share = medians["ours"] / medians["bare"]
    figures = {
        "pictures_per_s": {part: [round(rate, 2) for rate in rates] for part, rates in rounds.items()},
        "share": round(share, 3),
        "decode_share": round(statistics.median(decode_s) * medians["ours"] / options.frames, 4),
        "frames": options.frames,
        "batch": options.batch,
        "threads": threads_of(options),
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(figures, indent=2))
    return 0 if share >= LEAST_SHARE else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=256)
    parser.add_argument("--size", type=int, default=256, help="width and height of the video in pixels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=0, help="threads of the forward pass, 0 = all cores")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--part", choices=("bare", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def run_part(part: str, folder: str) -> dict[str, float]:
    command = [sys.executable, __file__, *sys.argv[1:], "--part", part, "--folder", folder]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return result


def threads_of(options: argparse.Namespace) -> int:
    return int(options.threads or len(os.sched_getaffinity(0)))


def make_video(path: Path, frames: int, size: int) -> None:
    rng = np.random.default_rng(3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "28"})
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        for number in range(frames):
            picture = draw(ALL[number % len(ALL)], random_look(rng), width=size, height=size)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def save_weights(path: Path) -> None:
    declare_missing_operators()
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    save_file(open_clip.create_model("ViT-B-32").state_dict(), str(path))


def decoded(path: Path) -> Iterator[Picture]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def bare(options: argparse.Namespace) -> dict[str, float]:
    os.nice(NICE)
    os.environ["OMP_NUM_THREADS"] = str(threads_of(options))
    declare_missing_operators()
    import open_clip
    import torch

    torch.set_num_threads(threads_of(options))
    model, _, preprocess = open_clip.create_model_and_transforms(
        "ViT-B-32", pretrained=str(options.folder / "random.safetensors"), device=options.device
    )
    model.eval()
    began = time.monotonic()
    pictures = [Image.fromarray(picture) for picture in decoded(options.folder / "video.mp4")]
    decode_s = time.monotonic() - began

    def encode(batch: list[Any]) -> Any:
        stack = torch.stack([preprocess(picture) for picture in batch]).to(options.device)
        return model.encode_image(stack, normalize=True).cpu().numpy()

    with torch.inference_mode():
        for _ in range(WARM_UP):
            encode(pictures[: options.batch])
        began = time.monotonic()
        for first in range(0, len(pictures), options.batch):
            encode(pictures[first : first + options.batch])
        seconds = time.monotonic() - began
    return {"pictures_per_s": len(pictures) / seconds, "decode_s": decode_s}


def ours(options: argparse.Namespace) -> dict[str, float]:
    os.nice(NICE)
    from pipeline.media.sweep import sweep
    from pipeline.stages.embed import Embedder
    from pipeline.stages.probe import probe

    settings = PipelineSettings.model_validate(
        {
            "scenes": {"enabled": False},
            "frames": {"method": "interval", "interval_s": 1 / RATE},
            "dedupe": {"enabled": False},
            "embed": {"models": [KEY]},
            "host": {"device": options.device, "batch_size": options.batch, "threads": options.threads},
        }
    )
    path = os.fsencode(options.folder / "video.mp4")
    models = {KEY: ModelSettings(architecture="ViT-B-32", path=str(options.folder / "random.safetensors"))}
    with standalone_host(settings.host, models, nice=0) as host:
        client = HostClient(host.socket_path, settings.host.window_bytes, progress=lambda _: None)
        warm_up(client, options)
        embedder = Embedder(client, settings.embed)
        found = probe(path, settings.probe)
        first: list[float] = []

        def on_frame(frame: Any) -> None:
            first.append(time.monotonic())
            embedder.on_frame(frame)

        size = (0, 0, options.size, options.size)
        swept = sweep(path, found, size, settings, decode_threads=1, on_frame=on_frame, progress=lambda *_: None)
        vectors = embedder.finish(swept.frames, len(swept.scenes))[KEY].frames
        seconds = time.monotonic() - first[0]
        client.close()
    if len(vectors) != options.frames:
        raise SystemExit(f"{len(vectors)} vectors of {options.frames} frames")
    return {"pictures_per_s": len(vectors) / seconds}


def warm_up(client: HostClient, options: argparse.Namespace) -> None:
    spec = client.spec(KEY)
    rng = np.random.default_rng(8)
    for tag in range(WARM_UP * options.batch):  # no two alike, or the host's cache would answer
        client.submit(KEY, tag, rng.integers(0, 256, (spec.height, spec.width, 3), dtype=np.uint8))
    client.collect()


if __name__ == "__main__":
    sys.exit(main())
