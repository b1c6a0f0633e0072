"""Workers that crash, hang, grow and talk nonsense, by chance and for hours: each video ends as it deserves.

    python tests/torture/workers.py [--seconds 900] [--seed N] [--jobs 300] [--deaths 1000]

Each round is a run of `--jobs` inputs for the fake worker, a fifth of them with a misdeed, for ever or for the first
attempt only. After each round: every job is in the state that its misdeed deserves, none is lost, the oracle holds, and
this process has no zombie, no descriptor and no thread more than after the first round. Ends after `--deaths` workers.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from form import begin

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

import engine_harness
from misdeeds import QUICK, SLOW, Held, held, mix, run_mix, worker_pids

GROWTH_MB = 40.0
"""What memory may grow between the first round and the last."""
STALL_S = 6.0


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=300, help="inputs of one round")
    parser.add_argument("--deaths", type=int, default=1000, help="end after so many workers have come and gone")


def _leaks(before: Held, after: Held) -> list[str]:
    """Return what is held now that was not held before."""
    found = [f"{name} {old} -> {new}" for name, old, new in _pairs(before, after) if new > old]
    if after.rss_mb > before.rss_mb + GROWTH_MB:
        found.append(f"memory grew from {before.rss_mb:.0f} to {after.rss_mb:.0f} MB")
    return found


def _pairs(before: Held, after: Held) -> list[tuple[str, int, int]]:
    names = ("descriptors", "threads", "children")
    return [(name, getattr(before, name), getattr(after, name)) for name in names]


def main() -> None:
    """Run rounds until the deaths or the time are over."""
    form = begin(__doc__, seconds=900, add=_options)
    engine_harness.DEADLINE_S = max(600.0, form.left_s)
    deaths, jobs, rounds, first, last, violations = 0, 0, 0, None, None, list[str]()
    while (deaths < form.options.deaths or rounds < 2) and form.left_s > 0 and not violations:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["HOME"] = folder
            bench = engine_harness.Bench(Path(folder))
            violations += run_mix(mix(bench, form.options.jobs, form.chance, (*QUICK, *SLOW)), bench, STALL_S)
            deaths += len({pid for _, pid in worker_pids(bench)})
        rounds, jobs, last = rounds + 1, jobs + form.options.jobs, held()
        first = first or last
        violations += _leaks(first, last)
        form.say(rounds=rounds, deaths=deaths, jobs=jobs, held=str(last), left_s=round(form.left_s))
    form.end(violations, rounds=rounds, worker_deaths=deaths, jobs=jobs, held_first=str(first), held_last=str(last))


if __name__ == "__main__":
    main()
