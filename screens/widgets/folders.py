"""Choosing a path: a tree of folders, and a field that holds a path even where its name cannot be typed."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import DirectoryTree, Input
from textual.widgets.directory_tree import DirEntry
from textual.widgets.tree import TreeNode

from pipeline.text import visible
from screens.actions import bindings
from screens.widgets.outside import outside_label

MOST_FOLDERS, MOST_FILES = 2000, 200
"""Entries of one folder that the tree shows at most; a path beyond them can be typed."""


class FolderTree(DirectoryTree):
    """Folders and files as they are named, hidden ones left out, with what is chosen and what was counted."""

    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▾ "
    ICON_FILE = "  "
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("tree"), *bindings("list")]

    class Marked(Message):
        """The entry under the cursor is to be chosen, or dropped."""

        def __init__(self, path: bytes) -> None:
            super().__init__()
            self.path = path

    def __init__(self, path: Path, told: Callable[[bytes], tuple[bool, str]]) -> None:
        """`told` says of a path whether it is chosen, and a few words on what it holds, empty if not known."""
        super().__init__(path, id="tree")
        self._told = told

    @property
    def here(self) -> bytes:
        """The path under the cursor, empty if there is none."""
        node = self.cursor_node
        return os.fsencode(node.data.path.absolute()) if node is not None and node.data is not None else b""

    def show_again(self) -> None:
        """Draw the entries again, because what is told of them has changed."""
        for line in range(self.last_line + 1):
            node = self.get_node_at_line(line)
            if node is not None:
                node.refresh()

    def action_mark(self) -> None:
        """Choose the entry under the cursor, or drop it."""
        if self.here:
            self.post_message(self.Marked(self.here))

    def action_move(self, step: int) -> None:
        """Go to another entry."""
        self.cursor_line = max(0, min(self.last_line, self.cursor_line + step))

    def action_page(self, step: int) -> None:
        """Go on by a page."""
        self.action_move(step * max(1, self.size.height - 1))

    def action_top(self) -> None:
        """Go to the first entry."""
        self.cursor_line = 0

    def action_bottom(self) -> None:
        """Go to the last entry."""
        self.cursor_line = self.last_line

    def render_label(self, node: TreeNode[DirEntry], base_style: Style, style: Style) -> Text:
        """Return the name with a mark if it is chosen, and behind it what it holds."""
        label = super().render_label(node, base_style, style)
        chosen, words = self._told(os.fsencode(node.data.path.absolute())) if node.data else (False, "")
        if words:
            label.append_text(outside_label(f"  {words}"))
        return outside_label("● ").append_text(label) if chosen else label

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
