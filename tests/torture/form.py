"""What every long form shares: a seed that is printed, a bound in time, and a verdict as one JSON object.

A form prints its seed, then what it likes, then its verdict; it exits 1 if the verdict has violations.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn


class Form:
    """One long form under way: its options, its chance, and how much time it has left."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.chance = random.Random(options.seed)
        self.begun_s = time.monotonic()

    @property
    def left_s(self) -> float:
        """Seconds left before the form should end."""
        return float(self.options.seconds - (time.monotonic() - self.begun_s))

    def say(self, **facts: Any) -> None:
        """Print one JSON object on a line."""
        print(json.dumps(facts), flush=True)

    def end(self, violations: Sequence[str], **facts: Any) -> NoReturn:
        """Print the verdict and exit: 1 if anything was violated, 0 otherwise."""
        took_s = round(time.monotonic() - self.begun_s, 1)
        verdict = {"seed": self.options.seed, "took_s": took_s, **facts, "violations": list(violations)[:50]}
        print(json.dumps(verdict, indent=2), flush=True)
        sys.exit(1 if violations else 0)


def begin(doc: str | None, *, seconds: float, add: Callable[[argparse.ArgumentParser], object] | None = None) -> Form:
    """Read the command line and print the seed. `seconds` is the default bound; `add` adds a form's own options."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--seconds", type=float, default=seconds, help="begin nothing new after this long")
    if add:
        add(parser)
    form = Form(parser.parse_args())
    form.say(seed=form.options.seed)
    return form
