"""A million steps of the real scheduler under a virtual clock, with every rule asked after each step.

    python tests/torture/scheduler.py [--steps 1000000] [--seed N] [--world-steps 6000]

Worlds follow one another, each from a seed of its own that is printed with a violation; `--seed N --steps 1` runs the
first world of seed N alone. The verdict counts the events by kind, and a kind that never happened is a violation too.
"""

import argparse
import sys
from collections import Counter
from hashlib import blake2b
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from form import begin
from sim_expected import missing
from sim_time import Violation
from sim_world import World


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--world-steps", type=int, default=6000, help="steps with faults in each world")


def main() -> None:
    """Run worlds until the steps are done or the time is over."""
    form = begin(__doc__, seconds=3000, add=_options)
    kinds: Counter[str] = Counter()
    digest = blake2b(digest_size=8)
    steps, seed, found = 0, form.options.seed, []
    while steps < form.options.steps and form.left_s > 0 and not found:
        world = World(seed, form.options.world_steps)
        try:
            world.run()
        except Violation as violation:
            found.append(str(violation))
            print(violation, flush=True)
        seed += 1
        kinds += world.time.kinds
        digest.update(world.time.digest.encode())
        if (steps + world.time.steps) // 50_000 > steps // 50_000:
            form.say(steps=steps + world.time.steps, left_s=round(form.left_s))
        steps += world.time.steps
    if steps >= 100_000:
        found += [f"it never happened: {kind}" for kind in missing(kinds)]
    facts = {"steps": steps, "worlds": seed - form.options.seed, "hash": digest.hexdigest()}
    form.end(found, **facts, events=dict(sorted(kinds.items())))


if __name__ == "__main__":
    main()
