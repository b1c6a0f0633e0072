"""Calls that persist something are killed or refused: nothing is half, nothing lost, the results the same (2, 11)."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "torture"))

from injection import Point, Site, calm_site


def _strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    return (
        subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode == 0
    )


pytestmark = pytest.mark.skipif(not _strace_works(), reason="no strace here, or it may not trace")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that knows how the undisturbed run ends, and how a killed engine leaves its folders."""
    folder = tmp_path_factory.mktemp("persistence")
    made = Site(folder / "site", calm_site(folder / "calm"))
    made.keep_killed()
    yield made
    assert not made.mine()


@pytest.mark.parametrize(
    "point",
    [
        Point("ledger", False, "pwrite64", 34, "SIGKILL"),
        Point("ledger", False, "fdatasync", 11, "SIGKILL"),
        Point("ledger", False, "fdatasync", 10, "EIO"),
        Point("ledger", False, "pwrite64", 60, "ENOSPC"),
        Point("ledger", True, "pwrite64", 16, "SIGKILL"),
        Point("ledger", True, "fdatasync", 2, "EIO"),
        Point("reports", False, "rename", 2, "SIGKILL"),
        Point("reports", False, "mkdir", 1, "EIO"),
        Point("worker", False, "rename", 3, "SIGKILL"),
    ],
    ids=str,
)
def test_a_call_that_is_killed_or_refused_costs_nothing(site: Site, point: Point) -> None:
    assert site.check(point), "the fault did not fall"


@pytest.mark.parametrize(
    ("point", "ending"),
    [
        (Point("worker", False, "fsync", 1, "EIO"), ("failed", "io")),
        (Point("worker", False, "write", 3, "EIO"), ("failed", "io")),
        (Point("worker", False, "rename", 1, "EACCES"), ("failed", "io")),
        (Point("worker", False, "write", 3, "ENOSPC"), ("surroundings", "disk_full")),
    ],
    ids=lambda one: str(one) if isinstance(one, Point) else "",
)
def test_an_output_that_was_refused_is_cleaned_and_done_by_another_attempt(
    site: Site, point: Point, ending: tuple[str, str]
) -> None:
    assert site.check(point), "the fault did not fall"
    first, second = site.endings()
    assert first == [ending, ("done", "")]
    assert second[-1] == ("done", "") and set(second[:-1]) <= {("given_back", "")}, "a lease may be taken back"
