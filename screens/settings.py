"""The settings room: every setting with who says what it is, edits that are checked as they are typed, and saving."""

from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from screens.actions import bindings
from screens.drafts import Draft
from screens.ports import Ports, Refusal
from screens.presenters.advisor import advise
from screens.presenters.settings import Row, about, details, rows, saved_notice
from screens.questions import unsaved_question
from screens.sheet import Key, Saved, Setting, Sheet
from screens.widgets.filter_line import FilterLine
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, Tone, wrap
from screens.widgets.settings_list import SettingsList
from screens.widgets.value_bar import ValueBar


class SettingsRoom(Screen[None]):
    """Shows a `Sheet`, collects edits in a `Draft`, and has them saved in a thread."""

    CSS_PATH = "settings.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("settings", "app.quit")]
    HORIZONTAL_BREAKPOINTS = [(0, "-small"), (80, "-narrow"), (120, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "#settings"

    class Answered(Message):
        """The settings were read, or saved, or that was refused."""

        def __init__(self, answer: Sheet | Saved | Refusal) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._source = ports.source
        self._store = ports.settings
        self._sheet: Sheet | None = None
        self._draft = Draft()
        self._preset = ""
        self._hint = "Reading the settings…"
        self._saving = False
        self._leave: Callable[[], object] | None = None
        """What is done once the changes are saved."""

    def compose(self) -> ComposeResult:
        """Build the head, the list beside the details, and the two lines to type in."""
        yield Lines(id="about")
        with Horizontal(id="sheet"):
            yield SettingsList(id="settings")
            yield Lines(id="details")
        yield FilterLine("name, explanation, value or who says so, e.g. file", over="#settings")
        yield ValueBar(self._store.check)
        yield Lines(id="said")
        yield KeyLine("settings", "anywhere")

    def on_mount(self) -> None:
        """Read the settings."""
        self.query_one("#about").can_focus = self.query_one("#said").can_focus = False
        self._read()

    def on_resize(self) -> None:
        """Lay the lines out for the new width."""
        self.call_after_refresh(self.redraw)

    @work(thread=True)
    def _read(self) -> None:
        self.post_message(self.Answered(self._store.read()))

    @work(thread=True)
    def _save(self, sheet: Sheet, edits: dict[Key, str]) -> None:
        self.post_message(self.Answered(self._store.save(sheet, edits)))

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        answer = event.answer
        if isinstance(answer, Sheet):
            self._take(answer)
            self._say("", "")
            return
        self._saving = False
        if isinstance(answer, Refusal):
            self._leave = None
            self._hint = answer.message
            self._say(f"✗ {answer.message} {answer.remedy}".strip(), "bad")
            self.redraw()
        else:
            self._was_saved(answer)

    def _was_saved(self, saved: Saved) -> None:
        edited = [one for one in saved.sheet.settings if one.key in self._draft.edits]
        self._take(saved.sheet)
        self._say(saved_notice(edited, saved, self._preset), "good")
        for setting in edited:
            theme = setting.heard(self._preset)[-1].value
            if setting.effect == "now" and theme in self.app.available_themes:
                self.app.theme = theme
        if self._leave is not None:
            self._leave()

    def _take(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._hint = "No setting contains that."
        self._preset = self._preset if self._preset in sheet.presets else sheet.preset
        self._draft.keep_for(sheet.settings)
        self.redraw()

    @on(Input.Changed, "#find")
    def redraw(self) -> None:
        """Show the sheet with the edits."""
        listing = self.query_one(SettingsList)
        found: tuple[Row, ...] = ()
        if self._sheet is not None:
            found = rows(self._sheet, self._draft.edits, self._preset, self.query_one(FilterLine).value)
            head, advice = self.query_one("#about", Lines), advise(self._source.latest())
            head.show(about(self._sheet, self._draft.edits, self._preset, advice, head.line_width))
        listing.take(found, self._draft.edits, self._preset, self._hint)
        self._show_details()

    @on(SettingsList.Moved)
    def _moved(self) -> None:
        self._say("", "")
        self._show_details()

    def _show_details(self) -> None:
        one = self.query_one(SettingsList).selected
        pane = self.query_one("#details", Lines)
        edit = self._draft.edits.get(one.key) if isinstance(one, Setting) else None
        advice = advise(self._source.latest())
        pane.show(() if one is None else details(one, edit, self._preset, advice, pane.line_width))
        pane.scroll_home(animate=False)

    @property
    def _selected(self) -> Setting | None:
        one = self.query_one(SettingsList).selected
        return one if isinstance(one, Setting) else None

    @on(SettingsList.Chosen)
    def action_edit(self) -> None:
        """Type another value for the selected setting."""
        setting = self._selected
        if setting is None:
            self._say("That is the name of a section; select a setting below it.", "warn")
            return
        written = setting.written if setting.written is not None else setting.default
        self._say("", "")
        self.query_one(ValueBar).open(setting, self._draft.edits.get(setting.key, written), self._preset)

    @on(ValueBar.Taken)
    def _typed(self, event: ValueBar.Taken) -> None:
        self._draft.put(event.setting, event.text)
        self._stop_typing()
        self.redraw()

    def _stop_typing(self) -> None:
        self.query_one(ValueBar).close()
        self.set_focus(self.query_one(SettingsList))

    def action_default(self) -> None:
        """Take the selected setting out of the file."""
        setting = self._selected
        if setting is not None and not self._draft.put(setting, ""):
            self._say(f"The file does not set {setting.dotted}.", "quiet")
        self.redraw()

    def action_undo(self) -> None:
        """Take the last change back."""
        self._say("" if self._draft.undo() else "There is nothing to undo.", "quiet")
        self.redraw()

    def action_advice(self) -> None:
        """Take the advisor's values into the edits."""
        taken = self._draft.advise(self._sheet.settings if self._sheet else (), advise(self._source.latest()))
        self._say(f"Taken, not saved yet: {'; '.join(taken)}." if taken else "The file is as advised already.", "quiet")
        self.redraw()

    def action_preset(self) -> None:
        """Show the settings as a run with the next preset reads them."""
        if self._sheet is not None:
            names = self._sheet.presets
            self._preset = names[(names.index(self._preset) + 1) % len(names)]
            self.redraw()

    def action_filter(self) -> None:
        """Open the filter."""
        self.query_one(FilterLine).open()

    def action_reread(self) -> None:
        """Read the file again; the edits stay."""
        self._read()

    def action_save(self) -> None:
        """Write the edits into the file."""
        if self.query_one(ValueBar).is_open:
            self._say("Enter takes what is typed, Esc does not; then save.", "warn")
        elif not self._draft.edits:
            self._say("There is nothing to save.", "quiet")
        elif self._sheet is not None and not self._saving:
            self._saving = True
            self._say("Saving…", "quiet")
            self._save(self._sheet, dict(self._draft.edits))

    def _say(self, text: str, tone: Tone) -> None:
        said = self.query_one("#said", Lines)
        said.show(tuple((Cell(part, tone),) for part in wrap(text, max(20, self.size.width - 2))) if text else ())
        said.styles.height = min(6, said.row_count())

    def action_back(self) -> None:
        """Leave what is typed, then the filter, then the room."""
        if self.query_one(ValueBar).is_open:
            self._stop_typing()
        elif not self.query_one(FilterLine).leave():
            self._unless_unsaved(lambda: self.dismiss(None))

    def action_ask_quit(self) -> None:
        """Quit, once the operator knows what is not saved."""
        self._unless_unsaved(lambda: self.call_later(self.app.run_action, "ask_quit"))

    def _unless_unsaved(self, leave: Callable[[], object]) -> None:
        """Ask what is to become of unsaved changes, then leave; leave at once where there are none."""
        if not self._draft.edits:
            leave()
            return

        def answered(answer: str | None) -> None:
            if answer == "save":
                self._leave = leave
                self.action_save()
            elif answer == "drop":
                leave()

        self.app.push_screen(unsaved_question(len(self._draft.edits)), answered)
