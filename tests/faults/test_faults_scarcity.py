"""Too few descriptors, processes or memory: fewer workers or a pause, and no video pays for it (case 12)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(__file__).with_name("scarcity_cases.py"))
DEADLINE_S = 120.0
FEW_FORKS = ("strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=vfork,fork,clone")
INJECTED = ("-e", "inject=vfork,fork,clone:error=EAGAIN:when=4+")


@pytest.mark.parametrize(
    ("case", "under"),
    [
        ("few_can_be_started", ("prlimit", "--nofile=64:64")),
        ("few_can_be_started", (*FEW_FORKS, *INJECTED)),
        ("none_can_be_opened", ()),
        ("none_can_be_opened_by_discovery", ()),
        ("none_is_left_in_a_worker", ()),
        ("memory_runs_out_in_a_worker", ()),
        ("the_soft_limit_is_raised", ()),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) and value else None,
)
def test_a_shortage_costs_no_video_anything(case: str, under: tuple[str, ...], tmp_path: Path) -> None:
    for tool in (*under[:1], *(["prlimit"] if case == "none_is_left_in_a_worker" else [])):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not there")
    command = [*under, sys.executable, PROGRAM, str(tmp_path), case]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
