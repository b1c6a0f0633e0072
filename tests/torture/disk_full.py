"""50 times full and free again: the output volume of one run, a tmpfs, at random moments and with random room left.

    python tests/torture/disk_full.py [--cycles 50] [--seed N] [--seconds 900]

The real worker extracts small generated videos. Each time the run must pause with its sentence, go on by itself, and
charge no video; a watcher opens every file that has a final name, and the results must equal the undisturbed run's.
Needs `unshare -rm`.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from form import begin
from volumes import in_namespace, why_not

PROGRAM = Path(__file__).resolve().parents[1] / "faults" / "disk_cycles.py"
COMPARED_S = 600.0
"""What the undisturbed run and the last look at everything may take on a slow machine."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of this form."""
    parser.add_argument("--cycles", type=int, default=50)


def main() -> None:
    """Do the cycles in a namespace of their own and end with the verdict."""
    form = begin(__doc__, seconds=900.0, add=add)
    if why := why_not():
        form.end([], skipped=why)
    with tempfile.TemporaryDirectory() as folder:
        arguments = (folder, str(form.options.cycles), str(form.options.seed), str(form.options.seconds))
        told = in_namespace(PROGRAM, *arguments, timeout_s=form.options.seconds + COMPARED_S)
    facts = json.loads(told.splitlines()[-1])
    form.end(facts.pop("violations"), **facts)


if __name__ == "__main__":
    main()
