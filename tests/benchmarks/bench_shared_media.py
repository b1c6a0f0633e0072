"""Point 2 of the issue: every real and odd file of the shared media ends up accounted for.

    python tests/benchmarks/bench_shared_media.py [--media DIR] [--out DIR] [--preset scenes] [--limit-s 1800]

Runs `vconsole extract DIR/videos DIR/odd --out OUT` as an operator would, then holds what it left to the claims: it
ended by itself with exit 0 or 1; every file is in the manifest as done, partial with its loss, failed with a class and
a sentence, or skipped with a reason; every feature file passes a deep check; no temporary file and no process is left.
Prints the figures as JSON and exits 1 if a claim does not hold.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from pipeline.outputs.atomic import stale_parts
from pipeline.outputs.features import check_features
from pipeline.outputs.manifest import read_manifest

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
ROOTS = ("videos", "odd")


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="bench-shared-") as scratch:
        out = Path(options.out or f"{scratch}/out")
        marker = f"{scratch}/state"
        code, wall_s, stderr = extract(options, out, marker)
        left = [process.pid for process in processes_of(marker)]
        rows = list(read_manifest(os.fsencode(out))) if (out / "manifest.jsonl.gz").exists() else []
        broken = list(broken_claims(options.media, out, code, rows))
        broken += [f"process {pid} is left" for pid in left]
        figures = {
            "exit_code": code,
            "wall_s": round(wall_s, 1),
            "files": sum(1 for _ in files_of(options.media)),
            "status": Counter(row["status"] for row in rows),
            "classes": Counter(row["class"] for row in rows if "class" in row),
            "skipped": Counter(row["reason"].split(" of ")[0][:60] for row in rows if row["status"] == "skipped"),
            "scenes": sum(row.get("scenes", 0) for row in rows),
            "frames": sum(row.get("frames", 0) for row in rows),
            "broken_claims": broken,
        }
        print(json.dumps(figures, indent=2))
        if options.rows:
            for row in rows:
                print(json.dumps({name: row[name] for name in SHOWN if name in row}))
        if code not in (0, 1):
            print(stderr[-2000:], file=sys.stderr)
    return 1 if broken else 0


SHOWN = ("source", "status", "class", "message", "reason", "lost_s", "lost_frames")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--out", default="", help="keep the outputs here")
    parser.add_argument("--preset", default="scenes")
    parser.add_argument("--workers", default="auto")
    parser.add_argument("--limit-s", type=float, default=1800.0)
    parser.add_argument("--rows", action="store_true", help="print how each file ended")
    return parser.parse_args()


def extract(options: argparse.Namespace, out: Path, state: str) -> tuple[int | None, float, str]:
    """Return the exit code (None if it did not end by itself), the wall time and what it wrote to stderr."""
    inputs = [str(options.media / root) for root in ROOTS]
    command = [sys.executable, "-m", "vconsole", "extract", *inputs, "--out", str(out), "--preset", options.preset]
    command += ["--workers", options.workers, "--json"]
    began = time.monotonic()
    environment = os.environ | {"VCONSOLE_STATE_DIR": state}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=options.limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, time.monotonic() - began, ""
    return done.returncode, time.monotonic() - began, done.stderr.decode("utf-8", "replace")


def files_of(media: Path) -> Iterator[str]:
    """Yield what the manifest should call each file: the root's name and the path below it."""
    for root in ROOTS:
        for folder, _, names in os.walk(media / root):
            yield from (str(Path(folder, name).relative_to(media)) for name in names)


def broken_claims(media: Path, out: Path, code: int | None, rows: list[dict[str, Any]]) -> Iterator[str]:
    if code not in (0, 1):
        yield f"exit code {code}" if code is not None else "it did not end by itself"
    told = Counter(row["source"] for row in rows)
    yield from (f"{source}: {count} rows" for source, count in told.items() if count > 1)
    yield from (f"{source}: not in the manifest" for source in sorted(set(files_of(media)) - set(told)))
    for row in rows:
        yield from (f"{row['source']}: {wrong}" for wrong in wrong_with(out, row))
    yield from (f"{os.fsdecode(path)}: left over" for path in stale_parts(os.fsencode(out)))


def wrong_with(out: Path, row: dict[str, Any]) -> Iterator[str]:
    status = row["status"]
    if status in {"done", "partial"}:
        yield from check_features(os.path.join(os.fsencode(out), os.fsencode(row["features"])))
    if status == "partial" and not (row["lost_s"] > 0 or row["lost_frames"] > 0):
        yield "partial without a loss"
    elif status in {"failed", "quarantined"} and not (row["class"] and row["message"].rstrip().endswith(".")):
        yield f"failed without a class and a sentence: {row}"
    elif status == "skipped" and not row["reason"]:
        yield "skipped without a reason"
    elif status not in {"done", "partial", "failed", "quarantined", "skipped"}:
        yield f"not over: {status}"


def processes_of(state: str) -> Iterator[psutil.Process]:
    """Yield the processes that still run with our state folder in their environment."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("VCONSOLE_STATE_DIR") == state:
                yield process
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue


if __name__ == "__main__":
    sys.exit(main())
