"""Points 1 and 5: SIGKILL, EIO, ENOSPC and EACCES at every call that persists something, also while recovering.

    python tests/torture/persistence.py [--seconds 3600] [--seed N] [--victims ledger reports worker]

Two videos are extracted by a real engine and a real worker under strace. Their undisturbed calls are counted, then
each call is hit, one run a fault, in an order that the seed shuffles, so that a bounded time samples all. After each:
nothing half under a final name, a sentence and no traceback, no process and no temporary file left, the oracle, and
results equal to the undisturbed run's. Two runs at a time.
"""

import argparse
import sys
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from form import Form, begin

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from injection import VICTIMS, Point, Site, ViolationError, calm_site, points

PARALLEL = 2


class Sweep:
    """The points still to be swept, and what was found; shared by the threads that sweep."""

    def __init__(self, form: Form, left: list[Point]) -> None:
        self._form = form
        self._left = left
        self._lock = threading.Lock()
        self.total = Counter(map(_kind, left))
        self.swept: Counter[tuple[str, str, str]] = Counter()
        self.missed = 0
        self.violations: list[str] = []

    def run(self, site: Site) -> None:
        """Sweep on one site until nothing or no time is left."""
        site.keep_killed()
        while self._form.left_s > 0:
            with self._lock:
                if not self._left:
                    return
                point = self._left.pop()
            self._note(point, *_checked(site, point))

    def _note(self, point: Point, hit: bool, wrong: str) -> None:
        with self._lock:
            self.swept[_kind(point)] += hit
            self.missed += not hit and not wrong
            if wrong:
                self.violations.append(f"{point}: {wrong}")
                self._form.say(violation=str(point), why=wrong)
            done = sum(self.swept.values())
            if done % 50 == 0:
                self._form.say(swept=done, left=len(self._left), violations=len(self.violations))


def _checked(site: Site, point: Point) -> tuple[bool, str]:
    try:
        return site.check(point), ""
    except (ViolationError, AssertionError) as error:
        return True, str(error)[:2000]


def _kind(point: Point) -> tuple[str, str, str]:
    when = " recovering" if point.recovering else ""
    return point.victim + when, point.call, point.fault + (" for a while" if point.lasting > 1 else "")


def _table(counts: Counter[tuple[str, str, str]], total: Counter[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for victim, call, fault in sorted(total):
        row = table.setdefault(f"{victim}: {fault}", {})
        row[call] = f"{counts[victim, call, fault]}/{total[victim, call, fault]}"
    return table


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=list(VICTIMS), help="whose calls are hit")


def main() -> None:
    """Count the calls, sweep them, tell how many of which were hit."""
    form = begin(__doc__, seconds=3600, add=_add)
    with tempfile.TemporaryDirectory() as temporary:
        calm = calm_site(Path(temporary) / "calm")
        sites = [Site(Path(temporary) / f"site-{number}", calm) for number in range(PARALLEL)]
        sites[0].keep_killed()
        every: list[Point] = []
        for victim in form.options.victims:
            for recovering in (False, True) if victim != "reports" else (False,):
                calls = sites[0].record(victim, recovering=recovering)
                form.say(victim=victim, recovering=recovering, calls=dict(calls))
                every += points(victim, calls, recovering=recovering)
        form.chance.shuffle(every)
        sweep = Sweep(form, every)
        with ThreadPoolExecutor(PARALLEL) as pool:
            for done in [pool.submit(sweep.run, site) for site in sites]:
                done.result()
    form.end(
        sweep.violations,
        swept=sum(sweep.swept.values()),
        of=sum(sweep.total.values()),
        not_reached=sweep.missed,
        points=_table(sweep.swept, sweep.total),
    )


if __name__ == "__main__":
    main()
