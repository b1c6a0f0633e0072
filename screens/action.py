"""One thing that an operator can do, where, and the keys in force for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from textual.keys import REPLACED_KEYS, key_to_character

Place = Literal[
    "anywhere",
    "monitor",
    "list",
    "room",
    "new run",
    "tree",
    "pick",
    "plan",
    "job",
    "doctor",
    "lab",
    "lab form",
    "models",
    "failures",
    "settings",
    "runs",
    "classify form",
    "analysis",
]
"""Where an action can be taken: `list` is any pane or page with lines, `pick` one whose lines can be picked, `tree` the
tree of folders, `room` any full screen but the monitor."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing an operator can do."""

    id: str
    """Its name for the configuration and for tests, `group.verb`."""
    keys: tuple[str, ...]
    """Keys as Textual names them; the first is the one shown."""
    call: str
    """The Textual action it calls."""
    label: str
    """A word or two for the key line."""
    text: str
    """One sentence for the help."""
    place: Place
    prominence: int = 0
    """Rank in the key line, 1 first; 0 = only in the help."""
    priority: bool = False
    """Whether the key works while text is typed."""

    @property
    def keys_in_force(self) -> tuple[str, ...]:
        """The operator's own keys for it, else `keys`."""
        return _REMAPPED.get(self.id, self.keys)

    @property
    def key(self) -> str:
        """The first key in force as an operator reads it."""
        return readable(self.keys_in_force[0])


_REMAPPED: dict[str, tuple[str, ...]] = {}


_NAMES = {
    "left": "←",
    "right": "→",
    "space": "Space",
    "enter": "Enter",
    "escape": "Esc",
    "up": "↑",
    "down": "↓",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
    "delete": "Del",
    "backspace": "Backspace",
}


def readable(key: str) -> str:
    """Return the name of a key as it is printed on it."""
    *held, last = key.split("+")
    if key in _NAMES:
        return _NAMES[key]
    if held:
        name = readable(last)
        return "+".join([*(part.capitalize() for part in held), name.upper() if len(name) == 1 else name])
    if key[0] == "f" and key[1:].isdigit():
        return key.upper()
    return key_to_character(REPLACED_KEYS.get(key, key)) or key.capitalize()


def meet(first: Place, second: Place) -> bool:
    """Return whether actions of both places can be taken on one screen, so that one key must not mean both."""
    both = {first, second}
    form = {"new run", "tree", "pick"}
    other_form = {"lab form", "pick"}
    in_rooms = "room" in both and "monitor" not in both
    return len(both) == 1 or bool(both & {"anywhere", "list"}) or in_rooms or both <= form or both <= other_form


def remap(keys: Mapping[str, tuple[str, ...]]) -> None:
    """Put the operator's keys, by action, in the place of those of the registry; none are left of an earlier call."""
    _REMAPPED.clear()
    _REMAPPED.update(keys)
