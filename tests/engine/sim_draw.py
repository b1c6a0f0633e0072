"""Draws the settings of a simulated engine and the inputs of its runs."""

import random

from sim_worker import NATURES

from pipeline.engine.records import NewJob
from pipeline.identity import Identity
from pipeline.model import JobState
from pipeline.settings import Settings


def draw_settings(chance: random.Random) -> Settings:
    """Return settings that make faults frequent and bounds tight."""
    pick = chance.choice
    engine = {
        "workers": pick((1, 2, 3, 4, 6)),
        "worker_memory_cap_gb": pick((0, 2)),
        "lease_ahead": pick((0, 2, 4, 8)),
        "recycle_after": pick((1, 3, 10, 50)),
        "max_attempts": pick((1, 2, 3, 4)),
        "max_crashes": pick((1, 2, 3)),
        "max_engine_deaths": pick((1, 2, 3, 5)),
        "breaker_deaths": pick((2, 3, 5)),
        "job_timeout_s": pick((0, 200)),
        "settle_s": pick((0.5, 2)),
        "retry_pause_s": pick((0, 1, 5)),
        "retry_pause_max_s": 30,
        "stall_s": 20,
        "events_kept": 20,
        "runs_queued": 2,
        "nice": 0,
    }
    return Settings.model_validate({"engine": engine, "embed": {"enabled": False}})


def draw_plan(chance: random.Random, folder: int) -> list[tuple[NewJob, str]]:
    """Return what discovery will find in a folder, each with its nature: videos, copies of others, files not media."""
    plan: list[tuple[NewJob, str]] = []
    for number in range(chance.choice((3, 20, 80, 200))):
        name = f"{folder}/{number:03}"
        nature = chance.choices(tuple(NATURES), NATURES.values())[0]
        inode = folder * 1000 + number
        like = chance.choice(plan)[0].identity.inode if plan and chance.random() < 0.1 else inode
        state = chance.choices((JobState.SETTLING, JobState.QUEUED, JobState.SKIPPED), (1, 12, 1))[0]
        settling = state is JobState.SETTLING  # its content is not known yet, so that a copy is a link to the file
        identity = Identity(1, like if settling else inode, chance.randrange(1, 10_000), 1)
        content, reason = "" if settling else f"c{like}", "not media" if state is JobState.SKIPPED else ""
        relative = name.encode()
        plan.append((NewJob(b"/in/" + relative, relative, state, identity, content, reason), nature))
    return plan
