"""The line in which a filter of a list is typed; it stays while it says something."""

from textual.widgets import Input


class FilterLine(Input):
    """Hidden until it is opened; Enter goes back to the list, and `leave` shows all of it again."""

    DEFAULT_CSS = "FilterLine { display: none; height: 1; padding: 0 1; }"

    def __init__(self, placeholder: str, *, over: str) -> None:
        """`over` selects the list."""
        super().__init__(placeholder=placeholder, id="find", compact=True)
        self._over = over

    def open(self) -> None:
        """Show it and type in it."""
        self.display = True
        self.focus()

    async def action_submit(self) -> None:
        """Go back to the list, which stays narrowed to what is typed."""
        self.display = bool(self.value)
        self.screen.set_focus(self.screen.query_one(self._over))

    def leave(self) -> bool:
        """Show all of the list again; return whether there was anything to leave."""
        shown = bool(self.display)
        if shown:
            self.clear()
            self.display = False
            self.screen.set_focus(self.screen.query_one(self._over))
        return shown
