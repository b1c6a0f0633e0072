"""`vconsole export`: writes what is said in the videos of an output folder as subtitles."""

import argparse
import os
import sys
from pathlib import Path

from pipeline.errors import SettingsError
from pipeline.outputs.features import FeatureError
from pipeline.outputs.subtitles import feature_files, write_subtitles
from pipeline.text import plural, visible
from vconsole.exits import Exit
from vconsole.options import absolute
from vconsole.output import say, write_json


def run(args: argparse.Namespace) -> int:
    """Export the speech of every feature file and return the exit code: 1 if one could not be read or written.

    Raises SettingsError if the folder holds no feature files.
    """
    out, to = absolute(args.out), absolute(args.to)
    videos = written = silent = bad = 0
    for path in feature_files(out):
        videos += 1
        try:
            targets = write_subtitles(path, to, args.format)
        except (FeatureError, OSError) as error:
            bad += 1
            sys.stderr.write(f"vconsole: {visible(path)}: {visible(str(error))}\n")
            continue
        silent += not targets
        written += len(targets)
        for target in targets:
            _tell(target, as_json=args.json)
    if not videos:
        lacks = "holds no feature files" if Path(os.fsdecode(out)).is_dir() else "is no folder"
        raise SettingsError(f"{visible(out)} {lacks}", remedy="Name the --out folder of an extract run.")
    if args.json:
        write_json({"event": "summary", "written": written, "without_speech": silent, "bad": bad}, sys.stdout)
    else:
        say(f"{plural(written, 'file')} written; {plural(silent, 'video')} without speech")
    return Exit.SOME_FAILED if bad else Exit.OK


def _tell(path: bytes, *, as_json: bool) -> None:
    if as_json:
        write_json({"event": "written", "path": os.fsdecode(path)}, sys.stdout)
    else:
        sys.stdout.write(f"{visible(path)}\n")
