"""Outputs of a real run, damaged by chance behind the ledger's back, and what must be true after `verify --redo`."""

import gzip
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import in_process
from compare import differences

from pipeline.media.samples import Recipe, make_video

SETTINGS = ("--set", "engine.settle_s=0", "--set", "frames.save=jpeg", "--preset", "scenes", "--workers", "2")
COLOURS = ("red", "blue", "yellow", "green", "purple", "orange", "cyan", "pink")
SHAPES = ("circle", "square", "triangle", "star", "heart", "ring", "cross", "arrow")
REPORTS = ("manifest.jsonl.gz", "failures.json", "run.json")
DEADLINE_S = 150.0
Look = tuple[int, int]
"""Inode and modification time."""


class Archive:
    """An output folder of the real program, and how it was when it was whole."""

    def __init__(self, folder: Path, *, videos: int) -> None:
        self.source, self.out, self.state = folder / "in", folder / "out", folder / "state"
        self.original, self.aside = folder / "original", folder / "aside"
        for number in range(videos):
            shapes = tuple((COLOURS[(number + n) % 8], SHAPES[(number + 3 * n) % 8]) for n in range(2))
            name = f"sub/{number}.mp4" if number % 3 == 1 else f"{number}.mp4"
            make_video(self.source, Recipe(name, shapes, width=160, height=120, seconds=0.8))
        _spoil(self.source / "0.mp4")
        (self.source / "text.mp4").write_text("not a video")
        done = self.vconsole("extract", self.source, "--out", self.out, *SETTINGS)
        assert done.returncode == 1, done.stdout + done.stderr
        shutil.copytree(self.out, self.original)

    def vconsole(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a command line of the program to its end, in this process."""
        before = os.environ.get("VCONSOLE_STATE_DIR", "")
        os.environ["VCONSOLE_STATE_DIR"] = str(self.state)
        try:
            return in_process.vconsole(*arguments)
        finally:
            os.environ["VCONSOLE_STATE_DIR"] = before

    def verify(self, *options: str) -> tuple[int, list[dict[str, Any]]]:
        """Return the exit code of `verify --deep --json` and the objects it told."""
        done = self.vconsole("verify", self.out, "--deep", "--json", *options)
        assert not done.stderr, done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def keep_reports(self) -> None:
        """Take the reports that are there now for the original ones: another run has ended well."""
        for name in REPORTS:
            shutil.copyfile(self.out / name, self.original / name)

    def looks(self) -> dict[str, Look]:
        """Return inode and modification time of every output."""
        return {self._name(path): _look(path) for path in self.out.rglob("*") if path.is_file()}

    def targets(self) -> dict[str, list[Path]]:
        """Return every output there is, by what belongs together: a video's feature file and pictures, a report."""
        found = {name: [self.out / name] for name in REPORTS}
        for path in sorted((self.out / "features").rglob("*.h5")):
            video = str(path.relative_to(self.out / "features"))[:-3]
            folder = self.out / "frames" / video
            found[video] = [path, *sorted(folder.iterdir()), folder]
        return found

    def broken(self, damaged: dict[str, Path], before: dict[str, Look]) -> Iterator[str]:
        """Yield what is not as it must be once everything was done again; `damaged` are the targets by owner."""
        yield from differences(self.original / "features", self.out / "features")
        for path in sorted(self.original.rglob("*")):
            other = self.out / path.relative_to(self.original)
            if path.suffix == ".jpg" and path.read_bytes() != (other.read_bytes() if other.is_file() else b""):
                yield f"{other} is another picture"
        for name in REPORTS:
            if _said(self.original / name) != _said(self.out / name):
                yield f"{name} says something else"
        after = self.looks()
        if before.keys() != after.keys():
            yield f"files too many or too few: {before.keys() ^ after.keys()}"
        for name in before.keys() & after.keys():
            if not self._may_change(name, damaged) and before[name] != after[name]:
                yield f"{name} was written again though it was whole"
        yield from (f"temporary file left: {path}" for path in self.out.rglob("*.part"))

    def _may_change(self, name: str, damaged: dict[str, Path]) -> bool:
        if name in REPORTS:
            return name in damaged or "run.json" in damaged
        kind, _, rest = name.partition("/")
        video = rest.removesuffix(".h5") if kind == "features" else os.path.dirname(rest)
        if video not in damaged:
            return False
        whole_features = not self._name(damaged[video]).startswith("features/")
        return not (kind == "features" and whole_features)

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.out))


class Vandal:
    """Damages outputs by chance."""

    def __init__(self, archive: Archive, chance: random.Random) -> None:
        self._archive, self._chance = archive, chance
        self.told: list[str] = []
        """What was done, for the log of a failure."""

    def strike(self, count: int) -> dict[str, Path]:
        """Damage `count` outputs of different videos, or reports; return the damaged paths by owner."""
        targets = self._archive.targets()
        owners = self._chance.sample(sorted(targets), min(count, len(targets)))
        return {owner: self._damage(self._chance.choice(targets[owner]), targets) for owner in owners}

    def _damage(self, path: Path, targets: dict[str, list[Path]]) -> Path:
        ways: dict[str, Callable[[], None]] = {
            "removed": lambda: self._remove(path),
            "made a link": lambda: self._make_link(path),
        }
        if path.is_dir():
            ways["made a file"] = lambda: _make_file(path)
        else:
            ways["cut"] = lambda: os.truncate(path, self._chance.randrange(path.stat().st_size))
            ways["emptied"] = lambda: os.truncate(path, 0)
            ways["flipped"] = lambda: self._flip(path)
            ways["made a folder"] = lambda: _make_folder(path)
            peers = [one for paths in targets.values() for one in paths if one != path and one.suffix == path.suffix]
            peers = [one for one in peers if one.is_file() and one.read_bytes() != path.read_bytes()]
            if peers:
                peer = self._chance.choice(peers)
                ways["replaced"] = lambda: shutil.copyfile(peer, path) and None
            siblings = [one for one in peers if one.parent == path.parent and path.suffix == ".jpg"]
            if siblings:
                sibling = self._chance.choice(siblings)
                ways["swapped"] = lambda: _swap(path, sibling)
        way, status = self._chance.choice(sorted(ways)), os.stat(path)
        ways[way]()
        put_back = self._chance.random() < 0.5 and path.is_file() and not path.is_symlink()
        if put_back:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.told.append(f"{path.relative_to(self._archive.out)} {way}{', time put back' if put_back else ''}")
        return path

    def _flip(self, path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        with path.open("r+b") as file:
            file.write(data)

    def _remove(self, path: Path) -> None:
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _make_link(self, path: Path) -> None:
        self._archive.aside.mkdir(exist_ok=True)
        moved = self._archive.aside / f"{len(list(self._archive.aside.iterdir()))}"
        path.rename(moved)
        path.symlink_to(moved)


def unnoticed(damaged: dict[str, Path], archive: Archive, objects: list[dict[str, Any]]) -> list[str]:
    """Return the damaged outputs that no finding names, themselves or their folder of pictures."""
    found = {archive.out / entry["path"] for entry in objects if entry["event"] == "finding"}
    unseen = []
    for path in damaged.values():
        inside = any(one.parent == path for one in found)
        vouched = path.name in REPORTS and archive.out / "run.json" in found
        if not (found & {path, path.parent} or inside or vouched):
            unseen.append(str(path))
    return unseen


def round_of(archive: Archive, vandal: Vandal, count: int) -> tuple[int, list[str]]:
    """Damage `count` outputs, have them found and done again; return how many, and everything that went wrong."""
    before = archive.looks()
    vandal.told.clear()
    damaged = vandal.strike(count)
    code, objects = archive.verify("--redo")
    wrong = [f"not found: {name}" for name in unnoticed(damaged, archive, objects)]
    wrong += [f"exit code {code}: {objects[-1]}"] if code else []
    wrong += archive.broken(damaged, before)
    return len(damaged), [f"{text} ({'; '.join(vandal.told)})" for text in wrong]


def _spoil(path: Path) -> None:
    """Make the middle of a video unreadable, so that its output is a partial one."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    path.write_bytes(data)


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _make_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("a file")


def _swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _look(path: Path) -> Look:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _said(path: Path) -> Any:
    """Return what a report says, but for what a report that is written later says otherwise."""
    if path.name == "manifest.jsonl.gz":
        return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    said = json.loads(path.read_bytes())
    if path.name == "run.json":
        for name in ("machine", "ended_utc", "sha256"):
            del said[name]
        del said["totals"]["wall_s"]
    return said
