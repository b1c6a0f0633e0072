"""What a terminal shows and how it is set, after what a program wrote to it: of what Textual and the console send.

A control that neither sends is kept in `strange`: it can only have come from outside, as from the name of a file.
"""

import codecs
import re

from rich.cells import cell_len

_CONTROL = re.compile(r"\x1b\[([<>?]?)([\d;]*)(\$?[@-~])|\x1b\]22;[a-z-]*\x07")
_UNFINISHED = re.compile(r"\x1b(?:\[[<>?]?[\d;]*\$?|\]2?2?;?[a-z-]*)?\Z")
_AT_FIRST = {"7": True, "25": True}
"""The modes that a fresh terminal has set: wrapping and the cursor."""
_MODES = {"7", "25", "1000", "1002", "1003", "1004", "1006", "1015", "1016", "1049", "2004", "2026", "2048"}
_ALTERNATE = "1049"


class TerminalScreen:
    """A screen of `columns` x `lines` that is fed what a program writes."""

    def __init__(self, columns: int, lines: int) -> None:
        self.columns, self.lines = columns, lines
        self.modes: dict[str, bool] = {}
        self.strange: list[str] = []
        self._keyboards = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._left = ""
        self._x = self._y = 0
        self._clear()

    def feed(self, data: bytes) -> None:
        """Take what was written next; it may end in the middle of a letter or of a control."""
        text = self._left + self._decoder.decode(data)
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._put(text[at])
                at += 1
                continue
            control = _CONTROL.match(text, at)
            if control is None:
                if _UNFINISHED.match(text, at):
                    break
                self.strange.append(repr(text[at : at + 12]))
                at += 1
                continue
            self._obey(control)
            at = control.end()
        self._left = text[at:]

    def rows(self) -> list[str]:
        """Return the screen as a reader sees it."""
        return ["".join(row) for row in self._cells]

    def left_set(self) -> list[str]:
        """Return what is not as a fresh terminal has it."""
        found = [mode for mode, on in self.modes.items() if on != _AT_FIRST.get(mode, False)]
        return found + (["keyboard"] if self._keyboards else [])

    def _clear(self) -> None:
        self._cells = [[" "] * self.columns for _ in range(self.lines)]

    def _obey(self, control: re.Match[str]) -> None:
        mark, numbers, letter = control.groups()
        if letter is None:  # the shape of the mouse
            return
        if letter in {"h", "l"} and mark == "?" and set(numbers.split(";")) <= _MODES:
            self.modes |= dict.fromkeys(numbers.split(";"), letter == "h")
            if numbers == _ALTERNATE:
                self._clear()
        elif letter == "H" and not mark:
            y, _, x = numbers.partition(";")
            self._y, self._x = int(y or 1) - 1, int(x or 1) - 1
        elif letter == "J" and numbers == "2":
            self._clear()
        elif letter == "u" and mark in {"<", ">"}:
            self._keyboards = max(0, self._keyboards + (1 if mark == ">" else -1))
        elif not (letter == "m" and not mark) and letter != "$p":
            self.strange.append(repr(control[0]))

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self._x = 0
        elif letter == "\n":
            self._x, self._y = 0, self._y + 1
        elif letter < " " or "\x7f" <= letter < "\xa0":
            self.strange.append(repr(letter))
        elif 0 <= self._y < self.lines and 0 <= self._x < self.columns:
            width = cell_len(letter)
            if width:
                self._cells[self._y][self._x : self._x + width] = [letter, ""][:width]
                self._x += width
            elif self._x:
                self._cells[self._y][self._x - 1] += letter
