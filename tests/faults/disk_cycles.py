"""Fills and frees the output volume of one run again and again, with the real worker, and watches every final name.

    unshare -rm python disk_cycles.py FOLDER CYCLES SEED [SECONDS]

Prints one JSON object: the cycles, how often the run was paused and went on, and what was violated. Shared by the short
form (tests/faults/test_faults_surroundings.py) and the long one (tests/torture/disk_full.py).
"""

import json
import os
import random
import struct
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "torture"))

import engine_harness
from compare import differences
from engine_harness import Bench, Driven
from PIL import Image
from volumes import Volume

from pipeline.engine.ledger import Ledger
from pipeline.media.samples import Recipe, make_video
from pipeline.model import JobState, RunState
from pipeline.outputs.features import check_features
from pipeline.outputs.manifest import read_manifest
from pipeline.settings import Settings
from pipeline.snapshot import Snapshot

VIDEOS_A_CYCLE = (10, 80)
"""Of a few cycles, and of many: there must be something to do until the last."""
LONGEST_PAUSE_S = 1.0
CUT_BYTES = 48 << 10
"""Room that is often left, so that a file is cut in its middle: features and pictures of a video take as much."""
engine_harness.DEADLINE_S = 120.0


def options() -> Settings:
    """A preset without models that saves pictures too, and short pauses."""
    engine = {"workers": 2, "settle_s": 0, "retry_pause_s": 0.05, "retry_pause_max_s": LONGEST_PAUSE_S, "nice": 0}
    return Settings.model_validate(
        {"engine": engine | {"snapshot_hz": 30}, "embed": {"enabled": False}, "frames": {"save": "jpeg"}}
    )


def make_inputs(folder: Path, count: int) -> None:
    """Make small videos that differ: a few that are encoded, and copies with a box that says nothing."""
    shapes = (("red", "circle"), ("blue", "square"), ("yellow", "triangle"), ("green", "star"))
    first = [folder / f"{number:03}.mp4" for number in range(min(4, count))]
    for number, path in enumerate(first):
        turned = shapes[number:] + shapes[:number]
        make_video(folder, Recipe(path.name, turned[: 2 + number % 3], width=160, height=120, seconds=0.8))
    for number in range(len(first), count):
        text = f"copy {number}".encode()
        whole = first[number % len(first)].read_bytes()
        (folder / f"{number:03}.mp4").write_bytes(whole + struct.pack(">I4s", 8 + len(text), b"free") + text)


class Watcher:
    """Opens every file that has a final name as soon as it is there."""

    def __init__(self, out: Path) -> None:
        self.seen: set[Path] = set()
        self.wrong: list[str] = []
        self._out = out
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> None:
        """Look a last time at everything, and stop."""
        self._over.set()
        self._thread.join()
        self.seen.clear()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._look()

    def _look(self) -> None:
        for folder, folders, names in os.walk(self._out):
            folders[:] = [name for name in folders if not name.endswith(".part")]
            for path in (Path(folder, name) for name in names if not name.endswith(".part")):
                if path not in self.seen and path.name != "ballast":
                    self.seen.add(path)
                    self._check(path)

    def _check(self, path: Path) -> None:
        try:
            if path.suffix == ".h5":
                self.wrong += [f"{path.name}: {text}" for text in check_features(os.fsencode(path))]
            elif path.suffix == ".jpg":
                with Image.open(path) as picture:
                    picture.load()
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.name == "manifest.jsonl.gz":
                assert list(read_manifest(os.fsencode(self._out)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the file is not whole
            self.wrong.append(f"{path}: {error!r}")


class Cycles:
    """One run whose output volume is filled and freed."""

    def __init__(self, driven: Driven, volume: Volume, chance: random.Random) -> None:
        self._driven = driven
        self._volume = volume
        self._chance = chance
        self.paused = self.resumed = 0
        self.longest_s = 0.0

    def once(self) -> bool:
        """Fill the volume, see the run pause, free it, see the run go on; return whether there was a run to fill."""
        chance, driven, volume = self._chance, self._driven, self._volume
        time.sleep(chance.uniform(0, 0.3))  # a random moment of a job's life
        volume.fill(leave_bytes=chance.choice((0, chance.randrange(CUT_BYTES), chance.randrange(4 * CUT_BYTES))))
        while not self._is(RunState.PAUSED, within_s=2.0):
            if self._is(RunState.DONE, within_s=0):
                return False
            volume.fill()
        held = driven.until(lambda seen: seen.run and seen.run.state is not RunState.RUNNING).run
        assert held and "The output volume is full. Free space for" in held.paused_because, held
        self.paused += 1
        if chance.random() < 0.3:  # the little that is freed is not enough
            os.truncate(volume.store / "ballast", (volume.store / "ballast").stat().st_size - (64 << 10))
            assert not self._is(RunState.RUNNING, within_s=0.3), "goes on though there is hardly any room"
        volume.free()
        freed_s = time.monotonic()
        driven.until(lambda seen: seen.run and seen.run.state is not RunState.PAUSED, "the run to go on")
        self.longest_s = max(self.longest_s, time.monotonic() - freed_s)
        self.resumed += 1
        over = _over(driven.engine.latest())
        driven.until(lambda seen: _over(seen) > over or not _is_running(seen), "a video to be done")
        return True

    def _is(self, state: RunState, *, within_s: float) -> bool:
        end = time.monotonic() + within_s
        while True:
            run = self._driven.engine.latest().run
            if run is not None and run.state is state:
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(0.01)


def _over(snapshot: Snapshot) -> int:
    return snapshot.run.count(JobState.DONE) if snapshot.run else 0


def _is_running(snapshot: Snapshot) -> bool:
    return snapshot.run is not None and snapshot.run.state is RunState.RUNNING


def disturb(folder: Path, count: int, chance: random.Random, end_s: float) -> dict[str, Any]:
    """Run undisturbed, run with `count` cycles (fewer after `end_s` on the monotonic clock), compare; return facts."""
    calm, rough = Bench(_made(folder / "calm")), Bench(_made(folder / "rough"))
    videos = VIDEOS_A_CYCLE[count > 5] * count + 4
    make_inputs(calm.source, videos)
    rough.source.rmdir()
    rough.source = calm.source
    with calm.engine(options(), worker=None) as driven:
        driven.engine.send(calm.start(options()))
        driven.until_done()
    calm.oracle()
    volume = Volume(folder / "disk", rough.out, size=f"{max(3, videos // 4)}m")
    watcher = Watcher(rough.out)
    with rough.engine(options(), worker=None) as driven:
        cycles = Cycles(driven, volume, chance)
        try:
            driven.engine.send(rough.start(options()))
            driven.until(lambda seen: _over(seen) > 0)
            done = 0
            while done < count and time.monotonic() < end_s and cycles.once():
                done += 1
            volume.free()
            last = driven.until_done()
        finally:
            watcher.end()
    (volume.store / "ballast").unlink(missing_ok=True)
    rough.oracle()
    wrong = [f"half a file: {text}" for text in watcher.wrong]
    wrong += [f"{row.name} is {row.state} after {row.attempts} attempts" for row in last.jobs if _unlike_done(row)]
    wrong += differences(calm.out / "features", rough.out / "features")
    wrong += _pictures_differ(calm.out / "frames", rough.out / "frames")
    wrong += [] if cycles.longest_s < LONGEST_PAUSE_S + 5 else [f"a resumption took {cycles.longest_s:.1f} s"]
    return {
        "cycles": done,
        "paused": cycles.paused,
        "resumed": cycles.resumed,
        "half_files": len(watcher.wrong),
        "final_files_opened": len(watcher.seen),
        "videos": len(last.jobs),
        "attempts": dict(_outcomes(rough)),
        "longest_resumption_s": round(cycles.longest_s, 2),
        "violations": wrong,
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _unlike_done(row: Any) -> bool:
    return (row.state, row.attempts) != (JobState.DONE, 1)


def _pictures_differ(one: Path, other: Path) -> list[str]:
    names = {path.relative_to(one) for path in one.rglob("*.jpg")}
    others = {path.relative_to(other) for path in other.rglob("*.jpg")}
    differ = [name for name in names & others if (one / name).read_bytes() != (other / name).read_bytes()]
    return [f"pictures differ: {name}" for name in sorted({*(names ^ others), *differ})]


def _outcomes(bench: Bench) -> Counter[str]:
    ledger = Ledger(bench.state)
    try:
        return Counter(one["outcome"] for job in ledger.jobs(1) for one in ledger.attempts(job.job_id))
    finally:
        ledger.close()


def main() -> None:
    """Read the command line, do the cycles, print what came of them."""
    folder, count, seed, *seconds = sys.argv[1:]
    end_s = time.monotonic() + (float(seconds[0]) if seconds else 3600.0)
    print(json.dumps(disturb(Path(folder), int(count), random.Random(int(seed)), end_s)))


if __name__ == "__main__":
    main()
