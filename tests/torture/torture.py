"""All long forms of the fault suite, one after another: `make torture SECONDS=3600 SEED=1 ONLY="kills disk_full"`.

Each form is a program of its own in this folder; see its --help for what it injects and what must hold. The time is
shared by weight; a form that was stopped by its share says how far it got.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
FORMS: dict[str, float] = {
    "kills": 6,
    "damage": 1,
    "signals": 1,
    "console_ends": 2,
    "mutations": 6,
    "disk_full": 1,
    "transcode": 2,
    "workers": 2,
    "hosts": 1,
    "scan": 3,
    "persistence": 6,
    "flips": 1,
    "scheduler": 3,
}
"""The forms and the weight of each in the time there is."""


def main() -> None:
    """Run the forms that are asked for; exit 1 if any found a violation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="the time for all forms together")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--only", nargs="*", default=[], choices=list(FORMS), help="only these forms")
    options = parser.parse_args()
    print(json.dumps({"torture": options.seed, "seconds": options.seconds}), flush=True)
    chosen = options.only or list(FORMS)
    weight = sum(FORMS[name] for name in chosen)
    bad = []
    for name in chosen:
        share_s = options.seconds * FORMS[name] / weight
        print(json.dumps({"form": name, "seconds": round(share_s, 1)}), flush=True)
        begun = time.monotonic()
        command = [sys.executable, str(FOLDER / f"{name}.py"), "--seed", str(options.seed), "--seconds", str(share_s)]
        code = subprocess.run(command, check=False).returncode
        print(json.dumps({"form": name, "exit": code, "took_s": round(time.monotonic() - begun, 1)}), flush=True)
        bad += [name] if code else []
    print(json.dumps({"torture": options.seed, "failed": bad}))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
