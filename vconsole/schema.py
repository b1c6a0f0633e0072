"""The schema of the settings as a tree of keys: which keys exist, what they hold, and which known key is nearest."""

import difflib
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.errors import SettingsError
from pipeline.settings import PipelineSettings, Preset, Settings

Key = tuple[str, ...]
"""A setting's place, e.g. ("scenes", "threshold")."""

PRESET_SETTINGS: Key = ("settings",)
"""Below `presets.NAME`: where a preset keeps a tree of settings of its own."""


@dataclass(frozen=True, slots=True)
class Node:
    """One place in the tree: a section (`model`), a table of named sections (`entry`), or a value (`field`).

    A `free` value is a table whose names the schema does not know.
    """

    model: type[BaseModel] | None = None
    entry: type[BaseModel] | None = None
    field: FieldInfo | None = None
    free: bool = False

    @property
    def is_text(self) -> bool:
        """Whether this is a value that holds text and nothing else."""
        return self.field is not None and self.field.annotation is str

    def children(self) -> list[str]:
        """Return the names known below this place; none for a value or a table of named sections."""
        return list(self.model.model_fields) if self.model else []

    def child(self, name: str) -> "Node | None":
        """Return the place called `name` below this one, or None if there is none."""
        if self.free:
            return self
        if self.entry is not None:
            return Node(model=self.entry)
        if self.model is None or name not in self.model.model_fields:
            return None
        if (*PRESET_SETTINGS,) == (name,) and self.model is Preset:
            return Node(model=PipelineSettings)
        return _node(self.model.model_fields[name])


ROOT = Node(model=Settings)


def _node(field: FieldInfo) -> Node:
    annotation = field.annotation
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            return Node(model=annotation)
    elif typing.get_origin(annotation) is dict:
        value = typing.get_args(annotation)[1]
        if isinstance(value, types.GenericAlias):
            return Node(field=field, free=True)
        return Node(entry=value)
    return Node(field=field)


def locate(key: Key) -> Node:
    """Return the place of `key`. Raises SettingsError, naming the nearest known key, if there is none."""
    node = ROOT
    for depth, name in enumerate(key):
        below = node.child(name)
        if below is None:
            raise SettingsError(_unknown(key, depth, node))
        node = below
    return node


def _unknown(key: Key, depth: int, node: Node) -> str:
    dotted = ".".join(key)
    if node.field is not None:
        return f"{dotted}: {'.'.join(key[:depth])} is a value, not a section"
    near = nearest(key, depth, node)
    return f"{dotted}: no such setting" + (f"; did you mean {near}?" if near else "")


def nearest(key: Key, depth: int, node: Node) -> str:
    """Return the known key that looks most like `key`, whose first `depth` parts are known; empty if none does."""
    close = difflib.get_close_matches(key[depth], node.children(), n=1, cutoff=0.6)
    if close:
        return ".".join((*key[:depth], close[0], *key[depth + 1 :]))
    everywhere = {".".join(known) for known, _ in leaves()}
    same_name = [known for known in sorted(everywhere) if known.rsplit(".", 1)[-1] == key[-1]]
    close = same_name[:1] or difflib.get_close_matches(".".join(key), everywhere, n=1, cutoff=0.6)
    return close[0] if close else ""


def leaves(node: Node = ROOT, key: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Yield every value of the schema outside tables of free names, in the order of the schema."""
    if node.field is not None and not node.free:
        yield key, node.field
    for name in node.children():
        below = node.child(name)
        if below is not None and below.entry is None:
            yield from leaves(below, (*key, name))
