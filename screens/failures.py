"""The room of failures: why videos failed, in groups, and what to do about each: retry, export, dismiss."""

import os
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widgets import Input

from pipeline.commands import Retry, StartRun
from pipeline.job_facts import JobFacts
from pipeline.model import RunState
from pipeline.snapshot import JobRow
from pipeline.text import plural
from screens.actions import bindings
from screens.clipboard import copy
from screens.dismissals import Dismissals
from screens.failure_groups import Heading
from screens.folder_question import FolderQuestion
from screens.following import Following
from screens.job import Job
from screens.other_preset import other_run, preset_question
from screens.ports import Exported, Ports, Refusal
from screens.presenters.failed_videos import Facts, all_dismissed, exported, group_details, title, video_details
from screens.widgets.failure_list import FailureList
from screens.widgets.filter_line import FilterLine
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines, LineView
from screens.widgets.outside import Line, tell


class Failures(Following):
    """Follows the newest snapshot; what only the ledger knows is read in a thread when its video is selected."""

    CSS_PATH = "failures.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("failures")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-low")]  # noqa: RUF012
    AUTO_FOCUS = "FailureList"

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._run_id = 0
        self._notices_s = 0.0
        self._facts: tuple[JobRow | None, Facts] = (None, None)
        """What the ledger said, and the row for which it was asked."""
        self._reading = False

    def compose(self) -> ComposeResult:
        """Build the title, the list with the details of what is selected, and the key line."""
        yield Lines(id="title")
        with Container(id="failed-body"):
            yield FailureList()
            yield Lines(id="details")
        yield FilterLine("name, sentence, class, stage or codec", over="FailureList")
        yield KeyLine("failures", "anywhere")

    def on_mount(self) -> None:
        """Start to pull."""
        self.query_one("#title").can_focus = False
        self._dismissals = Dismissals(self, self._ports.failed, self._list.groups, self._told)
        self._notices_s = max((note.at_s for note in self._ports.source.latest().notices), default=0.0)

    def changed(self) -> None:
        """Take what a newer snapshot tells; what was dismissed is that of its run."""
        snapshot = self._snapshot
        run_id = snapshot.run.run_id if snapshot.run else 0
        if run_id != self._run_id:
            self._run_id = run_id
            self._dismissals.turn_to(run_id, self._list.settle)
        self._list.take(snapshot)
        self._dismissals.keep()
        self._tell_refusals()

    @property
    def _list(self) -> FailureList:
        return self.query_one(FailureList)

    def redraw(self) -> None:
        """Show the list and the details of what is selected."""
        top, details = self.query_one("#title", Lines), self.query_one("#details", Lines)
        top.show(title(self._snapshot, self._list.groups, top.line_width))
        details.show(self._details(details.line_width))
        back = all_dismissed(self._list.sample, self._list.groups)
        self.query_one(KeyLine).rename({"failures.open": "", "failures.dismiss": "take back" if back else "dismiss"})

    def _details(self, width: int) -> tuple[Line, ...]:
        entry, rows = self._list.entry, self._list.sample
        if entry is None:
            return ()
        asked, facts = self._facts
        if asked is None or asked.job_id != rows[0].job_id:
            facts = None
        return (
            group_details(entry, rows, facts, width)
            if isinstance(entry, Heading)
            else video_details(entry, facts, width)
        )

    def _tell_refusals(self) -> None:
        """Tell what the engine said against a command; the notices of before are the monitor's."""
        for note in reversed(self._snapshot.notices):
            if note.at_s > self._notices_s:
                self._notices_s = note.at_s
                if note.level == "error":
                    tell(self.app, note.text, problem=True)

    @on(FailureList.Moved)
    def _moved(self) -> None:
        self.redraw()
        row = next(iter(self._list.sample), None)
        if row is not None and row is not self._facts[0] and not self._reading:
            self._reading = True
            self.aside(lambda: self._ports.job_facts(row.job_id), partial(self._read, row))

    def _read(self, row: JobRow, facts: Facts) -> None:
        self._reading = False
        self._facts = (row, facts)
        self._moved()

    @on(LineView.Chosen)
    def action_open(self) -> None:
        """Fold or unfold the selected group, or show all that is known of the selected video."""
        entry = self._list.entry
        if isinstance(entry, Heading):
            self._list.groups.fold(entry.group)
            self._list.settle()
        elif entry is not None:
            self.app.push_screen(Job(self._ports, entry.job_id, entry.name))

    def action_copy(self) -> None:
        """Copy the path of the selected video."""
        asked, facts = self._facts
        if isinstance(facts, JobFacts) and asked is self._list.entry:
            copy(self.app, self._ports.keep, "path of the video", facts.source)
        else:
            tell(self.app, "No video is selected, or nothing is known of it yet.", problem=True)

    def action_filter(self) -> None:
        """Open the filter."""
        self.query_one(FilterLine).open()

    @on(Input.Changed)
    def _filter_typed(self, event: Input.Changed) -> None:
        self._list.filter(event.value)

    def action_match(self, step: int) -> None:
        """Go to the next video that the filter leaves, or the one before; with no filter, to the next group."""
        if self._list.groups.needle:
            self._list.match(step)
        else:
            self._list.go(self._list.groups.next_heading(max(0, self._list.cursor), step))

    def action_sort(self) -> None:
        """Take the next order of the groups."""
        self._list.groups.sort_next()
        self._list.settle()

    def action_retry(self) -> None:
        """Try the selected video, or those of the selected group, again."""
        self._retry(tuple(row.job_id for row in self._list.chosen))

    def action_retry_all(self) -> None:
        """Try all videos of the list again."""
        self._retry(tuple(self._list.groups.job_ids))

    def _retry(self, job_ids: tuple[int, ...]) -> None:
        run = self._snapshot.run
        if not job_ids or run is None:
            tell(self.app, "There is nothing to retry.", problem=True)
        elif run.state is RunState.CANCELLED:
            tell(self.app, "The run was cancelled: resume it, or retry with another preset.", problem=True)
        else:
            self._ports.source.send(Retry(job_ids=job_ids))
            tell(self.app, f"Asked to retry {plural(len(job_ids), 'video')}.")

    def action_preset(self) -> None:
        """Ask for another preset, then start a new run over what is selected."""
        job_ids, run = [row.job_id for row in self._list.chosen], self._snapshot.run
        question = preset_question(self._ports.presets, run, len(job_ids)) if run and job_ids else None
        if run is None or question is None:
            tell(self.app, "There is nothing to retry, or no other preset.", problem=True)
            return

        def answered(answer: str | None) -> None:
            if answer:
                preset = list(self._ports.presets)[int(answer)]
                self.aside(lambda: other_run(self._ports, run, job_ids, preset), self._told)

        self.app.push_screen(question, answered)

    def action_export(self) -> None:
        """Ask for a folder, then write all failed videos of the run there."""
        run = self._snapshot.run
        if run is None or not (len(self._list.groups) or self._list.groups.hidden):
            tell(self.app, "Nothing has failed.", problem=True)
            return

        def answered(folder: bytes | None) -> None:
            if folder:
                dismissed = frozenset(self._list.groups.dismissed)
                self.aside(lambda: self._ports.failed.export(run.run_id, folder, dismissed), self._told)

        self.app.push_screen(FolderQuestion("export as JSON and CSV into", os.fsencode(run.out)), answered)

    def _told(self, answer: StartRun | Exported | Refusal | None) -> None:
        if isinstance(answer, Refusal):
            tell(self.app, f"{answer.message} {answer.remedy}".strip(), problem=True)
        elif isinstance(answer, Exported):
            tell(self.app, exported(answer))
        elif answer is not None:
            self._ports.source.send(answer)
            videos = plural(len(answer.inputs), "video")
            tell(self.app, f"Asked for a run over {videos}, {answer.preset}, into {os.fsdecode(answer.out)}")

    def action_set_aside(self) -> None:
        """Take what is selected out of the list, or back into it where it is dismissed already."""
        groups, rows = self._list.groups, self._list.chosen
        groups.dismiss([row.job_id for row in rows], back=all_dismissed(rows, groups))
        self._list.settle()
        self._dismissals.keep()

    def action_show_dismissed(self) -> None:
        """Show dismissed videos too, or leave them out again."""
        groups = self._list.groups
        groups.with_dismissed = not groups.with_dismissed
        groups.rebuild()
        self._list.settle()

    def action_leave(self) -> None:
        """Leave the filter, then the room."""
        if not self.query_one(FilterLine).leave():
            self.dismiss(None)
