"""The console over the real engine: a run is started, watched, retried and left, with real workers and a real video."""

from pathlib import Path

from console_script import SMALL, picture, until

from pipeline.engine import Engine
from pipeline.media.samples import Recipe, make_video
from pipeline.settings import Settings
from screens.new_run import NewRun
from screens.widgets.folders import PathInput
from vconsole.app import ConsoleApp
from vconsole.house import Building, House, ports_over
from vconsole.looks import looks
from vconsole.settings_file import SettingsFile

LIMIT_S = 90
BROKEN = "[red]\x1b[2J.mp4"


async def test_a_run_from_the_form_to_its_outputs(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    make_video(videos, Recipe("a.mp4", (("red", "circle"), ("blue", "square"))))
    (videos / BROKEN).write_bytes(b"this is no video")
    settings = Settings.model_validate({"engine": {"settle_s": 0, "workers": 1}, "console": {"refresh_hz": 10}})
    engine = Engine(settings, state_dir=tmp_path / "state")
    engine.start()
    ports = ports_over(engine, settings, tmp_path / "state", SettingsFile(current=settings))
    app = ConsoleApp(Building(House(engine, settings, ports, {})), settings.console.theme, looks(None))
    try:
        async with app.run_test(size=SMALL) as pilot:
            await pilot.press("a")
            await until(pilot, lambda: isinstance(app.screen, NewRun))
            app.screen.query_one("#typed", PathInput).value = str(videos)
            app.screen.query_one("#preset").focus()
            await pilot.press("down", "down")
            await until(pilot, lambda: "without vectors" in picture(app))
            await pilot.press("ctrl+s")
            await until(pilot, lambda: "F5 starts the run" in picture(app))
            assert not (tmp_path / "videos-features").exists()
            await pilot.press("ctrl+s")
            await until(pilot, lambda: "finished; outputs in" in picture(app), LIMIT_S)
            assert "✓ 1 done  ✗ 1 failed" in picture(app)
            assert "[red]␛[2J.mp4" in picture(app)
            assert (tmp_path / "videos-features" / "features" / "a.mp4.h5").is_file()

            make_video(tmp_path, Recipe("whole.mp4", (("green", "star"),)))
            (tmp_path / "whole.mp4").replace(videos / BROKEN)
            await pilot.press("4", "j", "r")
            await until(pilot, lambda: "✓ 2 done" in picture(app), LIMIT_S)
            await until(pilot, lambda: "finished; outputs in" in picture(app), LIMIT_S)
            assert "Nothing has failed." in picture(app)
            await pilot.press("q")
            await until(pilot, lambda: app.return_value == 0, LIMIT_S)
    finally:
        engine.close()
