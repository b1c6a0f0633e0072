"""The form for a new run: kind, folder, preset and output; the run starts only after its checks passed."""

import os
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, DirectoryTree, Input, OptionList
from textual.widgets.option_list import Option

from pipeline.commands import StartRun
from pipeline.model import STAGES
from screens.actions import bindings
from screens.ports import Ports, Refusal, RunRequest
from screens.widgets.folders import FolderTree, PathInput
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, Line, Tone, outside, wrap

_KINDS = tuple(STAGES)
_SUFFIX = b"-features"


class NewRun(Screen[None]):
    """Fills in a `RunRequest`, has it checked in a thread and sends the command."""

    CSS_PATH = "new_run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("new run")]
    AUTO_FOCUS = "FolderTree"

    class Checked(Message):
        """The checks of a request are over."""

        def __init__(self, answer: StartRun | Refusal) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._source = ports.source
        self._prepare = ports.prepare
        self._presets = dict(ports.presets)
        self._names = list(ports.presets)
        self._folder = Path.cwd()
        self._out_follows = b""
        self._checking = False

    def compose(self) -> ComposeResult:
        """Build the form."""
        with Horizontal(id="form"):
            yield FolderTree(self._folder)
            with Vertical(id="fields"):
                yield PathInput(id="folder", placeholder="a folder, or one file")
                yield PathInput(id="out", placeholder="folder for the outputs")
                yield OptionList(*(Option(outside(kind)) for kind in _KINDS), id="kind")
                yield OptionList(*(Option(outside(name)) for name in self._names), id="preset")
                yield Lines(id="meaning")
                yield Button("Check and start", variant="primary", id="start", compact=True)
        yield Lines(id="answer")
        yield KeyLine("new run")

    def on_mount(self) -> None:
        """Name the fields and select what is usual."""
        titles = {"#folder": "videos in", "#out": "outputs in", "#kind": "kind", "#preset": "preset"}
        for selector, title in titles.items():
            self.query_one(selector).border_title = outside(title)
        tree = self.query_one(FolderTree)
        tree.border_title = outside("new run: where are the videos?")
        tree.border_subtitle = outside("Enter takes it")
        for name in ("#meaning", "#answer"):
            self.query_one(name).can_focus = False
        self.query_one("#kind", OptionList).highlighted = 0
        usual = self._names.index("standard") if "standard" in self._names else 0
        self.query_one("#preset", OptionList).highlighted = usual
        self._say("Choose a folder in the tree, or type one.", "quiet")

    @on(DirectoryTree.DirectorySelected)
    @on(DirectoryTree.FileSelected)
    def _chosen(self, event: DirectoryTree.DirectorySelected | DirectoryTree.FileSelected) -> None:
        self.query_one("#folder", PathInput).put(os.fsencode(event.path.absolute()))

    @on(Input.Changed, "#folder")
    def _folder_changed(self) -> None:
        out = self.query_one("#out", PathInput)
        if out.path != self._out_follows:
            return
        folder = self.query_one("#folder", PathInput).path
        self._out_follows = folder + _SUFFIX if folder.strip(b"/") else b""
        out.put(self._out_follows)

    @on(OptionList.OptionHighlighted, "#preset")
    def _preset_moved(self) -> None:
        text = self._presets[self._preset].description
        meaning = self.query_one("#meaning", Lines)
        meaning.show(tuple((Cell(row, "quiet"),) for row in wrap(text, max(20, meaning.line_width))))

    def on_resize(self) -> None:
        """Wrap the description again."""
        self.call_after_refresh(self._preset_moved)

    @on(Input.Submitted, "#folder")
    def _folder_typed(self) -> None:
        self.set_focus(self.query_one("#out"))

    @on(Button.Pressed, "#start")
    @on(Input.Submitted, "#out")
    def _start_pressed(self) -> None:
        self.action_start()

    def action_parent(self) -> None:
        """Show the folder above in the tree."""
        tree = self.query_one(FolderTree)
        tree.path = Path(tree.path).absolute().parent

    def action_leave(self) -> None:
        """Go back and start nothing."""
        self.dismiss(None)

    def action_start(self) -> None:
        """Check what is filled in; the run starts if nothing would surely fail."""
        folder = self.query_one("#folder", PathInput).path
        out = self.query_one("#out", PathInput).path
        if not folder:
            self._say("There is no folder yet: take one from the tree with Enter, or type its path.", "warn")
        elif not out:
            self._say("There is no output folder yet.", "warn")
        elif not self._checking:
            self._checking = True
            self._say("Checking…", "quiet")
            kind = _KINDS[self.query_one("#kind", OptionList).highlighted or 0]
            self._check(RunRequest(kind, (folder,), out, self._preset))

    @work(thread=True)
    def _check(self, request: RunRequest) -> None:
        self.post_message(self.Checked(self._prepare(request)))

    @on(Checked)
    def _answered(self, event: Checked) -> None:
        self._checking = False
        if isinstance(event.answer, Refusal):
            self._say(f"{event.answer.message} {event.answer.remedy}".strip(), "bad")
        else:
            self._source.send(event.answer)
            self.dismiss(None)

    @property
    def _preset(self) -> str:
        return self._names[self.query_one("#preset", OptionList).highlighted or 0]

    def _say(self, text: str, tone: Tone) -> None:
        answer = self.query_one("#answer", Lines)
        sign = "✗ " if tone == "bad" else ""
        rows: tuple[Line, ...] = tuple((Cell(row, tone),) for row in wrap(sign + text, max(20, self.size.width - 3)))
        answer.styles.height = min(8, max(1, len(rows)))
        answer.show(rows)
