"""A room with a list of runs and a page on the selected one, which can have the whole screen."""

from textual import on

from screens.following import Following
from screens.ports import Ports
from screens.widgets.lines import Lines
from screens.widgets.runlist import RunList


class Paged(Following):
    """The list is `#list`, the page is `#page`; on a wide screen they stand side by side."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self.alone = ""
        """What the page shows on the whole screen, empty where it stands beside the list."""

    def show_alone(self, what: str) -> None:
        """Give the page the whole screen, or (empty) show the list again."""
        self.alone = what
        self.set_class(bool(what), "-alone")
        self.set_focus(self.query_one("#page" if what else "#list"))
        self.query_one("#page", Lines).scroll_home(animate=False)
        self.call_after_refresh(self.redraw)

    @on(RunList.Selected)
    def _begin_page(self) -> None:
        self.query_one("#page", Lines).scroll_home(animate=False)
        self.redraw()
