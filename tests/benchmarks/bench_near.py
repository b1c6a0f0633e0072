"""Are near-duplicates found, and nothing else? Precision and recall on the shared videos whose copies are known.

    python tests/benchmarks/bench_near.py [--media DIR] [--most-bytes 6000000] [--set analysis.KEY=VALUE ...]

Extracts the videos of groundtruth/neardup.tsv and all others that are no larger than `--most-bytes` with the
weight-free `perceptual` model, has `vconsole analysis` look for near-duplicates, and prints JSON: precision, recall,
and the false and the missed pairs by name. Some copies are turned, cropped or shifted, which a hash cannot see; so the
bench exits 1 only where a pair is false or fewer than `LEAST_RECALL` of the true ones are found.
"""

import argparse
import csv
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAST_RECALL = 0.35
Pairs = set[frozenset[str]]


def main() -> int:
    options = parse()
    groups = defaultdict(set)
    with (options.media / "groundtruth" / "neardup.tsv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            groups[row["group"]].add(options.media / row["path"])
    known = {path for group in groups.values() for path in group}
    rest = (path for path in (options.media / "videos").rglob("*") if path.is_file())
    inputs = sorted(known | {path for path in rest if path.stat().st_size <= options.most_bytes})
    with tempfile.TemporaryDirectory(prefix="bench-near-") as folder:
        out = Path(folder, "out")
        extract = ["extract", *map(str, inputs), "--out", str(out), "--model", "perceptual"]
        vconsole([*extract, "--set", "frames.candidates_per_s=2"], folder)
        vconsole(["analysis", str(out), *itertools.chain(*(("--set", one) for one in options.set))], folder)
        told = json.loads((out / "analysis.json").read_text(encoding="utf-8"))
        with (out / "analysis.csv").open(encoding="utf-8", newline="") as table:
            videos = {Path(row["source"]).name for row in csv.DictReader(table)}
    true = pairs_of([{path.name for path in group} & videos for group in groups.values()])
    found = {frozenset((pair["one"], pair["other"])) for pair in told["duplicates"]}
    figures = {
        "videos": len(videos),
        "true_pairs": len(true),
        "precision": round(len(found & true) / len(found), 3) if found else None,
        "recall": round(len(found & true) / len(true), 3),
        "false": sorted(map(sorted, found - true)),
        "missed": sorted(map(sorted, true - found)),
    }
    print(json.dumps(figures, indent=2))
    return 0 if found <= true and len(found) >= LEAST_RECALL * len(true) else 1


def pairs_of(groups: list[set[str]]) -> Pairs:
    return {frozenset(pair) for group in groups for pair in itertools.combinations(group, 2)}


def vconsole(arguments: list[str], folder: str) -> None:
    """Run the program with a state of its own; videos that fail are its business."""
    state = os.environ | {"VCONSOLE_STATE_DIR": str(Path(folder, "state"))}
    subprocess.run(
        [sys.executable, "-m", "vconsole", *arguments], cwd=ROOT, env=state, check=False, capture_output=True
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument("--most-bytes", type=int, default=6_000_000)
    parser.add_argument("--set", action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
