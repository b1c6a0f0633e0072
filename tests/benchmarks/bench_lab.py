"""Point 2 of the lab's issue, with a real model host: do times agree, is a slowdown of a fifth found, and nothing else?

    python tests/benchmarks/bench_lab.py [--tries 20] [--min-seconds 16] [--batch 8] [--seconds 1200]

`same_calls`: the lab's median over that of a second clock (time.monotonic_ns) around the same calls. `own_loop`: over
that of calls of our own to the same host, timed by that clock, one between any two of the lab's. `found` and `false`:
of so many tries, how often the gate calls calls with a fifth of their own time slept on top a regression of more
than 10 %, and how often calls as they are; the calls as they are of one try are what the next compares with. As for the
program only VALID results count that the gate judges: one that is INVALID, and one that is slower by the clock alone or
at one pace alone are measured again and counted under `invalid` and `apart`, until `--seconds` are over.
Prints JSON with the changes it saw, sorted, and `raw`, what they were with the machine's own pace; exits 1 if times are
more than 5 % apart, or a try went wrong or is lacking.
"""

import argparse
import json
import os
import statistics
import sys
import time

from pipeline.benchmark.judge import reasons_of
from pipeline.benchmark.measure import Call, Make, Measured, Opened, Work, measure
from pipeline.benchmark.models import pictures
from pipeline.benchmark.others import Others
from pipeline.benchmark.pace import piece_of_work
from pipeline.benchmark.plan import Kind, Subject
from pipeline.benchmark.report import Method, Output
from pipeline.benchmark.request import Request
from pipeline.benchmark.statistics import change, windows
from pipeline.engine.tuning import cores
from pipeline.settings import PipelineSettings

SLOWDOWN, ALLOWED, PERCENT = 0.2, 0.05, 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--min-seconds", type=float, default=Method().min_seconds)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1200.0)
    options = parser.parse_args()
    subject = Subject(Kind.EXTRACTOR, "tiny-shapes", "image", parameters={"batch_size": str(options.batch)})
    method = Method(min_seconds=options.min_seconds)
    until_s = time.monotonic() + options.seconds
    with pictures(Request(subject, method, PipelineSettings(), "")) as opened:
        same, own, usual_s = agreement(opened, method)
        found = false = invalid = apart = 0
        changes: list[tuple[float, float]] = []
        raw: list[float] = []
        before: Measured | None = None
        while len(changes) < options.tries and time.monotonic() < until_s:
            results = [timed(make, method) for make in (opened.make, slowed(opened.make))]
            invalid += sum(not valid for _, valid in results)
            if not all(valid for _, valid in results):
                continue
            (again, _), (slower, _) = results
            if before and any(regressed(before, one) != by_clock(before, one) for one in (slower, again)):
                apart += 1
            elif before:
                found += regressed(before, slower)
                false += regressed(before, again)
                slowed_by, same_by = (round(change(paced(before), paced(one))[0], 3) for one in (slower, again))
                changes.append((slowed_by, same_by))
                raw.append(round(change(before.times_s, again.times_s)[0], 3))
            before = again
        tries = len(changes)
    figures = {
        "same_calls": round(same, 4), "own_loop": round(own, 4), "found": found, "false": false, "tries": tries,
        "invalid": invalid, "apart": apart, "slowed": sorted(one for one, _ in changes),
        "same": sorted(one for _, one in changes), "raw": sorted(raw),
        "median_ms": round(usual_s * 1000, 2), "load_average": os.getloadavg()[0],
    }  # fmt: skip
    print(json.dumps(figures, indent=2))
    agree = all(abs(ratio - 1) <= ALLOWED for ratio in (same, own))
    return 0 if agree and (found, false, tries) == (options.tries, 0, options.tries) else 1


def agreement(opened: Opened, method: Method) -> tuple[float, float, float]:
    """Return the lab's median over that of a second clock, over that of calls of our own in between, and the median."""
    clock, own = list[float](), list[float]()

    def make(number: int) -> Call:
        begun = opened.make(2 * number)
        own.append(seconds_of(begun))
        call = opened.make(2 * number + 1)

        def again() -> Work:
            began = time.monotonic_ns()
            work = call()
            clock.append((time.monotonic_ns() - began) / 1e9)
            return work

        return again

    found = measure(make, method.model_copy(update={"iterations": 3 * method.iterations}), lambda *_: None).times_s
    median = statistics.median(found)
    return median / statistics.median(clock[-len(found) :]), median / statistics.median(own[-len(found) :]), median


def seconds_of(call: Call) -> float:
    began = time.monotonic_ns()
    call()
    return (time.monotonic_ns() - began) / 1e9


def timed(make: Make, method: Method) -> tuple[Measured, bool]:
    """Return what was measured, and whether the lab would call it VALID."""
    found = measure(make, method, lambda *_: None, others=Others().cores, piece=piece_of_work())
    times_s, other = found.times_s, found.other_cores
    return found, not reasons_of(times_s, windows(times_s), (), other, Output(), method, cores(), {})


def slowed(make: Make) -> Make:
    def made(number: int) -> Call:
        call = make(number)

        def slow() -> Work:
            began = time.monotonic()
            work = call()
            time.sleep(SLOWDOWN * (time.monotonic() - began))
            return work

        return slow

    return made


def paced(found: Measured) -> list[float]:
    return [seconds / pace for seconds, pace in zip(found.times_s, found.paces_s, strict=True)]


def by_clock(before: Measured, after: Measured) -> bool:
    return change(before.times_s, after.times_s)[0] * 100 > PERCENT


def regressed(before: Measured, after: Measured) -> bool:
    grown, low, _ = change(paced(before), paced(after))
    return low > 0 and grown * 100 > PERCENT


if __name__ == "__main__":
    sys.exit(main())
