"""The models room: what is here and what is not, downloads that move or stop, weights that are checked."""

import threading
from collections.abc import Iterator
from dataclasses import replace

from console_script import HOSTILE, SMALL, ScriptedEngine, app_over, busy, picture, until

from pipeline.shelf import FetchStep, ShelvedModel, Verified
from screens.models import Models
from screens.monitor import Monitor
from screens.presenters.models import model_details, model_row
from screens.widgets.outside import line_width

CLIP = ShelvedModel(
    "clip-vit-b-32",
    "open_clip",
    "ViT-B-32",
    "laion2b_s34b_b79k",
    "MIT",
    True,
    False,
    605_000_000,
    "/cache/models--laion",
)
TOY = ShelvedModel(
    "tiny-shapes", "open_clip", "tiny-shapes", "builtin:tiny-shapes", "Apache-2.0", True, True, 6_000_000,
    "/lib/tiny.safetensors", "3a" * 32, "cpu", "fp32", 1.25, 32, 410.0,
)  # fmt: skip
BARE = ShelvedModel("perceptual", "perceptual", "perceptual", "", "Apache-2.0", False, True, 0, "needs no weights")


class ScriptedFetching:
    """A download whose steps come when the test says so."""

    def __init__(self, *steps: FetchStep) -> None:
        self._steps = steps
        self.may_go_on = threading.Semaphore(1)
        self.closed = threading.Event()

    def steps(self) -> Iterator[FetchStep]:
        for step in self._steps:
            self.may_go_on.acquire()
            if self.closed.is_set():
                yield replace(step, failure="It was stopped.", over=True)
                return
            yield step

    def close(self) -> None:
        self.closed.set()
        self.may_go_on.release()


class ScriptedShelf:
    """Three models, and a download of one of them."""

    def __init__(self, *steps: FetchStep) -> None:
        self.held = {model.key: model for model in (CLIP, BARE, TOY)}
        self.fetching = ScriptedFetching(*steps)

    def models(self) -> tuple[ShelvedModel, ...]:
        return tuple(self.held.values())

    def verify(self, key: str) -> Verified:
        return (
            Verified(key, "bad", f"{key} has SHA-256 00, expected 3a")
            if key == TOY.key
            else Verified(key, "ok", "whole")
        )

    def fetch(self, key: str) -> ScriptedFetching:
        return self.fetching


def texts(model: ShelvedModel, width: int, step: FetchStep | None = None, verified: Verified | None = None) -> str:
    return "\n".join("".join(part.text for part in line) for line in model_details(model, step, verified, width))


async def test_a_download_shows_its_progress_and_then_that_the_weights_are_here() -> None:
    half = FetchStep(CLIP.key, 302_500_000, 605_000_000)
    shelf = ScriptedShelf(half, replace(half, done_bytes=605_000_000, over=True))
    app = app_over(ScriptedEngine(busy()), shelf=shelf)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("M")
        await until(pilot, lambda: "2 of 3 here" in picture(app))
        assert "– not here" in picture(app)
        await pilot.press("d")
        await until(pilot, lambda: "↓ 50%" in picture(app))
        assert "288 MiB of 577 MiB" in picture(app)
        shelf.held[CLIP.key] = replace(CLIP, here=True)
        shelf.fetching.may_go_on.release()
        await until(pilot, lambda: "3 of 3 here" in picture(app))
        assert "its checksum is right" in picture(app)


async def test_a_download_can_be_stopped_and_leaving_ends_it() -> None:
    step = FetchStep(CLIP.key, 1, 605_000_000)
    shelf = ScriptedShelf(step, step, step)
    app = app_over(ScriptedEngine(busy()), shelf=shelf)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("M")
        await until(pilot, lambda: "2 of 3 here" in picture(app))
        await pilot.press("d")
        await until(pilot, lambda: "↓ 0%" in picture(app))
        await pilot.press("x")
        await until(pilot, lambda: "✗ not fetched" in picture(app))
        shelf.fetching = ScriptedFetching(step, step)
        await pilot.press("d")
        await until(pilot, lambda: "↓ 0%" in picture(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Monitor) and shelf.fetching.closed.is_set())


async def test_weights_are_read_and_what_is_wrong_is_said() -> None:
    app = app_over(ScriptedEngine(busy()), shelf=ScriptedShelf())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("M")
        await until(pilot, lambda: "2 of 3 here" in picture(app))
        await pilot.press("G", "v")
        await until(pilot, lambda: "✗ tiny-shapes has SHA-256 00" in picture(app))
        assert isinstance(app.screen, Models)


def test_what_was_measured_is_told() -> None:
    assert "last on cpu in fp32, in 1.2 s; quickest in batches of 32: 410 pictures a second" in texts(TOY, 120)
    assert "last on cpu in fp32, compiled, in 1.2 s" in texts(replace(TOY, compiled=True), 120)
    assert "never on this machine" in texts(CLIP, 80)
    assert "sha256" not in texts(BARE, 80)


def test_hostile_facts_fit_every_width() -> None:
    for name in HOSTILE:
        model = replace(CLIP, key=name, where=name, licence=name)
        step = FetchStep(name, 5, 10, failure=name, over=True)
        for width in (30, 58, 78, 138):
            lines = (*model_details(model, step, Verified(name, "bad", name), width), model_row(model, step, width))
            assert all(line_width(line) <= width for line in lines)
