"""Point 9: the memory of a sweep does not grow with the length of the video.

    python tests/benchmarks/bench_memory.py [--film FILE] [--threads 2] [--json FILE]

Joins a 1080p film to one of 30 seconds and one of 6 minutes by copying packets, sweeps each in a fresh process with
the default settings, and compares the peak resident memory. Exit code 1 if the long one needs over 60 MB more.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import av
from bench_decode import MEDIA, join, stages

from pipeline.engine.child import MEMORY_ENVIRONMENT

FILM = MEDIA / "iejMac+video2dataset" / "tests" / "test_files" / "test_video.mp4"
SHORT_S, LONG_S, TARGET_MB = 30, 360, 60


def length_s(path: Path) -> float:
    """Return the length that the header says."""
    with av.open(str(path)) as container:
        return (container.duration or 0) / 1e6


def peak_mb(path: Path, threads: int) -> tuple[float, int]:
    """Sweep in a fresh process set up as a worker is; return its peak resident memory and the frames it decoded."""
    answer = subprocess.run(
        [sys.executable, __file__, "--child", str(path), str(threads)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**MEMORY_ENVIRONMENT, **os.environ},
    )
    peak, frames = json.loads(answer.stdout)
    return peak, frames


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--film", type=Path, default=FILM)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        frames = stages(options.child[0], int(options.child[1]))
        print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, frames]))
        return 0
    one_s = length_s(options.film)
    results = {}
    with tempfile.TemporaryDirectory() as name:
        for wanted_s in (SHORT_S, LONG_S):
            path = join(options.film, Path(name) / f"{wanted_s}.mp4", max(1, round(wanted_s / one_s)), wanted_s)
            peak, frames = peak_mb(path, options.threads)
            results[wanted_s] = {"length_s": length_s(path), "peak_mb": peak, "frames": frames}
            print(f"{length_s(path):6.1f} s  {frames:6} frames  peak {peak:6.1f} MB", flush=True)
    growth = float(results[LONG_S]["peak_mb"]) - float(results[SHORT_S]["peak_mb"])
    print(f"growth {growth:.1f} MB; target {TARGET_MB}")
    if options.json:
        options.json.write_text(json.dumps({"runs": results, "growth_mb": growth}, indent=1))
    return 0 if growth <= TARGET_MB else 1


if __name__ == "__main__":
    sys.exit(main())
