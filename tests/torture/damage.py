"""Outputs damaged by chance behind the ledger's back: each is found by `verify --deep`, and done again by `--redo`.

    python tests/torture/damage.py [--seconds 600] [--seed N] [--videos 12] [--damages 500]

Cuts, flips, empties, removes, replaces and swaps feature files, saved pictures and reports of a real run, turns them
into folders and links, with the modification time put back or not. After each round the results must equal those of
the undisturbed run, and what was whole must not have been touched.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from form import begin

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from damage_harness import Archive, Vandal, round_of


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--damages", type=int, default=500, help="end after so many damages")


def main() -> None:
    """Damage and mend until the damages or the time are over."""
    form = begin(__doc__, seconds=600, add=_options)
    done, violations = 0, []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder
        archive = Archive(Path(folder), videos=form.options.videos)
        vandal = Vandal(archive, form.chance)
        while done < form.options.damages and form.left_s > 0 and not violations:
            count, wrong = round_of(archive, vandal, form.chance.randint(1, form.options.videos + 3))
            done += count
            violations += wrong
            form.say(damages=done, left_s=round(form.left_s), last=vandal.told)
        clean, _ = archive.verify()
        violations += [f"verify --deep says {clean} at the end"] if clean else []
    form.end(violations, damages=done)


if __name__ == "__main__":
    main()
