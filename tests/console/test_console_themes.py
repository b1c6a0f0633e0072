"""Themes: contrast, tones apart for colour-blind eyes, an operator's own files that may be broken, no colour."""

import math
import os
import re
import subprocess
import sys
import termios
import threading
from itertools import combinations
from pathlib import Path

import pytest
from console_script import SMALL, ScriptedEngine, app_over, busy, picture, until
from textual.color import Color

import themes
from screens.widgets.panes import QueuePane
from vconsole.looks import MOST_BYTES, looks

WITH_COLOURS = [data for data in themes.built_in() if not data.ansi]
HERE = Path(__file__).parent

TEXT = ("foreground", "quiet", "success", "warning", "error", "accent")
DRAWN = ("gauge", "graph", "border")

# Machado, Oliveira and Fernandes (2009), severity 1.
VISIONS = {
    "full": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def linear(colour: str) -> tuple[float, ...]:
    shares = (part / 255 for part in Color.parse(colour).rgb)
    return tuple(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of WCAG 2."""
    light = sorted(
        sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear(c), strict=True)) for c in (first, second)
    )
    return (light[1] + 0.05) / (light[0] + 0.05)


def lab(red: float, green: float, blue: float) -> tuple[float, float, float]:
    parts = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883,
    )
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in parts)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def as_seen(colour: str, matrix: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    light = linear(colour)
    red, green, blue = (min(1.0, max(0.0, sum(w * v for w, v in zip(row, light, strict=True)))) for row in matrix)
    return lab(red, green, blue)


@pytest.mark.parametrize("data", WITH_COLOURS, ids=lambda data: data.name)
def test_text_can_be_read_on_every_ground_of_a_theme(data: themes.ThemeData) -> None:
    colours = {**data.colours, **data.variables}
    least = 7.0 if data.name == "high-contrast" else 4.5
    for ground in ("background", "surface", "panel", "selected"):
        low = {name: contrast(colours[name], colours[ground]) for name in TEXT}
        assert min(low.values()) >= least, (ground, low)
    assert min(contrast(colours[name], colours["background"]) for name in DRAWN) >= 3.0


@pytest.mark.parametrize("vision", VISIONS)
def test_all_tones_differ_for_colour_blind_eyes_in_the_theme_made_for_them(vision: str) -> None:
    data = next(data for data in WITH_COLOURS if data.name == "high-contrast")
    colours = {**data.colours, **data.variables}
    seen = {name: as_seen(colours[name], VISIONS[vision]) for name in TEXT}
    apart = {pair: math.dist(seen[pair[0]], seen[pair[1]]) for pair in combinations(TEXT, 2)}
    assert min(apart.values()) >= 25, apart


async def test_the_selected_row_stands_on_a_ground_of_its_own() -> None:
    app = app_over(ScriptedEngine(busy()))
    ground = Color.parse(themes.built_in()[0].variables["selected"]).rgb
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("j")
        queue = app.monitor.query_one(QueuePane)
        await until(pilot, lambda: queue.cursor == 0)
        grounds = {piece.style.bgcolor for piece in queue.render_line(0) if piece.style}
        assert [tuple(colour.triplet) for colour in grounds if colour and colour.triplet] == [ground]


def test_ansi_keeps_to_the_sixteen_colours() -> None:
    data = next(data for data in themes.built_in() if data.ansi)
    assert all(value.startswith("ansi_") for value in (*data.colours.values(), *data.variables.values()))


def own(folder: Path, name: str, content: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(content)
    return folder


async def test_a_theme_of_ones_own_is_shown_and_needs_to_say_only_what_differs(tmp_path: Path) -> None:
    folder = own(tmp_path, "dusk", 'colours.background = "#201030"\nvariables.quiet = "rgb(200,200,255)"\n')
    app = app_over(ScriptedEngine(busy()), theme="dusk", own_themes=folder)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: "extract · standard" in picture(app))
        assert app.theme == "dusk"
        assert app.screen.styles.background.hex == "#201030"
        assert looks(folder).themes["dusk"].accent == looks(None).themes["vconsole-dark"].accent


@pytest.mark.parametrize("value", ["red", "#abc", "hsl(120,50%,50%)", "transparent", "ansi_red", "auto", "#10203040"])
async def test_whatever_is_taken_for_a_colour_can_be_drawn(tmp_path: Path, value: str) -> None:
    colours = "\n".join(
        f'{name} = "{value}"' for name in ("colours.primary", "colours.background", "variables.selected")
    )
    folder = own(tmp_path, "odd", colours)
    app = app_over(ScriptedEngine(busy()), theme="odd", own_themes=folder)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("j", "4", "question_mark")
        await until(pilot, lambda: "the monitor (here)" in picture(app))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[colours", "it is not TOML"),
        ('colours.primary = "blurple"', "colours.primary = 'blurple' is no colour; write one as #6c9fc9"),
        ("colours.primary = 7", "colours.primary = 7 is no colour"),
        ('colours.primery = "#fff"', "colours.primery is unknown; did you mean colours.primary?"),
        ('variables.quite = "#fff"', "variables.quite is unknown; did you mean variables.quiet?"),
        ("colors = {}", "colors is unknown; did you mean colours?"),
        ("colours = 3", "colours must be a table"),
        ('dark = "yes"', "dark must be true or false"),
        ("#" * (MOST_BYTES + 1), "it is larger than 64 KiB"),
        ("a" + "." * 3 + "[" * 5000, "it is not TOML"),
    ],
)
def test_a_broken_theme_is_left_out_with_a_sentence_and_the_others_stay(
    tmp_path: Path, content: str, reason: str
) -> None:
    own(tmp_path, "good", "dark = false")
    found = looks(own(tmp_path, "bad", content))
    assert "good" in found.themes
    assert "bad" not in found.themes
    assert len(found.problems) == 1
    assert found.problems[0].startswith(f"The theme {tmp_path / 'bad.toml'} is left out: {reason}")


def test_what_is_no_readable_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "gone.toml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert len(looks(tmp_path).problems) == 4
    assert list(looks(tmp_path).themes) == [data.name for data in themes.built_in()]
    assert looks(tmp_path / "nowhere").problems == ()


async def test_a_broken_theme_gives_a_notice_and_the_default(tmp_path: Path) -> None:
    folder = own(tmp_path, "mine", 'colours.primary = "blurple"')
    app = app_over(ScriptedEngine(busy()), theme="mine", own_themes=folder)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: len(app._notifications) == 2)
        broken, instead = (notice.message for notice in app._notifications)
        assert broken.endswith("mine.toml is left out: colours.primary = 'blurple' is no colour; write one as #6c9fc9.")
        assert instead.startswith("There is no theme mine, so vconsole-dark is shown; there are vconsole-dark, ")
        assert app.theme == "vconsole-dark"


async def test_t_goes_through_all_themes_those_of_ones_own_included(tmp_path: Path) -> None:
    folder = own(tmp_path, "dusk", 'colours.background = "#201030"')
    app = app_over(ScriptedEngine(busy()), own_themes=folder)
    async with app.run_test(size=SMALL) as pilot:
        seen = []
        for _ in looks(folder).themes:
            seen.append(app.theme)
            await pilot.press("t")
        assert seen == [*looks(None).themes, "dusk"]
        assert app.theme == "vconsole-dark"


COLOUR = re.compile(rb"\x1b\[(?:[0-9;:]*[;:])?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:[;:][0-9;:]*)?m")
"""A select-graphic-rendition that chooses a colour; 39 and 49 take the terminal's own."""


def sent_over_a_terminal(no_color: str) -> bytes:
    """Return what a console sends that was asked for themes, panes, help and the palette, and then to leave."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    seen = bytearray()

    def read() -> None:
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                return
            seen.extend(piece)

    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]), "TERM": "xterm-256color"}
    told, tell = os.pipe()
    child = [sys.executable, str(HERE / "console_child.py"), str(tell), "closes", "2"]
    with subprocess.Popen(
        child,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        pass_fds=(tell,),
        start_new_session=True,
        env={**environ, "NO_COLOR": no_color},
    ) as process:
        threading.Thread(target=read, daemon=True).start()
        os.close(tell)
        for keys in (b"", b"j", b"t", b"4", b"t", b"t", b"t", b"?", b"G", b"\x1b", b":", b"dra", b"\x1b"):
            os.write(master, keys)
            for _ in range(4):
                os.read(told, 1)
        process.terminate()
        process.wait(20)
    for fd in (master, slave, told):
        os.close(fd)
    return bytes(seen)


def test_no_color_sends_no_colour() -> None:
    assert COLOUR.search(sent_over_a_terminal("")), "the test knows a colour when it sees one"
    sent = sent_over_a_terminal("1")
    assert b"standard" in sent
    assert set(COLOUR.findall(sent)) == set()
