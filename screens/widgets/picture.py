"""Pictures in the terminal, two pixels a cell, one above the other; and the view of a video's kept frames."""

from typing import NamedTuple

from textual import on, work
from textual.message import Message
from textual.strip import Strip

from pipeline.job_facts import FrameFact, JobFacts, SmallPicture
from pipeline.model import TERMINAL
from pipeline.text import clock
from screens.ports import Album
from screens.widgets.lines import LineView
from screens.widgets.outside import Cell, Line, Tone, outside, picture_row, wrap


class PictureView(LineView, can_focus=False):
    """Shows one picture in its middle, or says why there is none."""

    selectable = False

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._picture: SmallPicture | None = None
        self._said: tuple[str, Tone] = ("", "quiet")

    @property
    def room(self) -> tuple[int, int]:
        """Width and height in pixels that a picture may have."""
        region = self.scrollable_content_region
        return region.width, 2 * region.height

    def put(self, picture: SmallPicture) -> None:
        """Show a picture."""
        self._picture = picture
        self.refresh()

    def say(self, text: str, tone: Tone = "quiet") -> None:
        """Show a sentence in place of a picture."""
        if self._picture is not None or self._said != (text, tone):
            self._picture, self._said = None, (text, tone)
            self._drawn.clear()
            self.sync()
            self.refresh()

    def empty(self, width: int) -> tuple[Line, ...]:
        """Return the sentence."""
        text, tone = self._said
        return tuple((Cell(" " * 2), Cell(row, tone)) for row in wrap(text, max(8, width - 4))) if text else ()

    def render_line(self, y: int) -> Strip:
        """Draw one row of the picture."""
        if self._picture is None:
            return super().render_line(y)
        width, height = self.room
        top = (height - self._picture.height) // 4
        return picture_row(self._picture, y - top, width, self.rich_style, colour=not self.app.no_color)


class _Wanted(NamedTuple):
    """Which frame at which size."""

    shown: int
    width: int
    height: int


class KeptFrames(PictureView):
    """Shows one kept frame of a video; its picture is made in a thread, and of those passed by only the last."""

    class Pictured(Message):
        """A picture is there, or a sentence why not."""

        def __init__(self, wanted: _Wanted, answer: SmallPicture | str) -> None:
            super().__init__()
            self.wanted = wanted
            self.answer = answer

    def __init__(self, album: Album, *, id: str) -> None:
        super().__init__(id=id)
        self._album = album
        self._facts: JobFacts | None = None
        self._wanted: _Wanted | None = None
        self._under_way = False
        self._there: _Wanted | None = None

    def on_unmount(self) -> None:
        """End what makes the pictures."""
        self._album.close()

    def take(self, facts: JobFacts | None, shown: int) -> None:
        """Show the kept frame at place `shown`, or say why there is none."""
        if facts != self._facts:
            self._facts, self._there = facts, None
        frames = facts.timeline.frames if facts and facts.timeline else ()
        if not frames:
            self.border_title = outside("kept frames")
            over = facts is not None and facts.state in TERMINAL
            self.say("No frame was kept." if over else "" if facts is None else "No frame is kept yet.")
            return
        self.border_title = outside(_title(frames, shown, facts))
        width, height = self.room
        self._wanted = _Wanted(shown, width, height)
        if width and height:
            self._fetch()

    def _fetch(self) -> None:
        wanted, facts = self._wanted, self._facts
        if self._under_way or wanted is None or wanted == self._there or not facts or not facts.timeline:
            return
        self._under_way = True
        self.border_subtitle = outside("reading…")
        self._make(facts, facts.timeline.frames[wanted.shown], wanted)

    @work(thread=True)
    def _make(self, facts: JobFacts, frame: FrameFact, wanted: _Wanted) -> None:
        answer = self._album.picture(facts, frame, wanted.width, wanted.height)
        self.post_message(self.Pictured(wanted, answer))

    @on(Pictured)
    def _is_there(self, event: Pictured) -> None:
        self._under_way = False
        if event.wanted != self._wanted:
            self._fetch()
            return
        self._there = event.wanted
        if isinstance(event.answer, SmallPicture):
            self.put(event.answer)
            self.border_subtitle = outside("saved picture" if event.answer.saved else "decoded from the video")
        else:
            self.say(event.answer, "warn")
            self.border_subtitle = outside("no picture")


def _title(frames: tuple[FrameFact, ...], shown: int, facts: JobFacts | None) -> str:
    total = facts.timeline.frames_total if facts and facts.timeline else 0
    frame = frames[shown]
    held = f" (the first {len(frames):,} can be shown)" if total > len(frames) else ""
    return f"frame {shown + 1:,} of {total:,} · {clock(frame.time_s)} · scene {frame.scene + 1:,}{held}"
