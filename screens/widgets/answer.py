"""The line over the key line in which a screen tells what came of the last thing that was asked of it."""

from screens.widgets.lines import Lines
from screens.widgets.outside import Cell, Tone, wrap

_MOST_ROWS = 6


class Answer(Lines, can_focus=False):
    """As high as what it says."""

    def say(self, text: str, tone: Tone = "quiet") -> None:
        """Say this in the place of what was said before; an empty text takes no room."""
        rows = wrap(text, max(20, self.app.size.width - 3)) if text else []
        self.styles.height = min(_MOST_ROWS, len(rows))
        self.show(tuple((Cell(row, tone),) for row in rows))
