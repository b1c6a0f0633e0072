"""The volumes that a run reads from and writes to: where they were when it began, and whether they still stand.

A volume that is unmounted leaves its mount point behind, an empty folder on another device: nothing may be written
there, and no file may be taken for deleted because of it. All of this may wait for a disk: not for the loop.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import SCARCE
from pipeline.identity import device_of


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder that a run needs, and where it was when it last stood."""

    path: bytes
    filled: bool = False
    """Whether the run knows of something in it."""
    device: int = 0
    """Device number of the folder, 0 if it has not been seen to stand."""
    mount: bytes = b""
    """Where the file system that holds it is mounted, empty if it has not been seen to stand."""


def volume_gone(path: bytes, device: int = 0, *, filled: bool = False) -> str:
    """Return why the folder `path` counts as gone with its volume, empty if it stands.

    `device` is the device number it had when the run began, 0 if that is not known, as after a restart of the machine;
    then an empty folder is held against it if the run knows of something in it (`filled`).
    """
    try:
        now = device_of(path)
        empty = filled and not device and _is_empty(path)
    except OSError as error:
        return "" if error.errno in SCARCE else os.strerror(error.errno or 0)
    if device and now != device:
        return "another volume is there, or none"
    return "it is empty, and was not" if empty else ""


def look_again(volume: Volume) -> Volume | None:
    """Return the volume as it stands now, None if it is gone.

    One that was mounted again may have another device number; it must be mounted where it was, and hold something
    if it did.
    """
    stands = not volume_gone(volume.path, volume.device, filled=volume.filled)
    if stands and volume.device:
        return volume
    try:
        now = Volume(volume.path, volume.filled, device_of(volume.path), _mount_of(volume.path))
        back = stands or (now.mount == volume.mount and not (volume.filled and _is_empty(volume.path)))
    except OSError:
        return None
    return now if back else None


def folders_read(inputs: Sequence[bytes]) -> list[Volume]:
    """Return the folders that must stand while `inputs` are read, each `filled` if there is something in it.

    Those are the folders among the inputs, the folders of the files among them, and what is mounted below them.
    """
    paths = [os.path.abspath(path) for path in inputs]
    roots = dict.fromkeys(os.path.dirname(path) if os.path.isfile(path) else path for path in paths)
    folders = dict.fromkeys([*roots, *(point for root in roots for point in _mounted_below(root))])
    return [Volume(path, filled=not volume_gone(path, filled=True)) for path in folders]


def _is_empty(path: bytes) -> bool:
    with os.scandir(path) as listing:
        return next(listing, None) is None


def _mount_of(path: bytes) -> bytes:
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def _mounted_below(root: bytes) -> list[bytes]:
    """Return the mount points below a folder; none where the system does not tell."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    points = (line.split(b" ")[4].decode("unicode_escape").encode("latin-1") for line in lines)
    return [point for point in points if point.startswith(root.rstrip(b"/") + b"/")]
