"""The question for a folder, typed or taken as proposed."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from screens.widgets.folders import PathInput
from screens.widgets.outside import outside


class FolderQuestion(ModalScreen[bytes]):
    """Asks for a folder; Esc gives none."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, title: str, folder: bytes) -> None:
        super().__init__()
        self._title = title
        self._folder = folder

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box question") as box:
            box.border_title = outside(self._title)
            box.border_subtitle = outside("Enter takes it, Esc goes back")
            yield PathInput(id="folder", placeholder="a folder")

    def on_mount(self) -> None:
        """Propose a folder."""
        self.query_one(PathInput).put(self._folder)

    @on(Input.Submitted)
    def _typed(self) -> None:
        if path := self.query_one(PathInput).path:
            self.dismiss(path)

    def action_leave(self) -> None:
        """Go back."""
        self.dismiss(None)
