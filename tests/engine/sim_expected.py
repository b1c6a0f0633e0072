"""What a long simulation must have seen, so that it has tried what it says."""

from collections import Counter

from pipeline import commands
from pipeline.model import JOB_TRANSITIONS

REAL_MOVES = [
    (before, after)
    for before, targets in JOB_TRANSITIONS.items()
    for after in sorted(targets)
    if (before, after) not in {("queued", "skipped"), ("queued", "done"), ("waiting", "queued")}
]
"""Moves that a job may make and that something in the engine makes it do."""
MUST_HAPPEN = (
    *(
        "tick",
        "timer",
        "commit",
        "answer",
        "refused",
        "discovery",
        "discovery failed",
        "compared",
        "reports",
        "suspend",
        "kill outside",
    ),
    *("killed with a job", "killed alone", "dies at start", "spawn refused", "workers die at start", "cannot begin"),
    *("died with nothing asked", "died with operations lost", "died before the answer was heard", "close", "closed"),
    *("disk full", "memory short", "inputs gone", "host down", "surroundings better", "host hopeless", "told ready"),
    *(f"told finished {outcome}" for outcome in ("done", "partial", "failed", "skipped", "stopped")),
    *(f"end killed by {name}" for name in ("SIGKILL", "SIGTERM", "SIGSEGV")),
    *("end exit code 0", "end exit code 1", "told progress"),
    *(f"command {kind.__name__}" for kind in commands.Command.__args__),
    *(f"{before} > {after}" for before, after in REAL_MOVES),
)


def missing(kinds: Counter[str]) -> list[str]:
    """Return what should have happened and did not."""
    return [kind for kind in MUST_HAPPEN if not kinds[kind]]
