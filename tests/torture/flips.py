"""Case 9: bytes flipped at random places of a ledger that was closed well, and of one whose engine was killed.

    python tests/torture/flips.py [--seconds 300] [--seed N] [--flips 1000]

A closed ledger must be refused whatever flips, by engine and reader, and stay as it is. One that a crash left must be
refused in a sentence and stay as it is, or the run goes on and its results are right.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from form import begin

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from engine_harness import Bench, settings
from ledger_damage import Kept, check_flip, flip, kill_midway, undamaged

from pipeline.engine.ledger import Ledger
from pipeline.engine.reader import LedgerReader
from pipeline.engine.store import LEDGER_NAME
from pipeline.errors import LedgerError

CLOSED_EACH = 20
"""Flips of the closed ledger, which take no run, for each flip of the other."""


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--flips", type=int, default=1000, help="flips of the ledger of a killed engine")


def main() -> None:
    """Flip until enough have been, or no time is left; tell how many were refused and how many did no harm."""
    form = begin(__doc__, seconds=300, add=_add)
    told: Counter[str] = Counter()
    violations: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        closed, killed = (Bench(_made(Path(temporary) / name)) for name in ("closed", "killed"))
        for number in range(12):
            closed.video(f"{number:02}.mp4")
        closed.run(settings())
        whole = (closed.state / LEDGER_NAME).read_bytes()
        kill_midway(killed)
        kept = Kept(killed, Path(temporary) / "kept")
        calm = undamaged(killed)
        while form.left_s > 0 and told["done"] + told["refused"] < form.options.flips:
            for _ in range(CLOSED_EACH):
                violations += _taken(closed, whole, form.chance)
                told["closed"] += 1
            kept.restore()
            try:
                told[check_flip(killed, calm, form.chance)] += 1
            except AssertionError as error:
                violations.append(str(error))
                form.say(violation=str(error)[:2000])
    form.end(
        violations,
        closed_refused=told["closed"],
        crashed_refused=told["refused"],
        crashed_without_harm=told["done"],
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _taken(bench: Bench, whole: bytes, chance: random.Random) -> list[str]:
    """Flip, return what takes the ledger all the same or changes it, and make it whole again."""
    path, wrong = bench.state / LEDGER_NAME, []
    where = flip(path, chance)
    damaged = path.read_bytes()
    for door in (Ledger, LedgerReader.read_only):
        try:
            door(bench.state).close()
            wrong.append(f"{door} takes a flip at {where}")
        except LedgerError:
            pass
    if path.read_bytes() != damaged:
        wrong.append(f"the refused ledger was changed after a flip at {where}")
    path.write_bytes(whole)
    return wrong


if __name__ == "__main__":
    main()
