"""An asking screen that follows the engine: it is told of each snapshot that differs from the last one."""

from pipeline.snapshot import Snapshot
from screens.asking import Asking
from screens.ports import Ports


class Following(Asking):
    """A room says what a newer snapshot means in `changed`, and shows all that it knows in `redraw`."""

    def __init__(self, ports: Ports) -> None:
        super().__init__()
        self._ports = ports
        self._snapshot = Snapshot(serial=-1)

    def on_mount(self) -> None:
        """Look for the newest snapshot, and again a few times a second; Textual calls this after that of the room."""
        self.pull()
        self.set_interval(1 / self._ports.refresh_hz, self.pull)

    def on_resize(self) -> None:
        """Lay the lines out for the new width."""
        self.call_after_refresh(self.redraw)

    def pull(self) -> None:
        """Take the newest snapshot; an unchanged one touches nothing."""
        snapshot = self._ports.source.latest()
        if snapshot.serial != self._snapshot.serial:
            self._snapshot = snapshot
            self.changed()
            self.redraw()

    def changed(self) -> None:
        """Heed a newer snapshot."""

    def redraw(self) -> None:
        """Show what is known; draw only what differs."""
