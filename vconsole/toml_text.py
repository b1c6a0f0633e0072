"""Changes values in the text of a TOML file and leaves everything else in it, comments and order too, as it stands."""

import copy
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from pipeline.errors import SettingsError
from vconsole.schema import Key

Tables = dict[str, Any]

NEW_FILE = "# Settings of vconsole that differ from the defaults; sample_config.toml explains every one.\n"
"""What a file begins with that was not there before."""


def changed(text: str, edits: Mapping[Key, object]) -> str:
    """Return `text` with each key of `edits` set to its value, or taken out where that is None.

    A new key goes below the line that has it commented out, as in sample_config.toml, else to the end of its section.
    A value that is taken out with a comment behind it becomes a comment itself. Each text that may result is read
    again and taken only if it holds what was meant and nothing else. Raises SettingsError if none does.
    """
    for key, value in edits.items():
        before = tomllib.loads(text)
        wanted = _wanted(before, key, value)
        if wanted == before:
            continue
        text = _first_right(_candidates(text, key, value, present=_get(before, key) is not None), wanted, key)
    return text


def _first_right(candidates: Iterator[str], wanted: Tables, key: Key) -> str:
    for candidate in candidates:
        try:
            if _pruned(tomllib.loads(candidate)) == _pruned(wanted):
                return candidate
        except tomllib.TOMLDecodeError:
            continue
    raise SettingsError(
        f"{'.'.join(key)}: the file is written in a way that cannot be changed safely", remedy="Change it in an editor."
    )


def _candidates(text: str, key: Key, value: object, *, present: bool) -> Iterator[str]:
    if value is None:
        yield from _without_line(text, key[-1])
    elif not present:
        yield from _with_line(text, key, f"{key[-1]} = {tomlkit.item(value).as_string()}")
    try:
        yield _by_document(text, key, value)
    except (TOMLKitError, TypeError, KeyError):
        return


def _by_document(text: str, key: Key, value: object) -> str:
    document = tomlkit.parse(text)
    table: Any = document
    for name in key[:-1]:
        table = table.setdefault(name, tomlkit.table())
    if value is None:
        del table[key[-1]]
    elif not _list_edited(table.get(key[-1]), value):
        table[key[-1]] = value
    return document.as_string()


def _list_edited(old: object, new: object) -> bool:
    """Change a list item by item, so that comments between them stay; False where that does not lead to `new`."""
    if not (isinstance(old, tomlkit.items.Array) and isinstance(new, list)):
        return False
    for item in [item for item in old if item not in new]:
        old.remove(item)
    for item in new[len(old) :]:
        old.append(item)
    return list(old) == new


def _with_line(text: str, key: Key, line: str) -> Iterator[str]:
    """Yield the text with `line` at each place that may be the right one, the best first."""
    end = "\r" if "\r\n" in text else ""
    if text and not text.endswith("\n"):
        text += f"{end}\n"
    lines = text.split("\n")
    block = _block(lines, key[:-1])
    if block is not None:
        for after in _places(lines, block, key[-1]):
            yield "\n".join([*lines[:after], line + end, *lines[after:]])
    if key[:-1]:
        gap = f"{end}\n" if text.strip() else ""
        yield f"{text}{gap}[{'.'.join(key[:-1])}]{end}\n{line}{end}\n"


def _block(lines: list[str], section: Key) -> range | None:
    """Return the lines of a section below its heading; the top of the file for the empty section."""
    start = 0
    if section:
        heading = re.compile(r"\s*\[\s*" + re.escape(".".join(section)) + r"\s*\]\s*(#.*)?")
        start = next((at for at, line in enumerate(lines, 1) if heading.fullmatch(line)), 0)
        if not start:
            return None
    end = next((at for at in range(start, len(lines)) if lines[at].lstrip().startswith("[")), len(lines))
    return range(start, end)


def _places(lines: list[str], block: range, name: str) -> Iterator[int]:
    commented = re.compile(rf"\s*#\s*{re.escape(name)}\s*=")
    setting = re.compile(r"\s*[^#\s=][^=]*=")
    for pattern in (commented, setting):
        found = [at for at in block if pattern.match(lines[at])]
        if found:
            yield found[-1] + 1
    leading = block.start
    while not block.start and leading < block.stop and lines[leading].startswith("#"):
        leading += 1
    yield leading


def _without_line(text: str, name: str) -> Iterator[str]:
    """Yield the text without each line that may be the one that sets `name`; one with a comment becomes a comment."""
    lines = text.split("\n")
    setting = re.compile(rf"""\s*(?:[^#=]+\.)?\s*["']?{re.escape(name)}["']?\s*=""")
    for at, line in enumerate(lines):
        if setting.match(line):
            kept = [f"#{line}"] if "#" in line else []
            yield "\n".join([*lines[:at], *kept, *lines[at + 1 :]])


def _wanted(tables: Tables, key: Key, value: object) -> Tables:
    wanted = copy.deepcopy(tables)
    table = wanted
    for name in key[:-1]:
        table = table.setdefault(name, {})
    if value is None:
        table.pop(key[-1], None)
    else:
        table[key[-1]] = list(value) if isinstance(value, tuple) else value
    return wanted


def _get(tables: Tables, key: Key) -> object:
    value: object = tables
    for name in key:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _pruned(tables: Tables) -> Tables:
    """Return the tables without empty ones: a section whose last value was taken out says nothing any more."""
    pruned = {name: _pruned(value) if isinstance(value, dict) else value for name, value in tables.items()}
    return {name: value for name, value in pruned.items() if value != {}}
