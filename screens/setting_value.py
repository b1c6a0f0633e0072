"""Asks for the value of one setting, and says as it is typed whether it will do."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from screens.presenters.run_settings import UNSET, RunSetting
from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, Line, outside, wrap


class SettingValue(ModalScreen[str | None]):
    """Gives the text of a value that will do, an empty one for the default, or None for no change."""

    CSS_PATH = "dialogs.tcss"
    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, setting: RunSetting, fault: Callable[[str], str]) -> None:
        """`fault` says what is wrong with a text, empty if nothing is."""
        super().__init__()
        self._setting = setting
        self._fault = fault

    def compose(self) -> ComposeResult:
        """Build the box."""
        with Vertical(classes="box question") as box:
            box.border_title = outside(self._setting.key)
            box.border_subtitle = outside("Enter takes it · Esc changes nothing")
            yield Lines(id="about")
            yield Input("" if self._setting.text == UNSET else outside(self._setting.text).plain, compact=True)
            yield Lines(id="fault")

    def on_mount(self) -> None:
        """Say what the setting is."""
        width = min(64, self.app.size.width - 8)
        rows: list[Line] = [(Cell(row),) for row in wrap(self._setting.description, width)]
        rows.append((Cell(f"Default: {self._setting.default}. Left empty, it is that.", "quiet"),))
        about = self.query_one("#about", Lines)
        about.styles.height = len(rows) + 1
        about.show(tuple(rows))
        for name in ("#about", "#fault"):
            self.query_one(name).can_focus = False

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        wrong = self._fault(event.value)
        rows = wrap(f"✗ {wrong}" if wrong else "✓ This will do.", min(64, self.app.size.width - 8))
        shown = self.query_one("#fault", Lines)
        shown.styles.height = len(rows)
        shown.show(tuple((Cell(row, "bad" if wrong else "good"),) for row in rows))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not self._fault(event.value):
            self.dismiss(event.value)

    def action_leave(self) -> None:
        """Change nothing."""
        self.dismiss(None)
