"""Sends of a changed line only the columns that changed: Textual sends it from the left edge of its widget on."""

from rich.console import Console, RenderableType
from rich.control import Control
from textual._compositor import ChopsUpdate


class NarrowUpdate(ChopsUpdate):
    """An update whose lines are cropped on both sides, with one control sequence for neighbours of one style."""

    def render_segments(self, console: Console) -> str:
        """Return what the terminal is to be sent."""
        sent: list[str] = []
        for y, first, end in self.spans:
            for chop_end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                left, right = max(x, first), min(chop_end, end)
                if strip is not None and left < right:
                    changed = strip.crop(left - x, right - x).simplify()
                    sent += Control.move_to(left, y).segment.text, changed.render(console)
        return "".join(sent)


def narrow(update: RenderableType | None) -> RenderableType | None:
    """Return an update of single lines as one that sends less, any other as it is."""
    return NarrowUpdate(update.chops, update.spans, update.chop_ends) if type(update) is ChopsUpdate else update
