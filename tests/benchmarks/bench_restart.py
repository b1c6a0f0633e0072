"""Measures how soon an engine that was killed is back: from its start to the first video that a worker has.

    python tests/benchmarks/bench_restart.py [--rows 100000] [--times 5] [--folder DIR]

The ledger holds one run of so many videos, half of them done, the rest to do, two of them running when the engine
died; inputs and outputs lie on the disk. Each time a fresh process opens it and resumes the run, with a worker that
imports nothing; how long the real worker takes to start is told apart. All times are seconds from the start of the
process; `engine_cpu` is what the engine itself had computed by the first video, which a busy machine does not change.
"""

import argparse
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STARTED_S = time.monotonic()

if "--serve" not in sys.argv:
    from pipeline.commands import ResumeRun, StartRun
    from pipeline.engine import Engine
    from pipeline.engine.facade import WORKER_COMMAND
    from pipeline.engine.ledger import Ledger
    from pipeline.engine.records import Ending, NewJob
    from pipeline.engine.store import open_ledger
    from pipeline.identity import content_id, identity_of, open_regular
    from pipeline.model import JobState, RunKind
    from pipeline.settings import Settings
    from pipeline.stages.keys import stage_keys

IMPORTED_S = time.monotonic()
AT_ONCE = 5000


def settings() -> "Settings":
    """Return the settings of the run: no models, two workers."""
    return Settings.model_validate({"engine": {"workers": 2, "settle_s": 0}, "embed": {"enabled": False}})


def build(folder: Path, rows: int) -> None:
    """Make inputs, half of the outputs, and the ledger that a killed engine leaves behind."""
    options = settings()
    source, out = folder / "in", folder / "out"
    command = StartRun(RunKind.EXTRACT, (os.fsencode(source),), os.fsencode(out), "standard", options)
    ledger = Ledger(folder / "state")
    with ledger.transaction():
        run = ledger.create_run(command, time.time())
    for first in range(0, rows, AT_ONCE):
        names = [f"{number // 1000:04}/{number:06}.mp4" for number in range(first, min(rows, first + AT_ONCE))]
        batch = [new_job(source, name) for name in names]
        with ledger.transaction():
            jobs = ledger.add_jobs(run.run_id, batch)
            for job in jobs:
                if job.job_id <= rows // 2 + 2:
                    started = ledger.start(job.job_id, secrets.token_hex(8), time.time())
                    assert started
                if job.job_id <= rows // 2:
                    ending = Ending(
                        JobState.DONE, "done", result=result(out, os.fsdecode(job.relative), job.content_id)
                    )
                    assert ledger.finish(job.job_id, started.attempt, started.token, ending, time.time())
    ledger.close()


def new_job(source: Path, name: str) -> "NewJob":
    """Make one input and return its job."""
    path = source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{name}\n")
    descriptor = open_regular(os.fsencode(path))
    identity, content = identity_of(os.fstat(descriptor)), content_id(descriptor)
    os.close(descriptor)
    return NewJob(os.fsencode(path), os.fsencode(name), JobState.QUEUED, identity, content)


def result(out: Path, name: str, content: str) -> dict[str, Any]:
    """Make one output and return what a worker tells of it."""
    path = out / "features" / f"{name}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    whole = {"output": f"features/{name}.h5", "output_bytes": len(content), "output_sha256": "0" * 64}
    seconds = dict.fromkeys(("probe", "crop", "scenes", "frames", "dedupe", "write"), 0.123456)
    video = {"duration_s": 63.5, "width": 1920, "height": 1080, "fps": 25.0, "video_codec": "h264", "scenes": 12}
    keys = stage_keys(settings(), content, {})
    times = {"output_mtime_ns": path.stat().st_mtime_ns, "stage_keys": keys, "seconds": seconds, "frames": 48}
    return {"content_id": content, **whole, **video, **times, "bytes_read": 10**8, "bytes_written": 10**5}


def serve(descriptor: int) -> None:
    """Be a worker that writes down when it starts and when it has its first video, and then works for ever."""
    from pipeline import wire

    stamps = Path(os.environ["STAMPS"])
    sock = socket.socket(fileno=descriptor)
    wire.send(sock, {"type": "ready", "pid": os.getpid()})
    ready_s = time.monotonic()
    while True:
        try:
            message, _ = wire.receive(sock)
        except EOFError:
            return
        if message["type"] == "job" and not stamps.exists():
            told = json.dumps({"worker_started": STARTED_S, "worker_ready": ready_s, "first_job": time.monotonic()})
            part = stamps.with_suffix(f".{os.getpid()}")
            part.write_text(told)
            part.rename(stamps)


def resume(state: Path) -> None:
    """Be the engine: resume the run, and print the moments as they come until all is taken in."""
    engine = Engine(settings(), state_dir=state, worker_command=(sys.executable, __file__, "--serve"))
    engine.start()
    opened_s = time.monotonic()
    engine.send(ResumeRun(1))
    stamps, loaded_s, cpu_s = Path(os.environ["STAMPS"]), 0.0, 0.0
    rows = next(run.total for run in engine.latest().runs)
    while True:
        snapshot = engine.latest()
        if snapshot.fatal or (snapshot.run and snapshot.run.paused_because):
            sys.exit(snapshot.fatal or snapshot.run.paused_because)
        if snapshot.run and not loaded_s and snapshot.run.total >= rows:
            loaded_s = time.monotonic()
        if not cpu_s and stamps.exists():
            cpu_s = time.process_time()
        if loaded_s and snapshot.run and not snapshot.run.discovering and stamps.exists():
            break
        time.sleep(0.002)
    moments = {"engine_cpu": cpu_s, "imported": IMPORTED_S, "opened_and_recovered": opened_s, "all_rows": loaded_s}
    print(json.dumps({**moments, "scan_over": time.monotonic(), **json.loads(stamps.read_text())}), flush=True)
    os._exit(0)  # as a kill would: the next one finds it so


def measure(folder: Path, number: int) -> dict[str, float]:
    """Resume once; return each moment in seconds from the start of the process."""
    stamps = folder / f"stamps-{number}"
    begun_s = time.monotonic()
    command = [sys.executable, __file__, "--resume", str(folder / "state")]
    done = subprocess.run(
        command, env={**os.environ, "STAMPS": str(stamps)}, capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    return {name: round(at_s - begun_s if name != "engine_cpu" else at_s, 3) for name, at_s in told.items()}


def parts(state: Path) -> dict[str, float]:
    """Return how long opening with its check takes, recovery, and reading the history of runs."""
    spans = {}
    begun_s = time.perf_counter()
    open_ledger(state).close()
    spans["open_and_check"] = time.perf_counter() - begun_s
    ledger = Ledger(state)
    begun_s = time.perf_counter()
    with ledger.transaction():
        ledger.recover(time.time(), max_engine_deaths=5)
    spans["recover"] = time.perf_counter() - begun_s
    begun_s = time.perf_counter()
    ledger.summaries()
    spans["summaries"] = time.perf_counter() - begun_s
    ledger.close()
    return {name: round(span_s, 3) for name, span_s in spans.items()}


def real_worker_s() -> float:
    """Return how long the real worker takes until it is ready."""
    ours, theirs = socket.socketpair()
    begun_s = time.perf_counter()
    command = [*WORKER_COMMAND, "--fd", str(theirs.fileno()), "--nice", "0"]
    process = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
    ours.recv(1)
    ready_s = time.perf_counter() - begun_s
    ours.close()
    theirs.close()
    process.wait(30)
    return round(ready_s, 3)


def main() -> None:
    """Build, measure, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to work; an empty or absent folder")
    for name in ("--serve", "--resume", "--fd", "--nice"):
        parser.add_argument(name, help=argparse.SUPPRESS, **({"action": "store_true"} if name == "--serve" else {}))
    arguments = parser.parse_args()
    if arguments.serve:
        serve(int(arguments.fd))
        return
    if arguments.resume:
        resume(Path(arguments.resume))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        begun_s = time.perf_counter()
        build(folder, arguments.rows)
        built_s = time.perf_counter() - begun_s
        ledger_mb = sum(path.stat().st_size for path in (folder / "state").iterdir()) / 1e6
        found = [measure(folder, number) for number in range(arguments.times)]
        told = {"rows": arguments.rows, "built_s": round(built_s, 1), "ledger_mb": round(ledger_mb, 1)}
        told |= {"resumes": found, "parts_s": parts(folder / "state"), "real_worker_ready_s": real_worker_s()}
        print(json.dumps({**told, "load": os.getloadavg()[0]}, indent=2))


if __name__ == "__main__":
    main()
