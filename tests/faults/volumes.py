"""Volumes that can be filled, freed, unmounted and mounted again: what the tests of the surroundings are made of.

They are tmpfs, so that whoever uses them must be alone in a mount namespace: `unshare -rm`, see `in_namespace`.
"""

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

CHUNKS = (1 << 20, 4096)
"""The most and the least that is written at once while a volume is filled."""


class Volume:
    """A tmpfs that keeps its content while it is not mounted at `path`: it is mounted elsewhere too."""

    def __init__(self, store: Path, path: Path, *, size: str = "64m") -> None:
        self.store, self.path = store, path
        for folder in (store, path):
            folder.mkdir(parents=True, exist_ok=True)
        call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(store))
        self.mount()

    def mount(self) -> None:
        """Mount it."""
        call("mount", "--bind", str(self.store), str(self.path))

    def unmount(self) -> None:
        """Take it away, whoever uses it."""
        call("umount", "-l", str(self.path))

    def renew(self) -> None:
        """Replace what is mounted by a volume of another number with the same content, as some systems do."""
        other = self.store.with_name(self.store.name + "+")
        other.mkdir()
        call("mount", "-t", "tmpfs", "tmpfs", str(other))
        subprocess.run(["cp", "-a", f"{self.store}/.", str(other)], check=True)
        self.store = other

    def refuse(self) -> None:
        """Make it read-only."""
        call("mount", "-o", "remount,ro,bind", str(self.path))

    def accept(self) -> None:
        """Make it writable again."""
        call("mount", "-o", "remount,rw,bind", str(self.path))

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Fill it but for `leave_bytes`, in whole pages."""
        with suppress(OSError), open(self.store / "ballast", "ab", buffering=0) as file:
            while (room := shutil.disk_usage(self.store).free - leave_bytes) > 0:
                file.write(b"\1" * min(CHUNKS[0], max(CHUNKS[1], room // 2)))

    def free(self) -> None:
        """Give the room back."""
        (self.store / "ballast").unlink(missing_ok=True)


def call(*command: str) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def in_namespace(program: Path, *arguments: str, timeout_s: float = 150.0) -> str:
    """Run a Python program alone in a mount namespace, where it is root; return what it said. It must succeed."""
    command = ["unshare", "-rm", sys.executable, str(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    return done.stdout


def why_not() -> str:
    """Return why no volume can be mounted here, empty if they can."""
    if not shutil.which("unshare"):
        return "unshare is not there"
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
    done = subprocess.run(command, capture_output=True, check=False)
    return "" if done.returncode == 0 else "no mount namespace can be had here"
