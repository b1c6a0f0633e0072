"""A volume of inputs that vanishes during a scan, for real: to be run by `unshare -rm` in a mount namespace of its own.

    unshare -rm python vanishing.py FOLDER FILES MOMENT

MOMENT is `scan` (unmounted while its scan goes on), `nested` (the same, of a volume mounted below the input),
or `resume` (away when its run is resumed). Prints the states that an operator saw, as JSON.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from engine_harness import Bench, Driven, settings

from pipeline.commands import ResumeRun
from pipeline.engine.reader import LedgerReader
from pipeline.model import RunState
from pipeline.snapshot import Snapshot


def mount(volume: Path, point: Path) -> None:
    """Show a tmpfs at another place; a lazy unmount of that place leaves the files where they are."""
    subprocess.run(["mount", "--bind", volume, point], check=True)


def unmount(point: Path) -> None:
    """Take a volume away though files of it are open."""
    subprocess.run(["umount", "-l", point], check=True)


def held(snapshot: Snapshot) -> bool:
    """Whether the run waits for the volume and says so."""
    run = snapshot.run
    return run is not None and run.state is RunState.PAUSED and "is gone. Mount it again" in run.paused_because


def discovered(bench: Bench) -> bool:
    """Whether the ledger has it that all inputs were seen."""
    with LedgerReader.read_only(bench.state) as ledger:
        run = ledger.run(1)
    assert run
    return run.discovered


def vanish(driven: Driven, bench: Bench, volume: Path, point: Path, files: int) -> None:
    """Take the volume away during the scan, see the run held with its jobs, bring the volume back."""
    driven.until(lambda snapshot: snapshot.run and snapshot.run.total > files // 20, "the scan to go on")
    unmount(point)
    snapshot = driven.until(held, "the hold")
    assert snapshot.run
    assert snapshot.run.discovering
    assert snapshot.run.total < files
    assert not discovered(bench)
    print(json.dumps({"held_at": snapshot.run.total, "because": snapshot.run.paused_because}), flush=True)
    mount(volume, point)


def main() -> None:
    folder, files, moment = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    volume = folder / "volume"
    volume.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "vanishing", volume], check=True)
    bench = Bench(folder)
    point = bench.source / "below" if moment == "nested" else bench.source
    point.mkdir(exist_ok=True)
    mount(volume, point)
    for number in range(files):
        path = volume / f"{number // 100:04}" / f"{number:06}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"done\n{number}\n")
    options = settings(scan_batch=20)
    with bench.engine(options) as driven:
        driven.engine.send(bench.start(options))
        if moment == "resume":
            driven.until(lambda snapshot: snapshot.run and snapshot.run.total > files // 20, "the scan to go on")
        else:
            vanish(driven, bench, volume, point, files)
            driven.until_done()
    if moment == "resume":
        unmount(point)
        with bench.engine(options) as driven:
            driven.engine.send(ResumeRun(1))
            snapshot = driven.until(held, "the hold")
            print(json.dumps({"because": snapshot.run.paused_because if snapshot.run else ""}), flush=True)
            assert not discovered(bench)
            mount(volume, point)
            driven.until_done()
    assert discovered(bench)
    counts = bench.oracle()
    with LedgerReader.read_only(bench.state) as ledger:
        attempts = {job.attempts for job in ledger.jobs(1)}
    print(json.dumps({"attempts": sorted(attempts), **{str(state): count for state, count in counts.items()}}))


if __name__ == "__main__":
    main()
