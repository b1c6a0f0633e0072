"""A headless run that is told to end does so in time, gives its attempts back and can be gone on with (case 3)."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from signals_harness import (
    DULL,
    GRACE_S,
    LONG,
    MOMENTS,
    SLACK_S,
    Program,
    broken,
    charged,
    make_inputs,
    resume,
    send,
    tmpfs_prefix,
)

from pipeline.model import RunState


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_inputs(tmp_path_factory.mktemp("inputs") / "in", dull=DULL)


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = Program(tmp_path_factory.mktemp("undisturbed"), source)
    code, said, _ = program.ended()
    assert code == 0, said
    return program.out


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    made: list[Program] = []
    yield made
    for program in made:
        program.close()


def last_line(said: str) -> str:
    return said.rstrip("\n").splitlines()[-1]


@pytest.mark.parametrize(
    ("number", "moment"), [(signal.SIGHUP, "scan"), (signal.SIGINT, "decode")], ids=["hangup-scan", "interrupt-decode"]
)
def test_a_signal_gives_the_attempts_back_and_says_how_to_go_on(
    programs: list[Program], source: Path, undisturbed: Path, tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    programs.append(program := Program(tmp_path, source))
    assert program.until(lambda: MOMENTS[moment](program, source), moment)
    send(program, number)
    code, said, took_s = program.ended()
    assert (code, last_line(said)) == (130, "  to go on: vconsole resume 1")
    assert took_s < GRACE_S + SLACK_S
    assert set(charged(program.state).values()) <= {0}
    resume(program)
    assert broken(program, undisturbed) == []


def test_a_second_signal_ends_at_once_and_the_next_start_gives_the_attempt_back(
    programs: list[Program], source: Path, undisturbed: Path, tmp_path: Path
) -> None:
    programs.append(program := Program(tmp_path, source))
    assert program.until(lambda: MOMENTS["decode"](program, source), "decode")
    program.process.send_signal(signal.SIGSTOP)  # both signals are there before either is heard
    send(program, signal.SIGTERM)
    send(program, signal.SIGINT)
    program.process.send_signal(signal.SIGCONT)
    code, _, took_s = program.ended()
    assert code == 130
    assert took_s < GRACE_S + SLACK_S
    resume(program)
    assert broken(program, undisturbed) == []


def test_a_reader_that_leaves_ends_the_run_which_then_says_so_on_stderr(
    programs: list[Program], source: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """As in `vconsole extract ... | head -1`."""
    programs.append(program := Program(tmp_path, source))
    assert program.process.stdout
    assert program.process.stdout.readline()
    program.process.stdout.close()
    assert program.process.stderr
    said = program.process.stderr.read().decode()
    program.process.stdout = None
    code, _, _ = program.ended()
    assert (code, last_line(said)) == (
        130,
        "vconsole: The output cannot be written any more; go on with `vconsole resume 1`.",
    )
    assert set(charged(program.state).values()) <= {0}
    resume(program)
    assert broken(program, undisturbed) == []


def test_a_terminal_that_nobody_reads_does_not_keep_the_run(
    programs: list[Program], source: Path, undisturbed: Path, tmp_path: Path
) -> None:
    programs.append(program := Program(tmp_path, source, terminal=True))
    assert program.until(lambda: MOMENTS["decode"](program, source), "decode")
    program.until(program.is_stuck, "the terminal to be full")
    send(program, signal.SIGTERM)
    code, _, took_s = program.ended()
    assert code in {130, 0}, "0: all was done before the signal"
    assert took_s < GRACE_S + SLACK_S
    if code:
        assert set(charged(program.state).values()) <= {0}
        resume(program)
    assert broken(program, undisturbed) == []


def test_a_run_that_waits_for_room_on_its_volume_can_be_stopped_and_gone_on_with(
    programs: list[Program], source: Path, undisturbed: Path, tmp_path: Path
) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare cannot make name spaces here")
    programs.append(program := Program(tmp_path, source, prefix=tmpfs_prefix(tmp_path / "out")))
    assert program.until(lambda: program.run_state() is RunState.PAUSED, "the run to pause")
    send(program, signal.SIGTERM)
    code, said, took_s = program.ended()
    assert (code, last_line(said)) == (130, "  to go on: vconsole resume 1")
    assert "volume is full" in said
    assert took_s < GRACE_S + SLACK_S
    assert set(charged(program.state).values()) <= {0}
    resume(program)
    assert broken(program, undisturbed) == []
    assert (program.out / "features" / f"{LONG}.h5").is_file()
