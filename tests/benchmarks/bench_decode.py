"""Point 6: what the stages of `--preset scenes` cost over merely decoding every frame.

    python tests/benchmarks/bench_decode.py [--rounds 3] [--minutes 3] [--json FILE] [--skip-pyscenedetect]

Joins a 720p H.264 film of the shared media to one of some minutes with many cuts, without encoding it again. Then, in
turns: every frame decoded by PyAV (`thread_type=AUTO`, `thread_count=0`), and probe, crop and sweep as a lone worker
does them (decode threads = cores). The same with two files: two workers with half of the cores each, against two
decodes side by side. Every measurement is a fresh process that has imported what it needs before the clock starts
(start-up is reported apart). Last, PySceneDetect's own `detect-adaptive save-images`. Exit code 1 if a ratio of the
medians misses its target. A machine that is busy with other things distorts these figures.
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

MEDIA = Path(__file__).parents[3] / "shared" / "media" / "videos"
FILM = MEDIA / "edited" / "edit-1-x264.mp4"
ONE_TARGET, TWO_TARGET = 1.30, 1.50


def decode_only(path: str) -> int:
    """Decode every frame and do nothing with it."""
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = 0
        return sum(1 for _ in container.decode(stream))


def stages(path: str, threads: int) -> int:
    """Do what a worker does for the preset `scenes`, up to writing."""
    from pipeline.media.sweep import sweep
    from pipeline.settings import PipelineSettings
    from pipeline.stages.crop import find_crop
    from pipeline.stages.probe import probe

    settings = PipelineSettings()
    name = os.fsencode(path)
    found = probe(name, settings.probe)
    box = find_crop(name, found, settings.crop)
    result = sweep(
        name,
        found,
        box,
        settings,
        decode_threads=threads,
        on_frame=lambda _: None,
        progress=lambda *_: None,
    )
    return result.frames_decoded


def child(role: str, path: str, threads: int) -> None:
    """Import, say ready, wait for go, work, tell the time."""
    began = time.monotonic()
    if role == "ours":
        import pipeline.media.sweep
        import pipeline.stages.crop  # noqa: F401
    else:
        import av  # noqa: F401
    print(json.dumps({"start_s": time.monotonic() - began}), flush=True)
    sys.stdin.readline()
    began, cpu = time.monotonic(), time.process_time()
    frames = stages(path, threads) if role == "ours" else decode_only(path)
    spent = {"frames": frames, "wall_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}
    print(json.dumps(spent), flush=True)


def measure(role: str, paths: list[Path], threads: int) -> dict[str, float]:
    """Run a child a path side by side; return the wall time from go to the last answer, CPU and start-up time."""
    children = [
        subprocess.Popen(
            [sys.executable, __file__, "--child", role, str(path), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for path in paths
    ]
    starts = [json.loads(_line(process))["start_s"] for process in children]
    began = time.monotonic()
    for process in children:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [json.loads(_line(process)) for process in children]
    wall_s = time.monotonic() - began
    for process in children:
        process.communicate()
    cpu_s = sum(answer["cpu_s"] for answer in answers)
    return {"wall_s": wall_s, "cpu_s": cpu_s, "start_s": max(starts), "frames": answers[0]["frames"]}


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def join(film: Path, out: Path, copies: int, most_s: float = float("inf")) -> Path:
    """Write the film several times over into one file, at most so many seconds, by copying packets."""
    import av

    with av.open(str(out), "w") as target:
        stream = None
        shift = 0
        for _ in range(copies):
            with av.open(str(film)) as source:
                video = source.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                end = shift
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None or packet.dts * packet.time_base > most_s:
                        continue
                    packet.pts += shift
                    packet.dts += shift
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.stream = stream
                    target.mux(packet)
                shift = end
    return out


def pyscenedetect(path: Path, folder: Path) -> float:
    """Return the wall time of PySceneDetect's own program."""
    began = time.monotonic()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "scenedetect",
            "-q",
            "-i",
            str(path),
            "-o",
            str(folder),
            "detect-adaptive",
            "save-images",
        ],
        check=True,
    )
    return time.monotonic() - began


def alternate(name: str, paths: list[Path], threads: int, rounds: int, target: float) -> dict[str, object]:
    """Measure decoding and ours in turns; return the figures and the ratio of the medians."""
    rows: dict[str, list[dict[str, float]]] = {"decode": [], "ours": []}
    for number in range(rounds):
        for role, kept in rows.items():
            kept.append(measure(role, paths, threads))
            print(
                f"  {name} round {number + 1} {role:6} wall {kept[-1]['wall_s']:6.2f} s  cpu {kept[-1]['cpu_s']:6.2f} s"
                f"  start-up {kept[-1]['start_s']:.2f} s",
                flush=True,
            )
    walls = {role: [row["wall_s"] for row in kept] for role, kept in rows.items()}
    ratio = statistics.median(walls["ours"]) / statistics.median(walls["decode"])
    least = min(walls["ours"]) / min(walls["decode"])
    cpu = min(row["cpu_s"] for row in rows["ours"]) / min(row["cpu_s"] for row in rows["decode"])
    print(f"{name}: ours / decode = {ratio:.2f} (medians), {least:.2f} (minima), CPU {cpu:.2f}; target {target}")
    return {"ratio": ratio, "ratio_minima": least, "ratio_cpu": cpu, "target": target, "rounds": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=int, default=3)
    parser.add_argument("--film", type=Path, default=FILM)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--skip-pyscenedetect", action="store_true")
    parser.add_argument("--child", nargs=3, metavar=("ROLE", "PATH", "THREADS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], options.child[1], int(options.child[2]))
        return 0
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = join(options.film, folder / "one.mp4", options.minutes)
        two = join(options.film, folder / "two.mp4", options.minutes)
        results: dict[str, object] = {"cores": cores, "load_1min": os.getloadavg()[0]}
        lone = alternate("one file", [one], cores, options.rounds, ONE_TARGET)
        pair = alternate("two files", [one, two], max(1, cores // 2), options.rounds, TWO_TARGET)
        results |= {"one_file": lone, "two_files": pair}
        if not options.skip_pyscenedetect:
            theirs = pyscenedetect(one, folder)
            ours = measure("ours", [one], cores)["wall_s"]
            results["pyscenedetect_s"] = theirs
            print(f"PySceneDetect detect-adaptive save-images: {theirs:.2f} s, ours beside it {ours:.2f} s")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    good = float(str(lone["ratio"])) <= ONE_TARGET and float(str(pair["ratio"])) <= TWO_TARGET
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
