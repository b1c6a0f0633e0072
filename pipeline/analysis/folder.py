"""The feature files below a folder, by their names alone: none is opened."""

import os
from dataclasses import dataclass

from pipeline.errors import SettingsError
from pipeline.outputs.paths import FEATURES, PART

ENDING = b".h5"


@dataclass(frozen=True, slots=True)
class Folder:
    """Feature files below one folder."""

    out: bytes
    """The folder that was named: what is made of them lies here."""
    top: bytes
    """The folder that names are relative to: `out/features` where there is one."""
    names: tuple[bytes, ...]
    """Paths of the feature files below `top`, sorted."""

    def path(self, name: bytes) -> bytes:
        """Return the path of a feature file."""
        return os.path.join(self.top, name)


def folder_of(out: bytes) -> Folder:
    """Return the feature files of an output folder, or of any folder that holds some. Raises SettingsError."""
    inside = os.path.join(out, FEATURES)
    top = inside if os.path.isdir(inside) else out
    if not os.path.isdir(top):
        raise SettingsError(f"there is no folder {os.fsdecode(out)}", remedy="Name the --out of an extract run.")
    names = sorted(
        os.path.relpath(os.path.join(at, name), top)
        for at, _, files in os.walk(top)
        for name in files
        if name.endswith(ENDING) and not PART.fullmatch(name)
    )
    if not names:
        raise SettingsError(
            f"{os.fsdecode(out)} holds no feature files", remedy="Name the --out of an extract run that is done."
        )
    return Folder(out, top, tuple(names))
