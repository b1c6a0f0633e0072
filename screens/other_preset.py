"""Trying videos again with another preset: the question, and the new run over them, checked."""

import os
from collections.abc import Mapping, Sequence

from pipeline.commands import StartRun
from pipeline.settings import Preset, presets_of
from pipeline.snapshot import RunView
from pipeline.text import plural
from screens.dialogs import Choice, Question
from screens.ports import Ports, Refusal, RunRequest

STAY = ""
"""The answer that starts nothing."""

_KEYS = "123456789abcdefg"


def preset_question(presets: Mapping[str, Preset], run: RunView, count: int) -> Question | None:
    """Return the question whose answer is the number of a preset in `presets`; None if there is no other."""
    offered = presets_of(presets, run.kind)
    others = [(str(number), name) for number, name in enumerate(presets) if name in offered and name != run.preset]
    if not others:
        return None
    choices = [
        Choice(key, answer, name, presets[name].description) for key, (answer, name) in zip(_KEYS, others, strict=False)
    ]
    what = f"A new run over {plural(count, 'video')}, with which preset? Its outputs go to {run.out}-PRESET."
    return Question("retry with another preset", what, (*choices, Choice("s", STAY, "Stay", "Start nothing.")))


def other_run(ports: Ports, run: RunView, job_ids: Sequence[int], preset: str) -> StartRun | Refusal:
    """Return a run over the videos of these jobs, checked; it may take seconds.

    Its outputs go beside those of `run`, whose reports would else be replaced by those of a few videos.
    """
    found = ports.failed.sources(job_ids)
    if isinstance(found, Refusal):
        return found
    out = os.fsencode(f"{run.out}-{preset.replace('/', '-')}")
    return ports.planning.command(RunRequest(run.kind, found, out, preset))
