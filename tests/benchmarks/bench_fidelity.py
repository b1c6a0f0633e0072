"""Point 2 of the transcode issue: what `standardize` at crf 18 does to natural clips.

    python tests/benchmarks/bench_fidelity.py [--media DIR] [--speed medium] [--most-frames 900] [--most-pixels 921600]

Each natural clip of constant rate and square, upright pixels is encoded, and every picture of the output is compared
with the source's by libavfilter's ssim. Prints a line a clip and exits 1 where a mean is below 0.98. Colours, rotation,
and sound are held by tests/transcode/test_transcode_fidelity.py.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "transcode"))

from transcode_make import settings
from transcode_measure import ssim

from pipeline.errors import JobError
from pipeline.stage_sections import ProbeSettings
from pipeline.transcode.encode import make
from pipeline.transcode.facts import MediaFacts
from pipeline.transcode.inspect import inspect
from pipeline.transcode.order import Order
from pipeline.transcode.picture import plan_picture
from pipeline.transcode.recipe import recipe

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
LEAST = 0.98


def main() -> int:
    options = parse()
    wanted = settings(crf=18, speed=options.speed, salvage=True)
    means: list[float] = []
    for path, facts in clips(options):
        plan = recipe(facts, wanted)
        picture = plan_picture(facts.video, wanted, None)
        plan = replace(plan, video=replace(plan.video, picture=picture), audio=())
        with tempfile.TemporaryDirectory(prefix="bench-fidelity-") as scratch:
            part = Path(scratch, "out.mp4")
            part.touch()
            began = time.monotonic()
            cores = os.cpu_count() or 1
            order = Order(os.fsencode(path), os.fsencode(part), facts, plan, wanted, ProbeSettings(), "", cores, cores)
            made = make(order, picture, lambda *_: None)
            spent_s = time.monotonic() - began
            ratio = part.stat().st_size / facts.size_bytes
            mean, lowest, count = ssim(path, part)
        means.append(mean)
        size = f"{facts.video.width}x{facts.video.height}"
        print(
            f"{mean:.4f} lowest {lowest:.4f} {count:5d} pictures {size:>9} {spent_s:6.1f} s size x{ratio:4.2f} "
            f"repeated {made.repeated} left out {made.left_out} {path.name}",
            flush=True,
        )
    below = sum(mean < LEAST for mean in means)
    print(f"{len(means)} clips: mean {statistics.mean(means):.4f}, lowest mean {min(means):.4f}, {below} below {LEAST}")
    return 1 if below or not means else 0


def clips(options: argparse.Namespace) -> Iterator[tuple[Path, MediaFacts]]:
    """Yield natural clips whose pictures can be compared one by one."""
    for path in sorted((options.media / "videos").rglob("*")):
        if not path.is_file() or path.stat().st_size < 10_000:
            continue
        try:
            facts = inspect(os.fsencode(path))
        except JobError:
            continue
        video = facts.video
        plain = not (video.variable or video.rotation_deg or video.interlaced or video.hidden or facts.damage.any)
        whole = plain and facts.clock.sound and video.shape == 1 and not (video.width % 2 or video.height % 2)
        small = video.frames <= options.most_frames and video.width * video.height <= options.most_pixels
        if whole and small and video.frames > 1:
            yield path, facts


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--speed", default="", help="preset of libx264; empty = its own, medium")
    parser.add_argument("--most-frames", type=int, default=900)
    parser.add_argument("--most-pixels", type=int, default=1280 * 720)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
