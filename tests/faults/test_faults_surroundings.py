"""Volumes that go, fill up or refuse pause the run, cost no video anything, and it goes on by itself (case 10)."""

from pathlib import Path

import pytest
from volume_cases import CASES
from volumes import in_namespace, why_not

WHY_NOT = why_not()
PROGRAM = Path(__file__).with_name("volume_cases.py")


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
@pytest.mark.parametrize("case", list(CASES))
def test_the_run_outlives_what_happens_to_its_volumes(case: str, tmp_path: Path) -> None:
    in_namespace(PROGRAM, str(tmp_path), case)
