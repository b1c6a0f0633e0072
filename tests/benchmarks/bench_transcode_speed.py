"""Point 3 of the transcode issue: wall time of a transcode against the ffmpeg command with the same encoder settings.

    python tests/benchmarks/bench_transcode_speed.py [--ffmpeg PROGRAM] [--media DIR] [--speed veryfast] [--rounds 3]
                                                     [--many 10]

Without `--ffmpeg` it is looked for on the PATH (apt-get install ffmpeg) and in the package imageio-ffmpeg (pip install
--target DIR imageio-ffmpeg; PYTHONPATH=DIR), neither of which the program itself needs. Both do the same in turn:
decode, x264, AAC, constant rate, keyframe every 2 s, faststart; ours also inspects the source and reads the output
back. Then as many files as `--many` says, two at a time: only such as ours really encodes, picture by picture. What a
worker of the pool has behind it (its imports) is taken off. Prints medians of wall and CPU; exits 1 where ours takes
over 1.05 times as long for one file, or longer for many.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "transcode"))

MEDIA = HERE.parents[3] / "shared" / "media"
MOST, MOST_MANY = 1.05, 1.0
LONGEST_S = 40.0
LEAST_BYTES, MOST_BYTES = 200_000, 4_200_000
Run = tuple[float, float]
"""Wall and CPU seconds."""


def main() -> int:
    options = parse()
    if options.child:
        return child(options)
    program = options.ffmpeg or shutil.which("ffmpeg") or bundled()
    if not program:
        print("no ffmpeg command here: nothing to compare with", file=sys.stderr)
        return 2
    one = options.media / "videos" / "edited" / "edit-1-x264.mp4"
    cores = os.cpu_count() or 1
    rate_and_shape(one)
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as scratch:
        ours, theirs = [], []
        for number in range(options.rounds):
            out = Path(scratch, str(number))
            ours.append(run_ours([one], out, options.speed, cores))
            theirs.append(timed(lambda out=out: run_ffmpeg(program, one, out, options.speed, cores)))
        ratio = told("one file", ours, theirs)
        files = to_encode(options.media / "videos", options.many)
        for path in files:
            rate_and_shape(path)  # it takes time, which is nobody's
        ours, theirs = [], []
        for number in range(options.rounds):
            out = Path(scratch, f"many{number}")
            half = max(1, cores // 2)
            ours.append(run_ours(files, out, options.speed, half, workers=2))
            theirs.append(timed(lambda out=out, half=half: two_ffmpegs(program, files, out, options.speed, half)))
        many = told(f"{len(files)} files, two at a time", ours, theirs)
    return 1 if ratio > MOST or many > MOST_MANY else 0


def to_encode(media: Path, most: int) -> list[Path]:
    """Return videos of a few seconds that conform to nothing: those that a plan says will be encoded."""
    from transcode_make import settings

    from pipeline.errors import JobError
    from pipeline.transcode.inspect import inspect
    from pipeline.transcode.recipe import recipe

    found: list[Path] = []
    for path in sorted(media.rglob("*.mp4")):
        if len(found) == most:
            break
        if not LEAST_BYTES < path.stat().st_size < MOST_BYTES:
            continue
        try:
            facts = inspect(os.fsencode(path))
            plan = recipe(facts, settings())
        except JobError:
            continue
        plain = not facts.damage.any and facts.clock.sound and facts.video.hidden == 0
        if plan.action == "encode" and plain and not facts.video.rotation_deg and facts.duration_s < LONGEST_S:
            found.append(path)
    return found


def told(what: str, ours: list[Run], theirs: list[Run]) -> float:
    """Print the medians and return the ratio of the wall times."""
    wall, cpu = (statistics.median(run[place] for run in ours) for place in (0, 1))
    wall_there, cpu_there = (statistics.median(run[place] for run in theirs) for place in (0, 1))
    ratio = wall / wall_there
    print(
        f"{what}: ours {wall:.2f} s wall {cpu:.2f} s CPU, ffmpeg {wall_there:.2f} s wall {cpu_there:.2f} s CPU: "
        f"wall x{ratio:.3f}, CPU x{cpu / cpu_there:.3f} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)",
        flush=True,
    )
    return ratio


def timed(work: Callable[[], object]) -> Run:
    """Return what `work` and the children that end in it take."""
    before = children_cpu_s()
    began = time.monotonic()
    work()
    return time.monotonic() - began, children_cpu_s() - before


def children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_ours(paths: list[Path], out: Path, speed: str, threads: int, workers: int = 1) -> Run:
    """Transcode in fresh processes that take the next file when they have done one, as the workers of the pool do."""
    command = [sys.executable, str(HERE), "--child", "--out", str(out), "--speed", speed, "--threads", str(threads)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen([*command, "--seed", str(number)], **pipes) for number in range(workers)]
    cpu_s = -sum(float(child.stdout.readline()) for child in children)
    waiting = iter(paths)
    began = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        cpu_s += sum(pool.map(lambda child: feed(child, waiting), children))
    wall_s = time.monotonic() - began
    for child in children:
        child.stdin.close()
        assert child.wait() == 0
    return wall_s, cpu_s


def feed(child: "subprocess.Popen[str]", waiting: Iterator[Path]) -> float:
    """Return the CPU seconds of a worker that took what it could."""
    cpu_s = 0.0
    for path in waiting:
        child.stdin.write(f"{path}\n")
        child.stdin.flush()
        cpu_s = float(child.stdout.readline())
    return cpu_s


def child(options: argparse.Namespace) -> int:
    from transcode_make import run, settings

    print(time.process_time(), flush=True)
    wanted = settings(speed=options.speed, keyframe_interval_s=1.99)
    options.out.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(sys.stdin):
        path = Path(line.rstrip())
        outcome = run(
            path,
            options.out,
            wanted,
            output=b"%d-%d.mp4" % (options.seed, number) + os.fsencode(path.stem),
            decode_threads=options.threads,
            encode_threads=options.threads,
        )
        assert outcome.failure is None, outcome.failure
        assert outcome.result["action"] == "encoded", f"{path} was {outcome.result['action']}: no comparison"
        print(time.process_time(), flush=True)
    return 0


def run_ffmpeg(program: str, path: Path, out: Path, speed: str, threads: int) -> None:
    rate, sar = rate_and_shape(path)
    out.mkdir(parents=True, exist_ok=True)
    scale = f"scale=trunc(iw*{sar.numerator}/{sar.denominator}/2)*2:ih," if sar > 1 else ""
    command = [
        *(program, "-nostdin", "-v", "error", "-y", "-threads", str(threads), "-i", str(path)),
        *("-map", "0:v:0", "-map", "0:a:0?", "-vf", f"{scale}setsar=1", "-c:v", "libx264", "-threads", str(threads)),
        *("-preset", speed or "medium", "-crf", "18", "-pix_fmt", "yuv420p", "-g", str(int(1.99 * rate))),
        *("-fps_mode", "cfr", "-r", str(rate), "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-movflags", "+faststart"),
        str(out / f"{path.stem}.ffmpeg.mp4"),
    ]
    subprocess.run(command, check=True)


@cache
def rate_and_shape(path: Path) -> tuple[Fraction, Fraction]:
    """Return the frame rate of our output, which a video of varying rate has not, and its pixels."""
    from transcode_make import settings

    from pipeline.transcode.inspect import inspect
    from pipeline.transcode.recipe import recipe

    facts = inspect(os.fsencode(path))
    rate = recipe(facts, settings()).video.rate
    assert rate is not None
    return rate, Fraction(facts.video.sar.replace(":", "/"))


def two_ffmpegs(program: str, files: list[Path], out: Path, speed: str, threads: int) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda path: run_ffmpeg(program, path, out, speed, threads), files))


def bundled() -> str:
    """Return the command that the package imageio-ffmpeg brings, empty without it."""
    try:
        import imageio_ffmpeg
    except ImportError:
        return ""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ffmpeg", default="")
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--speed", default="veryfast")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=10)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
