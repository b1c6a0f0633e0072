"""Measures what the engine costs a job: many jobs of one millisecond, through discovery, ledger and reports.

    python tests/benchmarks/bench_engine.py [--jobs 20000] [--workers 2] [--profile FILE] [--parts]

Overhead of a job = (wall time of the run x workers) / jobs - 1 ms: all that a worker waits or does besides its work.
The share of the engine's process alone (its CPU time / jobs) is told too, and its memory before, after and at each
tenth of the jobs. --parts counts the objects of each part of the engine at the end, and measures the rows.
"""

import argparse
import cProfile
import json
import os
import resource
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pipeline import wire
from pipeline.commands import StartRun
from pipeline.engine import Engine
from pipeline.model import JobState, RunKind, RunState
from pipeline.settings import Settings

WORK_S = 0.001


def serve(descriptor: int) -> None:
    """Be a worker whose every job takes a millisecond and leaves no file behind."""
    sock = socket.socket(fileno=descriptor)
    wire.send(sock, {"type": "ready", "pid": os.getpid()})
    keys = dict.fromkeys(("probe", "crop", "scenes", "frames", "dedupe", "write"), "0" * 20)
    while True:
        try:
            job, _ = wire.receive(sock)
        except EOFError:
            return
        if job["type"] != "job":
            continue
        time.sleep(WORK_S)
        result = {
            "content_id": job["content_id"],
            "output": f"features/{job['relative']}.h5",
            "output_bytes": 1,
            "output_sha256": "0" * 64,
            "output_mtime_ns": 1,
            "stage_keys": keys,
            "scenes": 1,
            "frames": 1,
            "duration_s": 1.0,
            "width": 16,
            "height": 16,
            "seconds": {"scenes": 0.001},
            "bytes_read": 1,
            "bytes_written": 1,
        }
        head = {"type": "finished", "job_id": job["job_id"], "token": job["token"], "outcome": "done"}
        wire.send(sock, {**head, "result": result, "failure": None})


def rss_mb() -> float:
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def parts(engine: Engine) -> dict[str, Any]:
    """Return how much the snapshot holds of what might grow with the jobs, and the bytes of one row."""
    snapshot = engine.latest()
    rows = snapshot.jobs[:1000]
    return {
        "row_bytes": sum(sys.getsizeof(row) + 16 + sys.getsizeof(row.name) + sys.getsizeof(row.job_id) for row in rows)
        // len(rows),
        "kinds_of_note": len({id(row.note) for row in snapshot.jobs}),
        "kinds_of_media": len({id(row.media) for row in snapshot.jobs}),
        "failures": len(snapshot.failures),
        "notices": len(snapshot.notices),
        "readings_of_stages": sum(len(stage.history) for stage in snapshot.stages),
    }


def measure(jobs: int, workers: int, folder: Path, *, with_parts: bool = False) -> dict[str, Any]:
    """Run `jobs` jobs through an engine; return the figures."""
    source = folder / "in"
    source.mkdir()
    for number in range(jobs):
        (source / f"{number:06}.mp4").write_text(f"{number}\n")
    options: dict[str, Any] = {"engine": {"workers": workers, "settle_s": 0}, "embed": {"enabled": False}}
    settings = Settings.model_validate(options)
    command = [sys.executable, str(Path(__file__).resolve()), "--serve"]
    engine = Engine(settings, state_dir=folder / "state", worker_command=command)
    engine.start()
    memory_before, cpu_before, begun = rss_mb(), time.process_time(), time.perf_counter()
    first, over_time = 0.0, [round(memory_before, 1)]
    engine.send(StartRun(RunKind.EXTRACT, (os.fsencode(source),), os.fsencode(folder / "out"), "standard", settings))
    while True:
        snapshot = engine.latest()
        run = snapshot.run
        if snapshot.fatal:
            raise SystemExit(snapshot.fatal)
        if run and not first and run.count(JobState.DONE):
            first = time.perf_counter()
        if run and run.count(JobState.DONE) * 10 >= len(over_time) * jobs:
            over_time.append(round(rss_mb(), 1))
        if run and run.state is RunState.DONE:
            break
        time.sleep(0.05)
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu_before
    memory_after, serial, done = rss_mb(), snapshot.serial, run.count(JobState.DONE)
    held = parts(engine) if with_parts else {}
    engine.close()
    assert done == jobs
    return {
        "jobs": jobs,
        "workers": workers,
        "wall_s": round(wall, 2),
        "overhead_ms_per_job": round((wall * workers / jobs - WORK_S) * 1e3, 3),
        "wall_ms_per_job": round(wall / jobs * 1e3, 3),
        "engine_cpu_ms_per_job": round(cpu / jobs * 1e3, 3),
        "memory_before_mb": round(memory_before, 1),
        "memory_after_mb": round(memory_after, 1),
        "memory_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1),
        "bytes_per_job": round((memory_after - memory_before) * 1e6 / jobs),
        "memory_at_each_tenth_mb": over_time,
        **held,
        "snapshots": serial,
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Measure, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--profile", help="write a cProfile of the engine's thread to this file")
    parser.add_argument("--parts", action="store_true", help="tell what is held at the end")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--nice", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.fd)
        return
    if arguments.profile:
        profile(arguments.profile)
    with tempfile.TemporaryDirectory() as folder:
        print(
            json.dumps(measure(arguments.jobs, arguments.workers, Path(folder), with_parts=arguments.parts), indent=2)
        )


def profile(path: str) -> None:
    """Write a profile of every engine that this process starts to `path`."""
    main_of_engine = Engine._main

    def profiled(engine: Engine) -> None:
        profiler = cProfile.Profile()
        profiler.runcall(main_of_engine, engine)
        profiler.dump_stats(path)

    Engine._main = profiled  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
