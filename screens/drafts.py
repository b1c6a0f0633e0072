"""What an operator changed in the settings and has not saved yet; every change can be undone."""

from collections.abc import Iterable

from screens.presenters.advisor import Advice
from screens.sheet import Key, Setting


class Draft:
    """Edits by key: the text that was typed, empty for a setting that goes back to its default."""

    def __init__(self) -> None:
        self.edits: dict[Key, str] = {}
        self._before: list[dict[Key, str]] = []

    def put(self, setting: Setting, text: str) -> bool:
        """Edit one setting and return whether that changed anything; what stands already is no edit."""
        edits = {key: edit for key, edit in self.edits.items() if key != setting.key}
        if setting.written is None and text == setting.default:
            text = ""
        if text != (setting.written or ""):
            edits[setting.key] = text
        if edits == self.edits:
            return False
        self._before.append(self.edits)
        self.edits = edits
        return True

    def advise(self, settings: Iterable[Setting], advice: Iterable[Advice]) -> list[str]:
        """Edit what the advisor would have otherwise, and return each such edit in words."""
        advised = {one.key: one.value for one in advice}
        taken = []
        for setting in settings:
            value = advised.get(setting.key)
            if value is not None and self.put(setting, "" if value == setting.default else value):
                taken.append(f"{setting.dotted} = {value}")
        return taken

    def undo(self) -> bool:
        """Take the last change back; False if there is none."""
        if self._before:
            self.edits = self._before.pop()
            return True
        return False

    def keep_for(self, settings: Iterable[Setting]) -> None:
        """Drop what newly read settings say already, or do not know; there is nothing to undo then."""
        known = {setting.key: setting.written or "" for setting in settings}
        self.edits = {key: edit for key, edit in self.edits.items() if known.get(key, edit) != edit}
        self._before = []
