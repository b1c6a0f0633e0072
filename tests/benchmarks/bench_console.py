"""Measures what the console costs its operator and its run, through a terminal of its own.

    python tests/benchmarks/bench_console.py busy|paint|bytes|jobs|stall [--seconds 60] [--jobs 100000]

busy   while every worker decodes: lag of the event loop (p99, target 50 ms), keypress to repaint (p95, 100 ms)
paint  first useful paint of `vconsole` over that of an empty Textual app (target 1.5), medians of alternating starts
bytes  bytes a second to a terminal of 120x40, busy (target 15 KiB/s), idle with live gauges, and unchanged (300 B/s)
jobs   with 100,000 jobs: time from a key to the last byte of its answer (target 100 ms), memory over an empty queue
stall  a terminal that stops reading for `--seconds` in mid-run: rate, memory, and the screen afterwards

Each prints one JSON object with the load of the machine; on a loaded one only the ratios mean much.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "console"))

from pty_terminal import Terminal, until

HERE = Path(__file__).resolve()
WIDE = (120, 40)
MARK = "▌"
EMPTY_APP = (
    "from textual.app import App; a = type('Empty', (App,), {'on_mount': lambda s: s.set_interval(9, s.bell)})()"
)
TICK_S = 0.01


def percentile(values: list[float], share: float) -> float:
    """Return the value that `share` of them stay below, in milliseconds."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3, 1) if ordered else -1.0


# The program under measurement


async def probe(lags: list[float]) -> None:
    """Note how late the loop wakes."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK_S)
        lags.append(time.perf_counter() - before - TICK_S)


async def photograph(app: Any, pictures: dict[str, Any]) -> None:
    """Note now and then what is on the app's screen."""
    while True:
        await asyncio.sleep(20 * TICK_S)
        if app.screen_stack:
            pictures["rows"] = [strip.text for strip in app.screen._compositor.render_strips()]


def child(arguments: argparse.Namespace) -> None:
    """Be the console over a real run, or over a scripted engine with many jobs; tell of it each half second."""
    from console_script import app_over

    from pipeline.settings import Settings, with_preset

    settings = Settings.model_validate({"engine": {"settle_s": 0, "workers": os.cpu_count()}})
    if arguments.videos:
        from pipeline.commands import StartRun
        from pipeline.engine import Engine
        from pipeline.model import RunKind

        state = Path(os.environ["VCONSOLE_STATE_DIR"])
        engine: Any = Engine(settings, state_dir=state)
        engine.start()
        inputs, out = (os.fsencode(arguments.videos),), os.fsencode(state / "out")
        engine.send(StartRun(RunKind.EXTRACT, inputs, out, "scenes", with_preset(settings, "scenes")))
    else:
        engine = scripted(arguments.jobs)
    app = app_over(engine, settings=settings)
    lags: list[float] = []
    pictures: dict[str, Any] = {}
    threading.Thread(target=tell, args=(engine, lags, pictures, arguments.report), daemon=True).start()

    async def both() -> None:
        beside = [asyncio.create_task(probe(lags))]
        beside += [asyncio.create_task(photograph(app, pictures))] if arguments.pictures else []
        await app.run_async()
        for task in beside:
            task.cancel()

    asyncio.run(both())
    engine.close(now=True)


def scripted(jobs: int) -> Any:
    """Return an engine that holds this many jobs still."""
    from console_script import ScriptedEngine, busy, job, run_view

    from pipeline.model import JobState, Stage
    from pipeline.rows import Rows
    from pipeline.snapshot import Snapshot

    if not jobs:
        return ScriptedEngine()
    states = (JobState.DONE, JobState.DONE, JobState.QUEUED, JobState.QUEUED, JobState.FAILED)
    rows = [
        job(i, states[i % 5], name=f"folder-{i % 97:02}/video-{i:06}.mp4", duration_s=float(i * 7919 % 5000))
        for i in range(jobs)
    ]
    rows[3] = job(3, JobState.RUNNING, stage=Stage.SCENES, progress=0.4, rate=9.0)
    mid = busy()
    run = run_view(tuple(rows))
    return ScriptedEngine(Snapshot(1, mid.taken_s, run, Rows.of(rows), mid.failures, mid.stages, machine=mid.machine))


def tell(engine: Any, lags: list[float], pictures: dict[str, Any], report: int) -> None:
    """Write what is known to a descriptor, in a thread: the app's loop may stand still."""
    while True:
        time.sleep(0.5)
        run = engine.latest().run
        told, lags[:] = list(lags), []
        done = sum(number for state, number in run.counts if state in {"done", "partial"}) if run else 0
        rate, total = (run.video_s_per_s, run.total) if run else (0.0, 0)
        line = {"at": time.monotonic(), "lags": told, "done": done, "rate": rate, "total": total, **pictures}
        try:
            os.write(report, (json.dumps(line) + "\n").encode())
        except OSError:
            return


# The measurements


class Console(Terminal):
    """The console in a terminal, with what its child tells."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__([str(HERE), "--child", *options], *WIDE, state=folder / "state")
        self.lines_told: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with os.fdopen(os.dup(self.told)) as told:
            for line in told:
                self.lines_told.append(json.loads(line))

    @property
    def newest(self) -> dict[str, Any]:
        """What the child told last."""
        return self.lines_told[-1] if self.lines_told else {"done": 0, "total": 0}


@contextmanager
def over_a_run(folder: Path, seconds: float, *options: str) -> Iterator[Console]:
    """Open the console over an extraction that lasts, and wait until its first video is done."""
    from console_program import make_videos  # it imports a codec, which the program under measurement must not

    videos = make_videos(folder / "videos", count=int(60 + seconds * 6))
    console = Console(folder, "--videos", str(videos), *options)
    try:
        until(
            lambda: console.newest["done"] > 0 or console.process.poll() is not None, 120, "a first video that is done"
        )
        assert console.process.poll() is None, "\n".join(console.rows())
        yield console
    finally:
        console.close()


def busy(folder: Path, seconds: float) -> dict[str, Any]:
    """Measure lag and keys while workers decode."""
    with over_a_run(folder, seconds) as console:
        for _ in range(8):
            console.press("j")
        time.sleep(2)
        first, begun_s = len(console.lines_told), time.monotonic()
        waits, missed, key = [], 0, "j"
        while time.monotonic() - begun_s < seconds:
            time.sleep(random.uniform(0.05, 0.3))
            key = "k" if key == "j" else "j"
            at_s = console.press(key)
            answer = console.seen(MARK, since_s=at_s, limit_s=3)
            waits += [answer - at_s] if answer else []
            missed += answer is None
        lags = [lag for line in console.lines_told[first:] for lag in line["lags"]]
        done = console.newest["done"]
        assert done < console.newest["total"], "the run was over too early"
        return {
            "lag_p50_ms": percentile(lags, 0.5),
            "lag_p99_ms": percentile(lags, 0.99),
            "lag_max_ms": percentile(lags, 1),
            "keys": len(waits),
            "keys_unanswered": missed,
            "key_p50_ms": percentile(waits, 0.5),
            "key_p95_ms": percentile(waits, 0.95),
            "key_max_ms": percentile(waits, 1),
            "videos_done": done,
        }


def paint(folder: Path, starts: int) -> dict[str, Any]:
    """Measure first useful paints, each beside that of an empty app; the modules are compiled, as an installer does."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    empty, ours = [], []
    for number in range(starts + 1):
        for command, text, times in (
            (["-c", f"{EMPTY_APP}; a.run()"], "\x1b[38", empty),
            (["-m", "vconsole"], "[1] queue", ours),
        ):
            terminal = Terminal(command, *WIDE, state=folder / f"state-{number}", env=compiled)
            seen = terminal.seen(text, limit_s=60)
            assert seen is not None, terminal.rows()
            if number:  # the first start compiles
                times.append(seen - terminal.begun_s)
            terminal.close()
    ratios = [one / other for one, other in zip(ours, empty, strict=True)]
    return {
        "empty_ms": percentile(empty, 0.5),
        "console_ms": percentile(ours, 0.5),
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
    }


def bytes_per_s(folder: Path, seconds: float) -> dict[str, Any]:
    """Measure what goes over the wire."""
    told: dict[str, Any] = {}

    def measure(console: Terminal) -> int:
        time.sleep(5)
        begun_s = time.monotonic()
        time.sleep(seconds)
        return round(console.written(begun_s, time.monotonic()) / seconds)

    with over_a_run(folder, seconds) as console:
        told["busy_bytes_per_s"] = measure(console)
        assert console.newest["done"] < console.newest["total"], "the run was over too early"
    for name, command in (("idle_with_gauges", ["-m", "vconsole"]), ("unchanged", [str(HERE), "--child"])):
        terminal = Terminal(command, *WIDE, state=folder / name)
        assert terminal.seen("[1] queue") is not None
        told[f"{name}_bytes_per_s"] = measure(terminal)
        terminal.close()
    return told


def many_jobs(folder: Path, jobs: int) -> dict[str, Any]:
    """Measure keys over a long queue, and its memory."""
    told: dict[str, Any] = {"jobs": jobs}
    memory = {}
    for number in (0, jobs):
        console = Console(folder, "--jobs", str(number))
        assert console.seen("[1] queue", limit_s=60) is not None
        time.sleep(2)
        if number:
            told |= {f"{name}_ms": keys(console, typed) for name, typed in KEYS.items()}
        memory[number] = console.rss_mb()
        console.close()
    return {**told, "memory_grown_mb": round(memory[jobs] - memory[0], 1)}


# The last key of the filter is Esc as terminals with the Kitty protocol send it; for a lone one Textual waits 0.1 s.
KEYS = {
    "scroll": ["j", "j", "\x1b[6~", "\x1b[6~", "G", "k", "\x1b[5~", "g"] * 3,
    "filter": ["/", *"video-0999", *("\x7f" * 10), *"failed", "\r", "\x1b[27u"],
    "sort": ["o"] * 10,
}


def keys(console: Terminal, typed: list[str]) -> dict[str, float | str]:
    """Return the middle and the worst time from a key to the last byte of its answer, and the CPU time of a key."""
    waits, slowest, before_s = [], "", console.cpu_s()
    for key in typed:
        at_s = console.press(key)
        answer = console.settled(at_s)
        if answer:
            slowest = slowest if waits and answer - at_s < max(waits) else key
            waits.append(answer - at_s)
    cpu_ms = round((console.cpu_s() - before_s) * 1e3 / len(typed), 1)
    return {
        "p50": percentile(waits, 0.5),
        "max": percentile(waits, 1),
        "max_of": repr(slowest),
        "cpu": cpu_ms,
        "unanswered": len(typed) - len(waits),
    }


def stall(folder: Path, seconds: float) -> dict[str, Any]:
    """Measure a run whose terminal stops reading."""

    def rate_over(console: Console, wanted_s: float) -> float:
        begun_s, before = time.monotonic(), console.newest["done"]
        time.sleep(wanted_s)
        return round((console.newest["done"] - before) / (time.monotonic() - begun_s), 2)

    with over_a_run(folder, 2 * seconds + 30, "--pictures") as console:
        rates = {"before": rate_over(console, seconds / 2)}
        memory = [console.rss_mb()]
        console.reads.clear()
        rates["stalled"] = rate_over(console, seconds)
        memory.append(console.rss_mb())
        blocked = not any(line["lags"] for line in console.lines_told[-4:])
        console.reads.set()
        resumed_s = time.monotonic()
        until(lambda: console.newest.get("rows") == console.rows(), 30, "the screen that the console means to show")
        right_s = time.monotonic() - resumed_s
        rates["after"] = rate_over(console, seconds / 2)
        memory.append(console.rss_mb())
        assert console.newest["done"] < console.newest["total"], "the run was over too early"
        return {
            "videos_per_s": rates,
            "stalled_over_mean_of_before_and_after": round(
                2 * rates["stalled"] / (rates["before"] + rates["after"]), 2
            ),
            "memory_mb": [round(one, 1) for one in memory],
            "loop_stood_still": blocked,
            "screen_right_after_s": round(right_s, 2),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("busy", "paint", "bytes", "jobs", "stall"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--videos", help=argparse.SUPPRESS)
    parser.add_argument("--pictures", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--report", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return
    with tempfile.TemporaryDirectory() as name:
        folder, load = Path(name), os.getloadavg()[0]
        measured = {
            "busy": lambda: busy(folder, arguments.seconds),
            "paint": lambda: paint(folder, arguments.starts),
            "bytes": lambda: bytes_per_s(folder, arguments.seconds),
            "jobs": lambda: many_jobs(folder, arguments.jobs or 100_000),
            "stall": lambda: stall(folder, arguments.seconds),
        }[arguments.what]()
        figures = {**measured, "load_before": round(load, 1), "load_after": round(os.getloadavg()[0], 1)}
        sys.stdout.write(json.dumps({arguments.what: figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
