"""Choosing a path: a tree of folders, and a field that holds a path even where its name cannot be typed."""

import os
from collections.abc import Iterable
from pathlib import Path

from rich.text import Text
from textual.widgets import DirectoryTree, Input

from pipeline.text import visible
from screens.widgets.outside import outside_label

MOST_FOLDERS, MOST_FILES = 2000, 200
"""Entries of one folder that the tree shows at most; a path beyond them can be typed."""


class FolderTree(DirectoryTree):
    """Folders and files as they are named, hidden ones left out."""

    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▾ "
    ICON_FILE = "  "

    def process_label(self, label: str | Text) -> Text:
        """Show a name literally."""
        return outside_label(label if isinstance(label, str) else label.plain)

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Leave out what is hidden, as the engine does, and what is too much to look through; runs in a thread."""
        folders: list[Path] = []
        files: list[Path] = []
        for path in paths:
            if not path.name.startswith("."):
                (folders if self._safe_is_dir(path) else files).append(path)
        return [*folders[:MOST_FOLDERS], *files[:MOST_FILES]]


class PathInput(Input):
    """A path that is typed, or taken from the tree with all its bytes even where it shows with symbols."""

    def __init__(self, *, id: str, placeholder: str) -> None:
        super().__init__(id=id, placeholder=placeholder)
        self._exact = b""

    def validate_value(self, value: str) -> str:
        """Keep control characters out of the field."""
        return visible(value)

    def put(self, path: bytes) -> None:
        """Take a path from elsewhere."""
        self._exact = path
        self.value = visible(path)

    @property
    def path(self) -> bytes:
        """The absolute path in the field, empty if there is none."""
        if self._exact and self.value == visible(self._exact):
            return self._exact
        text = self.value.strip()
        if not text:
            return b""
        try:
            return os.fsencode(Path(text).expanduser().absolute())
        except RuntimeError:  # "~name" where nobody has that name: then it is just a name
            return os.fsencode(Path(text).absolute())
