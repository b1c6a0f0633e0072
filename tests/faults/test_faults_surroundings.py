"""Volumes that go, fill up or refuse pause the run, cost no video anything, and it goes on by itself (case 10)."""

import json
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


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_a_volume_that_fills_up_again_and_again_leaves_no_half_file_and_the_same_results(tmp_path: Path) -> None:
    told = json.loads(in_namespace(PROGRAM.with_name("disk_cycles.py"), str(tmp_path), "2", "4").splitlines()[-1])
    assert told["violations"] == []
    assert (told["cycles"], told["paused"], told["resumed"]) == (2, 2, 2)
