"""`vconsole demo`: makes small videos, extracts them and shows what came out, all in one folder."""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.commands import StartRun
from pipeline.engine.plan import check
from pipeline.errors import VconsoleError
from pipeline.media.truth import Sample, read_truth
from pipeline.model import RunKind
from pipeline.outputs.manifest import read_manifest
from pipeline.settings import DEFAULT_PRESETS, Settings, with_preset
from pipeline.text import visible
from vconsole.config import combine
from vconsole.exits import Exit
from vconsole.extract import carry_out
from vconsole.options import Entry, Options, absolute
from vconsole.output import say
from vconsole.summary import Summary

MODEL = "tiny-shapes"
WORDS = "a red circle"
OURS = (Entry(("engine", "settle_s"), 0.0, "the demo"), Entry(("embed", "models"), (MODEL,), "the demo"))
"""The settings of the demo; nobody's configuration is read, so that it works anywhere."""

SAMPLES_S = 120.0
"""How long making the samples may take."""


def run(args: argparse.Namespace) -> int:
    """Run the demo and return the exit code: 0 if all but the broken sample came out well.

    Raises VconsoleError if the samples cannot be made, LedgerError if another demo runs in the folder.
    """
    folder = Path(args.dir).absolute()
    videos, out, state = folder / "videos", folder / "out", folder / "state"
    say(f"Samples: small videos of coloured shapes in {visible(str(videos))}")
    _make_samples(videos)
    settings = combine([], OURS)
    preset = DEFAULT_PRESETS[RunKind.EXTRACT]
    command = StartRun(
        RunKind.EXTRACT,
        (absolute(str(videos)),),
        absolute(str(out)),
        preset,
        with_preset(settings, preset, RunKind.EXTRACT),
    )
    check(command)
    say("Extracting with the model tiny-shapes, which knows coloured shapes and nothing else.\n")
    summary = carry_out(command, settings, state, as_json=False)
    if summary.interrupted:
        return Exit.INTERRUPTED
    rows = list(read_manifest(command.out))
    say("")
    samples = read_truth(videos)
    for line in _table(rows, samples):
        say(line)
    if _nothing_new(summary, rows):
        say("\nNothing to do: every video that can be read was extracted before, and none was done twice.")
    say("")
    found = _search(command.out, settings)
    say(f"\nOutputs: {visible(str(out))}; delete {visible(str(folder))} to start over.")
    _offer_console(state, folder / "config.toml")
    return Exit.OK if found and _as_expected(rows, samples) else Exit.SOME_FAILED


def _make_samples(folder: Path) -> None:
    """Make the samples in a child: this process never loads a decoder."""
    command = [sys.executable, "-m", "pipeline.media.samples", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SAMPLES_S)
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        raise VconsoleError(f"the samples cannot be made in {folder}: {''.join(told)}") from error


def _table(rows: list[dict[str, Any]], samples: Sequence[Sample]) -> Iterator[str]:
    broken = {sample.name for sample in samples if sample.kind == "broken"}
    yield f"{'video':<24} {'came out as':<12} {'scenes':>6} {'frames':>6}  where, or why not"
    for row in rows:
        name = visible(row["source"], 24)
        told = row.get("features") or row.get("message") or row.get("reason") or ""
        told += " (broken on purpose)" if row["source"] in broken else ""
        scenes, frames = row.get("scenes", ""), row.get("frames", "")
        yield f"{name:<24} {row['status']:<12} {scenes:>6} {frames:>6}  {visible(told)}"


def _nothing_new(summary: Summary, rows: list[dict[str, Any]]) -> bool:
    return summary.run.reused == sum("features" in row for row in rows) > 0


def _as_expected(rows: list[dict[str, Any]], samples: Sequence[Sample]) -> bool:
    """Whether all that was made to be readable came out, and what was made broken did not."""
    whole = {row["source"]: "features" in row for row in rows}
    return all(whole.get(sample.name) is (sample.kind != "broken") for sample in samples)


def _search(out: bytes, settings: Settings) -> bool:
    """Look for a scene by words and say where it is; whether anything was found."""
    from pipeline.models.registry import catalogue
    from vconsole.find import encode, find

    models = {MODEL: catalogue(settings)[MODEL]}
    hit = next(find(out, MODEL, encode(WORDS, MODEL, models, settings.host)), None)
    if hit is None:
        return False
    where = f"{visible(hit.source)}, the scene at {hit.start_s:.1f} to {hit.end_s:.1f} s"
    say(f'Looking for "{WORDS}": {where} (cosine {hit.score:.2f})')
    return True


def _offer_console(state: Path, config: Path) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    sys.stdout.write("Open the console? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        from vconsole.app import run_console

        own = Entry(("state_dir",), str(state), "the demo")
        run_console(Options(config=str(config), entries=(*OURS, own)), {})
