"""Model hosts that run out of memory, lose their device, hang, stop and die in the middle of batches (case 23).

    python tests/torture/hosts.py [--seconds 600] [--seed N] [--rounds 40]

Each round is a whole run of the real workers with the fake model, which fails as a plan made by chance says; half of
the plans have a guilty picture instead of a row of misdeeds. After each round: every innocent video is done with one
attempt and its vectors equal those of the undisturbed run within 1e-5, the guilty one is quarantined, the oracle holds.
"""

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from form import begin

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

import engine_harness
from model_runs import RED, make_videos, options, run, unlike

from pipeline.model import FailureClass, JobState


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=40)


def plan_of(chance: random.Random) -> dict[str, Any]:
    """Return what goes wrong in a round."""
    plan: dict[str, Any] = {"memory_for": chance.choice([1, 2, 3, 5, 8]), "overlaps": chance.random() < 0.5}
    if chance.random() < 0.5:
        return plan | {"guilty": chance.choice(["device", "segv", "hang"])}
    ways = ["kill", "stop", "hang", "device", "segv"]
    return plan | {"starts": [f"{chance.choice(ways)} {chance.randint(1, 30)}" for _ in range(chance.randint(1, 4))]}


def round_of(folder: Path, calm: Path, plan: dict[str, Any]) -> list[str]:
    """Carry a run with this plan to its end; return what is not as it must be."""
    done = run(folder, calm / "in", options(), **plan)
    without = RED if plan.get("guilty") else ""
    wrong = unlike(calm, folder, without=without)
    for row in done.jobs:
        guilty = row.name == without
        deserved = (JobState.QUARANTINED, FailureClass.MODEL, 2) if guilty else (JobState.DONE, None, 1)
        if (row.state, row.failure, row.attempts) != deserved:
            wrong.append(f"{row.name} ended {row.state} {row.failure} after {row.attempts}, plan {plan}")
    return wrong


def main() -> None:
    """Run rounds until they or the time are over."""
    form = begin(__doc__, seconds=600, add=_options)
    engine_harness.DEADLINE_S = max(300.0, form.left_s)
    rounds, restarts, violations = 0, 0, list[str]()
    with tempfile.TemporaryDirectory() as name:
        os.environ["HOME"] = name
        calm = Path(name) / "calm"
        make_videos(calm / "in")
        run(calm, calm / "in", options())
        while rounds < form.options.rounds and form.left_s > 0 and not violations:
            folder, plan = Path(name) / str(rounds), plan_of(form.chance)
            folder.mkdir()
            violations += round_of(folder, calm, plan)
            rounds += 1
            restarts += len(plan.get("starts", [])) or 4
            form.say(rounds=rounds, plan=plan, left_s=round(form.left_s))
    form.end(violations, rounds=rounds, planned_host_deaths=restarts)


if __name__ == "__main__":
    main()
