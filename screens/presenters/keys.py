"""What the keys of the monitor are called while the run is as it is."""

from pipeline.model import BAD, RunState
from pipeline.snapshot import Snapshot
from screens.presenters.header import interrupted, is_live

_HELD = frozenset({RunState.PAUSED, RunState.DRAINING})


def key_labels(snapshot: Snapshot) -> dict[str, str]:
    """Return the labels that differ from those of the registry, by action; empty = it would do nothing now."""
    run = snapshot.run
    labels: dict[str, str] = {}
    if run is None or not is_live(run):
        labels |= {"run.pause": "", "run.cancel": "", "run.drain": "", "run.fewer-workers": "", "run.more-workers": ""}
    elif run.state in _HELD:
        labels["run.pause"] = "go on"
    if run is None or not run.count(*BAD):
        labels |= {"run.retry": "", "run.retry-all": ""}
    if is_live(run) or (interrupted(snapshot) is None and (run is None or run.state is not RunState.INTERRUPTED)):
        labels["run.resume"] = ""
    if not snapshot.jobs:
        labels |= dict.fromkeys(("queue.filter", "queue.next", "queue.previous", "queue.sort", "list.details"), "")
    return labels
