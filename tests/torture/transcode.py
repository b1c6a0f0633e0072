"""kill -9 of transcodes, and damaged inputs, for as long as there is time: real workers over generated videos.

    python tests/torture/transcode.py [--kills 20] [--seed N] [--seconds 900]

Rounds of two parts. One carries a run of videos to its end with kills of a worker or of everything at random moments:
no broken file may ever have a final name, nothing finished is done again, and nothing is left over. The other gives
copies that are cut at random places or have bytes flipped: each ends with a class of its own, and what is salvaged
decodes to its end.
"""

import argparse
import collections
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "media"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "transcode"))

from form import Form, begin
from transcode_harness import Library, damage, disturb, make_library

OURS = frozenset({"worker_crashed", "stalled", "protocol"})
"""Classes with which no damaged input may end."""


def killed(form: Form, folder: Path, kills: int) -> tuple[int, list[str]]:
    """Disturb one run; return how many kills fell and what did not hold."""
    library = Library(folder)
    make_library(library.source, 8, frames=form.chance.randrange(200, 500))
    fallen = disturb(library, kills, form.chance, left_s=form.left_s)
    found = library.violations()
    found += [f"{name} was done {wins} times" for name, wins in library.wins().items() if wins != 1]
    return fallen, found


def damaged(form: Form, folder: Path) -> tuple[collections.Counter[str], list[str]]:
    """Transcode damaged copies; return how they ended and what did not hold."""
    library = Library(folder)
    originals = folder / "whole"
    make_library(originals, 2)
    for path in sorted(originals.rglob("*.mkv")):
        damage(library.source, path, form.chance, copies=6)
    library.run("--salvage", "--workers", "2")
    found, ends = library.violations(), collections.Counter[str]()
    for name, entry in library.files().items():
        ends[entry.get("class", entry["status"])] += 1
        if entry.get("class") in OURS or (entry["status"] == "partial" and not entry.get("reason")):
            found.append(f"{name}: {entry}")
    return ends, found


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of this form."""
    parser.add_argument("--kills", type=int, default=20, help="kills in one run")


def main() -> None:
    """Go round until the time is up."""
    form = begin(__doc__, seconds=900.0, add=add)
    fallen, rounds, violations = 0, 0, []
    ends: collections.Counter[str] = collections.Counter()
    while (form.left_s > 0 or not rounds) and not violations:
        with tempfile.TemporaryDirectory(prefix="transcode-") as folder:
            kills, found = killed(form, Path(folder) / "kills", form.options.kills)
            more, worse = damaged(form, Path(folder) / "damage")
        fallen, rounds, ends = fallen + kills, rounds + 1, ends + more
        violations += [*found, *worse]
        form.say(rounds=rounds, kills=fallen, ends=dict(ends), left_s=round(form.left_s))
    form.end(violations, rounds=rounds, kills=fallen, ends=dict(ends))


if __name__ == "__main__":
    main()
