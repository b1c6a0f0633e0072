"""The form of a new run: kind, files and folders, preset, settings and output; its plan is the next screen."""

import os
import threading
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import DirectoryTree, Input, OptionList, Tree

from pipeline.forecast import Holding
from screens.actions import bindings, key_of
from screens.choice import Choice, Counting
from screens.plan import RunPlan
from screens.ports import Ports, RunRequest
from screens.presenters.choice import chosen_lines, here_lines, output_for, short, total_words
from screens.preset_choice import PresetChoice
from screens.widgets.answer import Answer
from screens.widgets.folders import FolderTree, PathInput
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, outside
from screens.widgets.picks import Picks

_REST_S = 0.25
"""How long the cursor of the tree rests on an entry before that is counted."""


class NewRun(Screen[None]):
    """Fills in a `RunRequest` and shows its plan."""

    CSS_PATH = "new_run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("new run")]
    AUTO_FOCUS = "FolderTree"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall")]  # noqa: RUF012

    class Counted(Message):
        """What a path holds, as far as it is counted."""

        def __init__(self, path: bytes, holding: Holding, stop: threading.Event) -> None:
            super().__init__()
            self.path = path
            self.holding = holding
            self.asked = stop

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._ports = ports
        self._choice = Choice()
        self._counting = Counting(self._choice, self._count)
        self._rest: Timer | None = None
        self._out_follows = b""

    def compose(self) -> ComposeResult:
        """Build the form."""
        with Horizontal(id="form"):
            with Vertical(id="where"):
                yield FolderTree(Path.cwd(), self._told)
                yield Lines(id="here")
            with Vertical(id="fields"):
                yield Picks(id="chosen", said=((Cell("Nothing yet.", "quiet"),),))
                yield PathInput(id="typed", placeholder="or type a path; Enter adds it")
                yield PathInput(id="out", placeholder="folder for the outputs")
                yield PresetChoice(self._ports.planning, self._ports.presets)
        yield Answer()
        yield KeyLine("new run", "tree")

    def on_mount(self) -> None:
        """Name the fields and select what is usual."""
        titles = {"#tree": "where are the videos?", "#chosen": "videos in", "#out": "outputs in"}
        for selector, title in titles.items():
            self.query_one(selector).border_title = outside(title)
        self.query_one("#here").can_focus = False
        self._show_choice()
        choose, plan = key_of("newrun.mark"), key_of("newrun.plan")
        self.query_one(Answer).say(f"{choose} chooses what is under the cursor, one or several; {plan} shows the plan.")

    def on_unmount(self) -> None:
        """Count for nobody no longer."""
        self._counting.stop()

    def on_resize(self) -> None:
        """Lay out the texts again."""
        self.call_after_refresh(self._show_choice)

    @on(Tree.NodeHighlighted)
    def _moved(self) -> None:
        if self._rest:
            self._rest.stop()
        self._rest = self.set_timer(_REST_S, self._look)
        self._show_choice()

    @on(FolderTree.Marked)
    def _marked(self, event: FolderTree.Marked) -> None:
        self._toggle(event.path)

    @on(DirectoryTree.FileSelected)
    def _file_taken(self, event: DirectoryTree.FileSelected) -> None:
        self._toggle(os.fsencode(event.path.absolute()))

    @on(Input.Submitted, "#typed")
    def _typed(self) -> None:
        field = self.query_one("#typed", PathInput)
        if field.path:
            self._toggle(field.path)
            field.value = ""

    @on(Picks.Picked, "#chosen")
    def action_drop(self) -> None:
        """Drop the path that is selected among those chosen."""
        at = self.query_one("#chosen", Picks).cursor
        if at >= 0:
            self._toggle(self._choice.paths[at])

    def _toggle(self, path: bytes) -> None:
        self.query_one(Answer).say(self._choice.toggle(path) or f"{key_of('newrun.plan')} shows the plan.")
        self._propose_out()
        self._look()

    @on(OptionList.OptionHighlighted, "#kind")
    def _propose_out(self) -> None:
        out = self.query_one("#out", PathInput)
        if out.path == self._out_follows:
            self._out_follows = output_for(self._choice.paths, self.query_one(PresetChoice).kind)
            out.put(self._out_follows)

    def _look(self) -> None:
        self._counting.look(self.query_one(FolderTree).here)
        self._show_choice()

    @work(thread=True, group="count")
    def _count(self, path: bytes, stop: threading.Event) -> None:
        def tell(holding: Holding) -> None:
            self.post_message(self.Counted(path, holding, stop))

        tell(self._ports.planning.count(path, stop, tell))

    @on(Counted)
    def _counted(self, event: Counted) -> None:
        if self._counting.took(event.path, event.holding, event.asked):
            self._look() if event.holding.over else self._show_choice()

    def action_stop_counting(self) -> None:
        """Count no further."""
        self._counting.stop()
        self._show_choice()

    def action_parent(self) -> None:
        """Show the folder above in the tree."""
        tree = self.query_one(FolderTree)
        tree.path = Path(tree.path).absolute().parent

    def action_leave(self) -> None:
        """Go back and start nothing."""
        self.dismiss(None)

    def action_plan(self) -> None:
        """Show the plan of what is filled in, or what is still missing for one."""
        self._typed()
        out = self.query_one("#out", PathInput).path
        if not self._choice.paths:
            self.query_one(Answer).say("Nothing is chosen yet: choose in the tree, or type a path.", "warn")
        elif not out:
            self.query_one(Answer).say("There is no output folder yet.", "warn")
        else:
            what, paths = self.query_one(PresetChoice), tuple(self._choice.paths)
            request = RunRequest(what.kind, paths, out, what.preset, tuple(what.changes.items()))
            total = self._choice.total()
            counted = total.videos if total.over and not total.capped else 0
            self.app.push_screen(RunPlan(self._ports, request, counted), self._planned)

    def _planned(self, started: bool | None) -> None:
        if started:
            self.dismiss(None)

    def _told(self, path: bytes) -> tuple[bool, str]:
        holding = self._choice.holdings.get(path)
        return path in self._choice.paths, short(holding) if holding else ""

    def _show_choice(self) -> None:
        tree, here, chosen = (
            self.query_one(FolderTree),
            self.query_one("#here", Lines),
            self.query_one("#chosen", Picks),
        )
        here.show(here_lines(tree.here, self._choice.holdings.get(tree.here), max(20, here.line_width)))
        chosen.show(chosen_lines(self._choice, max(20, chosen.line_width)))
        chosen.border_subtitle = outside(total_words(self._choice))
        self.query_one(KeyLine).rename({} if self._counting.goes_on else {"newrun.stop": ""})
        tree.show_again()
