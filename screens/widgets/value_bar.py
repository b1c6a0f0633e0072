"""The line in which the value of one setting is typed, with what is wrong with it below."""

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from screens.presenters.settings import typing
from screens.sheet import Key, Setting
from screens.widgets.lines import Lines


class ValueBar(Vertical):
    """Hidden until `open`; tells `Taken` only with a value that passed the check."""

    class Taken(Message):
        """Enter was pressed and the value is right."""

        def __init__(self, setting: Setting, text: str) -> None:
            super().__init__()
            self.setting = setting
            self.text = text

    def __init__(self, check: Callable[[Key, str], str]) -> None:
        super().__init__()
        self._check = check
        self._setting: Setting | None = None
        self._preset = ""

    def compose(self) -> ComposeResult:
        """Build the input and what stands below it."""
        yield Input(id="value", compact=True)
        yield Lines(id="typing")

    def on_mount(self) -> None:
        """Let the keys pass the line that only says something."""
        self.query_one("#typing").can_focus = False

    @property
    def is_open(self) -> bool:
        """Whether a value is typed now."""
        return self._setting is not None

    def open(self, setting: Setting, text: str, preset: str) -> None:
        """Begin with `text` as the value of `setting`."""
        self._setting, self._preset = setting, preset
        self.display = True
        field = self.query_one("#value", Input)
        field.placeholder = setting.default or "unset"
        field.value = text
        field.cursor_position = len(text)
        self.screen.set_focus(field)
        self._show()

    def close(self) -> None:
        """End without a value."""
        self._setting = None
        self.display = False

    def on_resize(self) -> None:
        """Wrap what is said again."""
        self._show()

    @on(Input.Changed)
    def _show(self) -> None:
        if self._setting is None:
            return
        said = self.query_one("#typing", Lines)
        width = max(20, self.app.size.width - 2)
        lines = typing(self._setting, self._problem(self._setting), self._preset, width)
        said.styles.height = min(4, len(lines))
        said.show(lines)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._setting is not None and not self._problem(self._setting):
            self.post_message(self.Taken(self._setting, event.value.strip()))

    def _problem(self, setting: Setting) -> str:
        return self._check(setting.key, self.query_one("#value", Input).value)
