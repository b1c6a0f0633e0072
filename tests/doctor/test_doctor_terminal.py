"""What is said of a terminal, by what it tells of itself."""

import pytest

from pipeline.health import Check, Grade
from vconsole.terminal import terminal

GOOD = {"TERM": "xterm-256color"}


def checks(
    environ: dict[str, str] = GOOD,
    size: tuple[int, int] | None = (80, 24),
    colours: str = "256",
    encoding: str = "UTF-8",
) -> dict[str, Check]:
    return {check.name: check for check in terminal(environ, size, colours, encoding)}


def test_a_usual_terminal_is_well() -> None:
    assert {check.verdict for check in checks().values()} == {Grade.OK}


def test_no_terminal_is_well_and_says_what_works() -> None:
    found = checks(size=None)
    assert list(found) == ["terminal"]
    assert found["terminal"].verdict is Grade.OK
    assert "headless" in found["terminal"].found


@pytest.mark.parametrize("kind", ["", "dumb", "unknown"])
def test_a_terminal_that_can_show_nothing_is_a_warning(kind: str) -> None:
    found = checks({"TERM": kind})
    assert found["terminal"].verdict is Grade.WARNING


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("size", {"size": (59, 24)}),
        ("size", {"size": (80, 19)}),
        ("colours", {"colours": "standard"}),
        ("colours", {"colours": ""}),
        ("characters", {"encoding": "ascii"}),
        ("characters", {"encoding": ""}),
        ("characters", {"encoding": "no such encoding"}),
    ],
)
def test_what_a_terminal_lacks_is_a_warning_with_a_fix(name: str, given: dict) -> None:
    check = checks(**given)[name]
    assert check.verdict is Grade.WARNING
    assert check.fix


def test_colours_that_are_not_wanted_are_not_missed() -> None:
    assert checks({**GOOD, "NO_COLOR": "1"}, colours="")["colours"].verdict is Grade.OK


def test_tmux_and_ssh_are_named_and_copying_is_called_unknown() -> None:
    found = checks({**GOOD, "TMUX": "/tmp/tmux-0/default,1,0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"})
    assert found["terminal"].found == "xterm-256color, inside tmux and SSH"
    assert "cannot be tried" in found["clipboard"].found
    assert "set-clipboard" in found["clipboard"].found
