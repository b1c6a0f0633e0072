"""Whether two runs gave the same results: integers and text exactly, floats within 1e-5."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

TOLERANCE = 1e-5
TIMES = {"created_utc", "vconsole_version"}


def differences(expected: Path, got: Path) -> list[str]:
    """Return where the feature files below two folders differ."""
    names = {path.relative_to(expected) for path in expected.rglob("*.h5")}
    others = {path.relative_to(got) for path in got.rglob("*.h5")}
    found = [f"only in one: {name}" for name in sorted(names ^ others)]
    for name in sorted(names & others):
        with h5py.File(expected / name) as one, h5py.File(got / name) as other:
            found += [f"{name}: {text}" for text in _compare(one, other)]
    return found


def _compare(one: Any, other: Any) -> list[str]:
    contents: list[dict[str, Any]] = [{}, {}]
    for file, content in zip((one, other), contents, strict=True):
        content.update({f"@{key}": value for key, value in file.attrs.items() if key not in TIMES})
        file.visititems(
            lambda name, node, content=content: (
                content.update({name: node[()]}) if isinstance(node, h5py.Dataset) else None
            )
        )
    found = [f"only in one: {name}" for name in contents[0].keys() ^ contents[1].keys()]
    for name in contents[0].keys() & contents[1].keys():
        left, right = np.asarray(contents[0][name]), np.asarray(contents[1][name])
        if left.dtype.kind == "f":
            same = left.shape == right.shape and np.allclose(left, right, rtol=0, atol=TOLERANCE, equal_nan=True)
        else:
            same = left.dtype == right.dtype and np.array_equal(left, right)
        if not same:
            found.append(f"{name} differs")
    return found
