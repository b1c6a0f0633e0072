"""Case 13 and point 3: mutated files made from shared media, through a real engine with real workers.

    python tests/torture/mutations.py [--files 20000] [--batch 400] [--media FOLDER] [--seed N] [--seconds S]
    python tests/torture/mutations.py --seed N --again NUMBER --keep FOLDER

After each batch: every job is terminal and took bounded time; the engine lives; a worker that died ended its video's
attempts and is listed; outputs are whole (the oracle of tests/engine); and no video that ended as `done` has quietly
lost pictures (the rule is in tests/faults/media_judge.py, which shares no code with ours). `--again` makes one mutant
of a seed again, with the file it was made from, and tells what the judge and the engine make of it.
"""

import argparse
import sys
import tempfile
from dataclasses import asdict, is_dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from excerpts import Excerpt, excerpts
from form import Form, begin
from mutants import mutant
from mutation_bench import MutationBench, Tally

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this form."""
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--batch", type=int, default=400)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--again", type=int, nargs="+", help="make these mutants again and judge them")
    parser.add_argument("--keep", type=Path, help="folder in which the files of --again are left")


def main() -> None:
    """Run until all files are through or the time is over."""
    form = begin(__doc__, seconds=7200, add=options)
    given = form.options
    originals = excerpts(given.media)
    form.say(excerpts=len(originals), kinds=len({one.kind for one in originals}))
    tally = Tally()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        bench = MutationBench(originals, folder)
        if given.again:
            again(form, originals, bench, folder)
        number, end = given.first, given.first + given.files
        while number < end and form.left_s > 0:
            batch = [mutant(originals, given.seed, one) for one in range(number, min(end, number + given.batch))]
            found = bench.run(batch)
            for text in found.violations:
                form.say(violation=text)
            tally.add(found)
            number += len(batch)
            form.say(files=number - given.first, **tally.brief())
    form.end(tally.violations, asked=given.files, **tally.facts())


def again(form: Form, originals: list[Excerpt], bench: MutationBench, folder: Path) -> None:
    """Make single mutants again, say all that is known of each, and end."""
    batch = [mutant(originals, form.options.seed, one) for one in form.options.again]
    tally = Tally()
    tally.add(bench.run(batch))
    for one in batch:
        (folder / f"before-{one.name}").write_bytes(one.original.data)
        (folder / f"after-{one.name}").write_bytes(one.data)
        form.say(mutant=one.number, made_from=one.original.source, kind=one.original.kind, done=one.done)
        form.say(**{key: asdict(fact) if is_dataclass(fact) else fact for key, fact in tally.told[one.number].items()})
    form.end(tally.violations, **tally.facts())


if __name__ == "__main__":
    main()
