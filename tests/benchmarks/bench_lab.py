"""Point 2 of the lab's issue, with a real model host: do times agree, is a slowdown of a fifth found, and nothing else?

    python tests/benchmarks/bench_lab.py [--tries 20] [--iterations 40] [--batch 16]

`agreement`: calls of the lab's own subject (tiny-shapes, pictures) and a loop of its own over a `HostClient`, taking
turns; the ratio of their medians. `found` and `false`: of so many tries, how often `compare` calls calls with a fifth
of their median slept on top a regression of more than 10 %, and how often calls as they are. Wants an idle machine.
Prints JSON; exits 1 if the times are more than 5 % apart or a try went wrong.
"""

import argparse
import json
import os
import statistics
import sys
import time

from pipeline.benchmark.measure import Call, Make, Opened, Work, measure
from pipeline.benchmark.models import pictures
from pipeline.benchmark.plan import Kind, Subject
from pipeline.benchmark.report import Method
from pipeline.benchmark.request import Request
from pipeline.benchmark.statistics import change_of_median
from pipeline.settings import PipelineSettings

SLOWDOWN, ALLOWED, PERCENT = 0.2, 0.05, 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    subject = Subject(Kind.EXTRACTOR, "tiny-shapes", "image", parameters={"batch_size": str(options.batch)})
    method = Method(iterations=options.iterations, warmup_iterations=3, min_seconds=0)
    with pictures(Request(subject, method, PipelineSettings(), "")) as opened:
        earlier = independent(opened, options.iterations)
        usual = statistics.median(times(opened.make, method))
        ratio = usual / statistics.median(earlier + independent(opened, options.iterations))
        found, false = 0, 0
        for _ in range(options.tries):
            before, same = times(opened.make, method), times(opened.make, method)
            slower = times(slowed(opened.make, SLOWDOWN * statistics.median(before)), method)
            found += regressed(before, slower)
            false += regressed(before, same)
    figures = {
        "agreement": round(ratio, 4), "found": found, "false": false, "tries": options.tries,
        "median_ms": round(usual * 1000, 2), "load_average": os.getloadavg()[0],
    }  # fmt: skip
    print(json.dumps(figures, indent=2))
    return 0 if abs(ratio - 1) <= ALLOWED and (found, false) == (options.tries, 0) else 1


def times(make: Make, method: Method) -> list[float]:
    return measure(make, method, lambda *_: None).times_s


def independent(opened: Opened, count: int) -> list[float]:
    found = []
    for number in range(count + 3):
        call = opened.make(number)
        began = time.monotonic_ns()
        call()
        found.append((time.monotonic_ns() - began) / 1e9)
    return found[3:]


def slowed(make: Make, seconds: float) -> Make:
    def made(number: int) -> Call:
        call = make(number)

        def slow() -> Work:
            time.sleep(seconds)
            return call()

        return slow

    return made


def regressed(before: list[float], after: list[float]) -> bool:
    change, low, _ = change_of_median(before, after)
    return low > 0 and change * 100 > PERCENT


if __name__ == "__main__":
    sys.exit(main())
