"""Point 1 of the transcode issue: all shared media end with a true reason, and each output decodes elsewhere, too.

    python tests/benchmarks/bench_transcode_media.py [--ffmpeg PROGRAM] [--media DIR] [--keep DIR] [--speed veryfast]

Transcodes `videos` and `odd` with `--salvage`, then has the ffmpeg command decode every output to its end; it is looked
for as bench_transcode_speed.py does. Prints how the inputs ended, every failure with its reason, and what ffmpeg said
of an output; exits 1 where it said anything, or a failure is the program's.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench_transcode_speed import MEDIA, bundled

OURS = {"worker_crashed", "stalled", "timeout", "protocol", "io", "disk_full", "out_of_memory"}
"""Classes of failures that no file is to blame for."""
WHOLE = {"done", "partial"}


def main() -> int:
    options = parse()
    program = options.ffmpeg or shutil.which("ffmpeg") or bundled()
    if not program:
        print("no ffmpeg command here: nothing to check with", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bench-media-") as scratch:
        out = options.keep or Path(scratch, "out")
        began = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "vconsole",
            "transcode",
            str(options.media / "videos"),
            str(options.media / "odd"),
        ]
        command += ["--out", str(out), "--salvage", "--speed", options.speed]
        place = {"VCONSOLE_STATE_DIR": str(Path(scratch, "state"))}
        code = subprocess.run(command, env=os.environ | place, stderr=subprocess.DEVNULL, check=False).returncode
        files = json.loads((out / "transcode_report.json").read_text())["files"]
        print(
            f"exit {code}, {len(files)} inputs in {time.monotonic() - began:.0f} s:",
            counted(f["status"] for f in files),
        )
        print("deeds:", counted(f["action"] for f in files if f["status"] in WHOLE))
        blamed = [f for f in files if f.get("class")]
        print("failures:", counted(f["class"] for f in blamed))
        for entry in blamed:
            print(f"  {entry['source']}: {entry['class']}: {entry['message']}")
        wrong = odd_outputs(program, out, [f["output"] for f in files if f["status"] in WHOLE])
    return 1 if wrong or any(entry["class"] in OURS for entry in blamed) else 0


def odd_outputs(program: str, out: Path, names: list[str]) -> int:
    """Decode each output to its end by another program; print what it says, and return of how many it said anything."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = list(pool.map(lambda name: complaint(program, out / name), names))
    wrong = 0
    for name, text in zip(names, told, strict=True):
        if text:
            wrong += 1
            print(f"  output {name}: {text}")
    print(f"{len(names) - wrong} of {len(names)} outputs decode to their end without a word")
    return wrong


def complaint(program: str, path: Path) -> str:
    """Return what ffmpeg says of a file while it decodes all of it, empty if nothing."""
    command = [
        program,
        "-nostdin",
        "-v",
        "error",
        "-xerror",
        "-i",
        str(path),
        "-map",
        "0:v",
        "-map",
        "0:a?",
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=600)
    said = " ".join(done.stderr.split())[:200]
    return said or (f"exit {done.returncode}" if done.returncode else "")


def counted(words: object) -> str:
    """Return how often each word comes, the most frequent first."""
    counts = Counter(words).most_common()  # type: ignore[call-overload]
    return ", ".join(f"{count} {word}" for word, count in counts) or "none"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ffmpeg", default="")
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--keep", type=Path, help="where the outputs go and stay; else they are removed")
    parser.add_argument("--speed", default="veryfast")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
