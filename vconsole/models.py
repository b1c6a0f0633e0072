"""`vconsole models list | fetch KEY | verify [KEY] | where [KEY]`."""

import argparse
import sys
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import SettingsError
from pipeline.models import remembered
from pipeline.models.check import verify
from pipeline.models.fetch import fetch
from pipeline.models.fetching import fetch_telling
from pipeline.models.registry import catalogue, locate
from pipeline.sections import ModelSettings
from pipeline.settings import Settings
from pipeline.text import visible
from vconsole import config
from vconsole.exits import Exit
from vconsole.options import from_arguments
from vconsole.output import say, write_json
from vconsole.places import state_dir

HEADINGS = ("Model", "Architecture", "Weights", "Size", "Licence", "Here", "Where")
MEASURED = ("device", "precision", "load_s", "batch_size", "pictures_per_s")
"""What `--json` tells of the last time a model was loaded on this machine; null where it never was."""
FIXED = frozenset({"Model", "Size", "Here"})
"""Columns that a narrow terminal must not break."""


@dataclass(frozen=True, slots=True)
class Row:
    """One model of the catalogue and where its weights are."""

    key: str
    model: ModelSettings
    here: bool
    size_bytes: int
    """0 if nobody knows."""
    expected_sha256: str
    """What the checksum must be, empty if nobody knows."""
    where: str
    """The checkpoint file, or where it was looked for, or why it cannot be named."""

    def cells(self) -> tuple[str, ...]:
        """Return the row as texts fit for a terminal, in the order of HEADINGS."""
        size = f"{self.size_bytes / 1e6:.0f} MB" if self.size_bytes else "?"
        weights = self.model.weights or self.model.path or "-"
        texts = (self.key, self.model.architecture, weights, size, self.model.licence or "?")
        return tuple(visible(text) for text in (*texts, "yes" if self.here else "no", self.where))

    def to_object(self) -> dict[str, Any]:
        """Return the row as `--json` prints it."""
        fields = self.model.model_dump(mode="json", exclude={"size_mb"})
        return {"key": self.key, **fields, "here": self.here, "size_bytes": self.size_bytes, "where": self.where} | {
            "sha256": self.expected_sha256
        }


def run(args: argparse.Namespace) -> int:
    """Carry out `vconsole models ...` and return the exit code.

    Raises SettingsError for a key that does not exist, FetchError if weights cannot be had.
    """
    settings = config.load(from_arguments(args))
    as_json = bool(getattr(args, "json", False))
    if args.action == "fetch":
        return _fetch(str(args.key), settings, as_json=as_json)
    if args.action == "verify":
        return _verify(_chosen(args.key, settings), as_json=as_json)
    if args.action == "where":
        return _where(args.key, settings, as_json=as_json)
    return _list(settings, as_json=as_json)


def _chosen(key: str | None, settings: Settings) -> dict[str, ModelSettings]:
    """Return the model of a key, or all of them. Raises SettingsError for a key that does not exist."""
    models = catalogue(settings)
    if key is None:
        return dict(sorted(models.items()))
    if key not in models:
        raise SettingsError(
            f"there is no model {key!r}; there are {', '.join(sorted(models))}",
            remedy="See `vconsole models list`, or describe the model in [models.KEY] of the configuration file.",
        )
    return {key: models[key]}


def rows(settings: Settings) -> list[Row]:
    """Return every model of the catalogue by key; nothing is downloaded."""
    return [_row(key, model) for key, model in sorted(catalogue(settings).items())]


def _row(key: str, model: ModelSettings) -> Row:
    try:
        status = locate(key, model)
    except SettingsError as error:
        return Row(key, model, here=False, size_bytes=0, expected_sha256="", where=str(error))
    return Row(key, model, status.on_disk, status.size_bytes, status.expected_sha256, status.place)


def _list(settings: Settings, *, as_json: bool) -> int:
    found = rows(settings)
    if as_json:
        memory = state_dir(settings) / remembered.FILE
        for row in found:
            known = remembered.of_key(memory, row.key)
            write_json({**row.to_object(), **{name: known.get(name) for name in MEASURED}}, sys.stdout)
    elif sys.stdout.isatty():
        _draw(found)
    else:
        for cells in (HEADINGS, *(row.cells() for row in found)):
            sys.stdout.write("\t".join(cells) + "\n")
    return Exit.OK


def _draw(found: list[Row]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for heading in HEADINGS[:-1]:
        table.add_column(heading, justify="right" if heading == "Size" else "left", no_wrap=heading in FIXED)
    for row in found:
        table.add_row(*(Text(cell) for cell in row.cells()[:-1]), style="" if row.here else "dim")
    Console().print(table)
    say(
        "Fetch what is not here with `vconsole models fetch MODEL`; `vconsole models list | cat` shows the places, too."
    )


def _fetch(key: str, settings: Settings, *, as_json: bool) -> int:
    model = _chosen(key, settings)[key]
    if as_json:
        fetch_telling(key, model, lambda event: write_json(event, sys.stdout))
        return Exit.OK
    done = fetch(key, model, started=_say_start, moved=None if sys.stderr.isatty() else _say_nothing)
    news = "fetched" if done.downloaded else "here already"
    megabytes = f"{done.size_bytes / 1e6:.0f} MB"
    say(f"{key}: {news}, {megabytes}, {done.path}\nsha256 {done.sha256}")
    return Exit.OK


def _verify(models: dict[str, ModelSettings], *, as_json: bool) -> int:
    """Check what is here; what is not here is told and no fault."""
    bad = False
    for key, model in models.items():
        found = verify(key, model)
        bad |= found.verdict == "bad"
        if as_json:
            write_json(asdict(found), sys.stdout)
        else:
            sys.stdout.write(f"{found.verdict:<8}{visible(key)}: {visible(found.sentence)}\n")
    return Exit.SOME_FAILED if bad else Exit.OK


def _where(key: str | None, settings: Settings, *, as_json: bool) -> int:
    """Tell where the weights of each model are, or would be looked for."""
    for row in (_row(name, model) for name, model in _chosen(key, settings).items()):
        if as_json:
            write_json({"key": row.key, "here": row.here, "where": row.where}, sys.stdout)
        else:
            sys.stdout.write(f"{visible(row.key)}\t{'here' if row.here else 'not here'}\t{visible(row.where)}\n")
    return Exit.OK


def _say_nothing(done_bytes: int, size_bytes: int) -> None:
    """Tell nothing of the progress where nobody watches."""


def _say_start(what: str, size_bytes: int) -> None:
    say(f"fetching {what}, {size_bytes / 1e6:.0f} MB" if size_bytes else f"fetching {what}")
