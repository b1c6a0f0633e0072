"""Make a picture such as docs/console.svg: the console over the real engine in the middle of a real run.

python docs/console_picture.py FOLDER... [--preset scenes] [--done 25] [--keys j enter] [--size 140x42] [--to FILE]
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from pipeline.commands import StartRun
from pipeline.engine import Engine
from pipeline.model import TERMINAL, RunKind
from pipeline.settings import Settings, with_preset
from vconsole.app import ConsoleApp
from vconsole.house import Building, House, ports_over
from vconsole.looks import looks
from vconsole.settings_file import SettingsFile


async def main(arguments: argparse.Namespace) -> None:
    """Run until `--done` videos are through, then save the screen."""
    settings = Settings.model_validate({"engine": {"workers": arguments.workers}})
    run_settings = with_preset(settings, arguments.preset)
    width, height = map(int, arguments.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(settings, state_dir=Path(folder) / "state")
        engine.start()
        try:
            inputs = tuple(os.fsencode(path.resolve()) for path in arguments.folders)
            out = os.fsencode(arguments.out or Path(folder) / "features")
            engine.send(StartRun(RunKind.EXTRACT, inputs, out, arguments.preset, run_settings))
            ports = ports_over(engine, settings, engine.state_dir, SettingsFile(current=settings))
            app = ConsoleApp(Building(House(engine, settings, ports, {})), settings.console.theme, looks(None))
            async with app.run_test(size=(width, height)) as pilot:
                while (run := engine.latest().run) is None or run.count(*TERMINAL) < arguments.done:
                    await pilot.pause(0.5)
                for key in arguments.keys:
                    await pilot.press(key)
                    await pilot.pause(2)
                app.save_screenshot(str(arguments.to))
                app.exit(0)
        finally:
            engine.close(now=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--preset", default="scenes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--done", type=int, default=25)
    parser.add_argument("--keys", nargs="*", default=[], help="keys to press before, as Textual names them")
    parser.add_argument("--size", default="140x42")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name("console.svg"))
    asyncio.run(main(parser.parse_args()))
