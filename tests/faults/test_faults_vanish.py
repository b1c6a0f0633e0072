"""A mount that vanishes is not taken for deletions, and a folder that cannot be listed is told."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from engine_harness import FAKE_WORKER, Bench, settings

from pipeline.engine.reader import LedgerReader
from pipeline.model import FailureClass, JobState

HERE = Path(__file__).parent
PROGRAM = str(HERE.parent / "engine" / "engine_process.py")
DEADLINE_S = 60.0
FILES = 1000


def namespaces() -> bool:
    """Whether a tmpfs can be mounted in a namespace of one's own."""
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "probe", "/mnt"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("moment", ["scan", "nested", "resume"])
def test_a_volume_that_is_gone_holds_the_scan_which_goes_on_when_it_is_back(tmp_path: Path, moment: str) -> None:
    if not namespaces():
        pytest.skip("no mount namespaces here")
    command = ["unshare", "-rm", sys.executable, str(HERE / "vanishing.py"), str(tmp_path), str(FILES), moment]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=2 * DEADLINE_S)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert "Mount it again; the run goes on by itself." in told[0]["because"]
    assert told[-1] == {"attempts": [1], "done": FILES}


@pytest.mark.parametrize(("call", "error"), [("getdents64", "EIO"), ("getdents64", "ESTALE"), ("openat", "ENOENT")])
def test_a_folder_that_cannot_be_listed_is_told_and_the_others_are_done(bench: Bench, call: str, error: str) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here")
    for name in ("a/1.mp4", "b/2.mp4", "c/3.mp4"):
        bench.video(name)
    options = json.dumps(settings().model_dump(mode="json", include={"engine", "embed"}))
    inject = [strace, "-f", "-qq", "-o", "/dev/null", "-P", str(bench.source / "b")]
    inject += ["-e", f"inject={call}:error={error}"]
    command = [*inject, sys.executable, PROGRAM, str(bench.state), options, str(bench.out), str(bench.source)]
    done = subprocess.run([*command, "--worker", FAKE_WORKER[1]], check=True, capture_output=True, timeout=DEADLINE_S)
    assert done.stdout.endswith(b"done\n")
    with LedgerReader.read_only(bench.state) as ledger:
        jobs = {job.relative: job for job in ledger.jobs(1)}
    assert {name: job.state for name, job in jobs.items()} == {
        b"a/1.mp4": JobState.DONE,
        b"b": JobState.FAILED,
        b"c/3.mp4": JobState.DONE,
    }
    assert jobs[b"b"].failure is FailureClass.IO
    assert "cannot be listed" in jobs[b"b"].message
