"""The screen of one video: its streams, the course of its scenes, kept frames as pictures, and all of its work."""

from bisect import bisect_left
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from pipeline.commands import Retry
from pipeline.job_facts import JobFacts
from pipeline.model import RETRYABLE, TERMINAL
from pipeline.snapshot import JobRow
from screens.actions import bindings
from screens.clipboard import copy
from screens.ports import Ports, Refusal
from screens.presenters.job import found_words, has_words, job_body
from screens.presenters.job_head import job_head
from screens.presenters.timeline import timeline
from screens.widgets.filter_line import FilterLine
from screens.widgets.keyline import KeyLine
from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, Line, outside, tell, wrap
from screens.widgets.picture import KeptFrames

_REREADS = 20
"""How often the ledger is read again for one state of the snapshot: its row may follow a moment later."""


class Job(Screen[None]):
    """Follows the newest snapshot, and reads ledger and feature file in a thread when the job's state changes."""

    CSS_PATH = "job.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("job")]
    HORIZONTAL_BREAKPOINTS = [(0, "-small"), (80, "-narrow"), (120, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "#known"

    class Known(Message):
        """Ledger and feature file were read."""

        def __init__(self, answer: JobFacts | Refusal) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, ports: Ports, job_id: int, name: str) -> None:
        super().__init__()
        self._ports = ports
        self._job_id = job_id
        self._video = name
        self._row: JobRow | None = None
        self._facts: JobFacts | None = None
        self._refusal: Refusal | None = None
        self._reading = False
        self._rereads = 0
        self._shown = 0

    def compose(self) -> ComposeResult:
        """Build the head, the strip, the picture beside what is known, and the key line."""
        yield Lines(id="job-head")
        yield Lines(id="course")
        with Horizontal(id="parts"):
            yield KeptFrames(self._ports.album(), id="frame")
            yield Lines(id="known")
        yield FilterLine("words that are said or shown", over="#known")
        yield KeyLine("job", "anywhere")

    def on_mount(self) -> None:
        """Read, and begin to follow."""
        for name in ("#job-head", "#course"):
            self.query_one(name).can_focus = False
        self.query_one("#known").border_title = outside("what is known")
        self._read()
        self.set_interval(1 / self._ports.refresh_hz, self.pull)

    def on_resize(self) -> None:
        """Lay everything out for the new size."""
        self.call_after_refresh(self.redraw)

    def pull(self) -> None:
        """Look at the newest snapshot; what the ledger says is read again where the state there is another."""
        jobs = self._ports.source.latest().jobs
        at = bisect_left(jobs, self._job_id, key=lambda row: row.job_id)
        row = jobs[at] if at < len(jobs) and jobs[at].job_id == self._job_id else None
        if row is not self._row:
            if row and (self._row is None or (row.state, row.attempts) != (self._row.state, self._row.attempts)):
                self._rereads = 0
            self._row = row
            self.redraw()
        if row and self._facts and (row.state, row.attempts) != (self._facts.state, self._facts.attempts_charged):
            self._read()

    def redraw(self) -> None:
        """Draw what is known at the size there is."""
        head, course, known = (self.query_one(name, Lines) for name in ("#job-head", "#course", "#known"))
        facts = self._facts
        self.set_class(facts is not None and facts.transcode is not None, "-transcode")
        bare = facts is not None and facts.timeline is None and (self._row or facts).state in TERMINAL
        if self.has_class("-bare") != bare:
            self.set_class(bare, "-bare")
            self.remove_class("-zoomed")
            self.call_after_refresh(self.redraw)
        self.query_one(KeyLine).rename(_labels(facts, self._row) | ({"job.zoom": ""} if bare else {}))
        self.query_one(KeptFrames).take(facts, self._shown)
        head.show(job_head(facts, self._row, self._video, head.line_width))
        if facts is None:
            known.show(_waiting(self._refusal, known.line_width))
            return
        wanted = self.query_one(FilterLine).value.strip()
        known.show(found_words(facts, wanted, known.line_width) if wanted else job_body(facts, known.line_width))
        if facts.timeline is None:
            course.show(tuple((Cell(row, "warn"),) for row in wrap(facts.timeline_note, course.line_width)[:3]))
        else:
            course.show(timeline(facts.timeline, self._shown, course.line_width))

    def action_frame(self, step: int) -> None:
        """Go to another kept frame."""
        frames = self._facts.timeline.frames if self._facts and self._facts.timeline else ()
        if frames:
            self._shown = min(len(frames) - 1, max(0, self._shown + step))
            self.redraw()

    def action_zoom(self) -> None:
        """Show the picture on the whole screen, and back; a video that left none has no pane for it."""
        if not self.has_class("-bare"):
            self.toggle_class("-zoomed")
            self.call_after_refresh(self.redraw)

    def action_find(self) -> None:
        """Ask for the words to look for in what is said and shown."""
        if self._facts and has_words(self._facts):
            self.query_one(FilterLine).open()
        else:
            tell(self.app, "Neither speech nor on-screen text is known of this video.", problem=True)

    @on(Input.Changed)
    def _words_typed(self) -> None:
        self.redraw()

    def action_copy(self, what: str) -> None:
        """Copy the path of the output, or of the video where there is none."""
        outputs = self._facts.outputs if self._facts else ()
        if self._facts is None:
            tell(self.app, "Nothing is known yet.", problem=True)
        elif what == "output" and outputs:
            copy(self.app, self._ports.keep, "path of the output", outputs[0].path)
        else:
            copy(self.app, self._ports.keep, "path of the video", self._facts.source)

    def action_retry(self) -> None:
        """Try the video again."""
        if self._row is None:
            tell(self.app, "Its run is not the one on the monitor; resume that run first.", problem=True)
        elif self._row.state in RETRYABLE:
            self._ports.source.send(Retry(job_ids=(self._job_id,)))
            tell(self.app, f"Asked to retry {self._video}.")
        else:
            tell(self.app, f"The video is {self._row.state}; there is nothing to retry.", problem=True)

    def action_back(self) -> None:
        """Leave the words typed, then the zoom, then the screen."""
        if self.query_one(FilterLine).leave():
            return
        if self.has_class("-zoomed"):
            self.action_zoom()
        else:
            self.dismiss(None)

    def _read(self) -> None:
        if not self._reading and self._rereads < _REREADS:
            self._rereads += 1
            self._reading = True
            self._read_in_thread()

    @work(thread=True)
    def _read_in_thread(self) -> None:
        self.post_message(self.Known(self._ports.job_facts(self._job_id)))

    @on(Known)
    def _is_known(self, event: Known) -> None:
        self._reading = False
        if isinstance(event.answer, Refusal):
            self._refusal = event.answer
        else:
            self._facts = event.answer
        self.redraw()


def _waiting(refusal: Refusal | None, width: int) -> tuple[Line, ...]:
    if refusal is None:
        return ((Cell("reading…", "quiet"),),)
    told: list[Line] = [(Cell(row, "bad"),) for row in wrap(refusal.message, width)]
    return *told, *((Cell(row, "good"),) for row in wrap(refusal.remedy, width))


def _labels(facts: JobFacts | None, row: JobRow | None) -> dict[str, str]:
    """Return the keys that would do nothing now, each with an empty label."""
    several = facts is not None and facts.timeline is not None and len(facts.timeline.frames) > 1
    labels = {} if several else {"job.before": "", "job.next": ""}
    if facts is None or not has_words(facts):
        labels["job.find"] = ""
    return labels if row and row.state in RETRYABLE else labels | {"job.retry": ""}
