"""A million files with names that break programs: the scan stays live, can be cancelled, goes on, and loses no name.

    python tests/torture/scan.py [--seed N] [--seconds S] [--files N] [--folder DIR]

A third of the files lies in one folder. At a random moment the run is cancelled, and resumed once it is over; the last
tenth of the time ends it wherever it is, and the verdict says how far it got.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from crowd import Watch, make, names, share
from engine_harness import FAKE_WORKER, Bench, settings
from form import begin

from pipeline.commands import CancelRun, ResumeRun
from pipeline.engine import Engine
from pipeline.engine.store import LEDGER_NAME
from pipeline.model import TERMINAL, JobState, RunState
from pipeline.snapshot import Snapshot

LIVE_S = 2.0
"""How old a snapshot, or how late the console's thread, may be."""
MANY = 20_000
"""With fewer files a scan may be over before a worker has started."""
CANCEL_S = 3.0
"""How soon discovery must have ended after a cancel."""


def rss_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait(engine: Engine, holds: Callable[[Snapshot], Any], left_s: Callable[[], float]) -> bool:
    """Wait until a snapshot is as asked for; False if the time is over first."""
    while left_s() > 0:
        snapshot = engine.latest()
        assert not snapshot.fatal, snapshot.fatal
        if holds(snapshot):
            return True
        time.sleep(0.02)
    return False


def cancel(engine: Engine, bench: Bench) -> float:
    """Cancel the run; return how many seconds later no thread of it walked any more."""
    run = engine.latest().run
    assert run
    begun_s = time.monotonic()
    engine.send(CancelRun(run.run_id))
    while any(thread.name == "discovery" for thread in threading.enumerate()):
        time.sleep(0.005)
    took_s = time.monotonic() - begun_s
    report = bench.out / "run.json"
    while not (report.exists() and json.loads(report.read_text())["state"] == "cancelled"):
        time.sleep(0.05)
    return took_s


def states(made: int, snapshot: Snapshot, *, whole: bool) -> list[str]:
    """Return what is wrong with the rows of the last snapshot."""
    assert snapshot.run
    shown = {os.fsencode(row.name) for row in snapshot.jobs}
    bad = [] if len(shown) == len(snapshot.jobs) else ["two rows have one name"]
    expected = {path for path, _ in names(made)}
    bad += [f"{len(shown - expected)} rows of no file"] if shown - expected else []
    if whole:
        bad += [f"{len(expected - shown)} files have no row"] if expected - shown else []
        bad += [f"{state} in the end: {count}" for state, count in snapshot.run.counts if state not in TERMINAL]
    return bad


def main() -> None:
    """Make the files, scan them, cancel and resume; print the verdict."""
    form = begin(
        __doc__,
        seconds=900,
        add=lambda parser: (
            parser.add_argument("--files", type=int, default=1_000_000),
            parser.add_argument("--folder", type=Path, help="where to make them; /dev/shm is quick"),
        ),
    )
    with tempfile.TemporaryDirectory(dir=form.options.folder, prefix="vconsole-scan-") as name:
        bench = Bench(Path(name))
        made = make(os.fsencode(bench.source), form.options.files, left_s=form.left_s / 4)
        form.say(made=made)
        end_s = form.options.seconds / 10
        options = settings(snapshot_hz=5)
        engine = Engine(options, state_dir=bench.state, worker_command=FAKE_WORKER)
        engine.start()
        before, begun_s, spans = rss_bytes(), time.monotonic(), {"walked_s": 0.0}
        left = lambda: form.left_s - end_s  # noqa: E731 - the one clock of this form
        bad: list[str] = []
        with Watch(engine) as watch:
            engine.send(bench.start(options))
            if wait(engine, lambda one: one.run and one.run.count(JobState.DONE), left):
                spans["first_result_s"] = time.monotonic() - begun_s
                if made >= MANY and not engine.latest().run.discovering:  # type: ignore[union-attr]
                    bad.append("no work was done before the scan was over")
            moment = form.chance.uniform(0.2, 0.8) * made
            wait(engine, lambda one: one.run and one.run.total > moment, left)
            cancelled_at = engine.latest().run.total  # type: ignore[union-attr]
            spans["walked_s"] = time.monotonic() - begun_s
            cancel_s = cancel(engine, bench)
            engine.send(ResumeRun(1))
            begun_s = time.monotonic()
            wait(
                engine, lambda one: one.run and one.run.state is RunState.RUNNING and one.run.total > cancelled_at, left
            )
            whole = wait(engine, lambda one: one.run and one.run.state is RunState.DONE, left)
            spans["resumed_to_end_s"] = time.monotonic() - begun_s
        last = engine.latest()
        held = rss_bytes() - before
        engine.close()
        assert last.run
        bad += states(made, last, whole=whole)
        bench.oracle()
        bad += [f"a snapshot was {age:.1f} s old" for age in [share(watch.gaps_s, 1.0)] if age > LIVE_S]
        bad += [f"the console's thread was {late:.1f} s late" for late in [share(watch.late_s, 1.0)] if late > LIVE_S]
        bad += [f"a cancel took {cancel_s:.1f} s"] if cancel_s > CANCEL_S else []
        form.end(
            bad,
            made=made,
            whole=whole,
            rows=last.run.total,
            **{key: round(value, 2) for key, value in spans.items()},
            rows_per_s=round(cancelled_at / spans["walked_s"]),
            cancelled_at=cancelled_at,
            cancel_s=round(cancel_s, 3),
            snapshot_age_p99_s=round(share(watch.gaps_s, 0.99), 3),
            snapshot_age_max_s=round(share(watch.gaps_s, 1.0), 3),
            late_p99_s=round(share(watch.late_s, 0.99), 3),
            late_max_s=round(share(watch.late_s, 1.0), 3),
            bytes_per_row=round(held / max(1, last.run.total)),
            ledger_bytes_per_row=round((bench.state / LEDGER_NAME).stat().st_size / max(1, last.run.total)),
        )


if __name__ == "__main__":
    main()
