"""A long video in chunks on two workers: the result of one piece, in <= 0.6 of its time (0.85 with default threads).

    python tests/benchmarks/bench_chunks.py [--minutes 120] [--chunk-s 300] [--source VIDEO] [--rounds 1] [--only WAY]

Loops real footage to a video of that length without encoding it again, and extracts it with the preset `standard` and
the `perceptual` model four ways, each in a fresh `vconsole extract`: in one piece and in chunks, with one decode thread
a worker and with the threads that the program chooses. In one piece one worker has the video; in chunks two workers
share it. Prints JSON: seconds, ratios, whether the results are the same, and the largest resident memory of a worker in
the first and in the second half of each run. Exits 1 if a result differs or a ratio is above its bound.

`floor` is what the machine leaves to be gained: bare decoding of two stretches of the source by two processes at once,
with the threads that a worker of two gets, over bare decoding of both by one process with those of a lone worker.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import av
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "torture"))

from compare import differences

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT.parent / "shared/media/videos/edited/edit-1-x264.mp4"
BOUNDS = {"one_thread": 0.6, "default_threads": 0.85}
LOOK_S = 1.0
FLOOR_ROUNDS = 3
DECODE = """
import sys, av
for _ in range(int(sys.argv[3])):
    with av.open(sys.argv[1]) as read:
        stream = read.streams.video[0]
        stream.thread_type, stream.thread_count = "AUTO", int(sys.argv[2])
        for frame in read.decode(stream):
            pass
"""
PASSES = 6
"""How often the source is decoded in all for one floor."""


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="bench-chunks-", dir=options.folder) as scratch:
        folder = Path(scratch)
        video = folder / "in" / "looped.mp4"
        video.parent.mkdir()
        length_s = loop(options.source, video, options.minutes * 60)
        report = {"video_s": round(length_s, 1), "video_mb": video.stat().st_size >> 20, "chunk_s": options.chunk_s}
        good = True
        for threads, bound in BOUNDS.items():
            if options.only not in (None, threads):
                continue
            figures, same = compared(options, folder, threads)
            ratio = median(figures["chunks"]["seconds"]) / median(figures["one_piece"]["seconds"])
            floor = round(median(floor_of(options.source, threads) for _ in range(FLOOR_ROUNDS)), 3)
            report[threads] = {**figures, "ratio": round(ratio, 3), "bound": bound, "floor": floor, "same": same}
            good = good and same and ratio <= bound
    print(json.dumps(report | {"load_average": os.getloadavg(), "good": good}, indent=2))
    return 0 if good else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--chunk-s", type=float, default=300)
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=list(BOUNDS), help="one of the two comparisons")
    parser.add_argument("--folder", help="where the video and the outputs go; the folder of temporary files by default")
    return parser.parse_args()


def loop(source: Path, target: Path, seconds: float) -> float:
    """Write the packets of a video again and again, times going on; return the length in seconds."""
    with av.open(str(target), "w") as written:
        stream, end = None, 0
        while True:
            with av.open(str(source)) as read:
                video = read.streams.video[0]
                stream = stream or written.add_stream_from_template(video)
                begin = end
                for packet in read.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + begin, packet.dts + begin
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.stream = stream
                    written.mux(packet)
                if float(end * (video.time_base or 1)) >= seconds:
                    return float(end * (video.time_base or 1))


def compared(options: argparse.Namespace, folder: Path, threads: str) -> tuple[dict[str, dict[str, object]], bool]:
    """Run both ways in turns; return the figures of each, and whether the results are the same."""
    figures: dict[str, dict[str, list[float]]] = {}
    same = True
    for number in range(options.rounds):
        for way, chunk_s in (("one_piece", 0.0), ("chunks", options.chunk_s)):
            found = extract(folder, f"{threads}-{number}-{way}", chunk_s, one_thread=threads == "one_thread")
            for name, value in found.items():
                figures.setdefault(way, {}).setdefault(name, []).append(value)
        outs = [folder / f"{threads}-{number}-{way}" / "features" for way in figures]
        same = same and not [line for line in differences(*outs) if "settings_hash" not in line]
    return figures, same  # type: ignore[return-value]


def floor_of(source: Path, threads: str) -> float:
    """Return the seconds of two bare decodes at once over those of one decode of twice as much."""
    alone = 1 if threads == "one_thread" else len(os.sched_getaffinity(0))
    shared = max(1, alone // 2)
    return decode_s(source, shared, PASSES // 2, 2) / decode_s(source, alone, PASSES, 1)


def decode_s(source: Path, threads: int, passes: int, at_once: int) -> float:
    """Return the seconds in which so many processes decode a video so often each."""
    began = time.monotonic()
    command = [sys.executable, "-c", DECODE, str(source), str(threads), str(passes)]
    for program in [subprocess.Popen(command) for _ in range(at_once)]:
        if program.wait():
            raise SystemExit(f"{source} cannot be decoded")
    return time.monotonic() - began


def extract(folder: Path, name: str, chunk_s: float, *, one_thread: bool) -> dict[str, float]:
    """Extract the video and return the seconds it took and the memory of its workers."""
    settings = [f"engine.chunk_s={chunk_s}", "engine.settle_s=0", "engine.nice=0"]
    settings += ["engine.decode_threads=1"] if one_thread else []
    command = [sys.executable, "-m", "vconsole", "extract", str(folder / "in"), "--out", str(folder / name)]
    command += ["--preset", "standard", "--model", "perceptual"]
    command += ["--workers", "2"] if chunk_s else []
    for setting in settings:
        command += ["--set", setting]
    environment = {**os.environ, "VCONSOLE_STATE_DIR": str(folder / f"{name}-state"), "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    weights: list[tuple[float, int]] = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as program:
        while program.poll() is None:
            weights.append((time.monotonic() - began, heaviest(program.pid)))
            time.sleep(LOOK_S)
    if program.returncode:
        raise SystemExit(f"{name} ended with {program.returncode}")
    seconds = time.monotonic() - began
    halves = [[weight for at, weight in weights if (at > seconds / 2) is later] for later in (False, True)]
    return {
        "seconds": round(seconds, 1),
        "worker_mb_first_half": max(halves[0], default=0) >> 20,
        "worker_mb_second_half": max(halves[1], default=0) >> 20,
    }


def heaviest(pid: int) -> int:
    """Return the resident memory of the heaviest worker below a process."""
    found = [0]
    try:
        for child in psutil.Process(pid).children(recursive=True):
            if "pipeline.worker" in child.cmdline():
                found.append(child.memory_info().rss)
    except psutil.Error:
        pass
    return max(found)


if __name__ == "__main__":
    sys.exit(main())
