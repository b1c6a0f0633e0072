"""The settings as an operator reads and edits them: frozen facts that `vconsole` fills in."""

from dataclasses import dataclass
from typing import Literal

Key = tuple[str, ...]
"""A setting's place, e.g. ("scenes", "threshold")."""

Origin = Literal["default", "file", "preset", "environment", "command line"]
"""Who says what a setting is; each wins over those before it."""

Effect = Literal["now", "run", "start"]
"""When a saved value is taken up: at once, by the next new run, or at the next start of the program."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says a setting is, as an operator would type it; empty = unset."""

    origin: Origin
    value: str
    where: str = ""
    """The file, the variable or the option; the name of the preset."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting with all that is known of it."""

    key: Key
    explanation: str
    allowed: str
    """What it may be, in words."""
    effect: Effect
    layers: tuple[Layer, ...]
    """Who says what it is, the weakest first: the default, and of the others those that say something."""

    @property
    def dotted(self) -> str:
        """The key as a command line has it."""
        return ".".join(self.key)

    @property
    def default(self) -> str:
        """What it is where nobody says anything."""
        return self.layers[0].value

    @property
    def written(self) -> str | None:
        """What the file says, None = nothing."""
        return next((layer.value for layer in self.layers if layer.origin == "file"), None)

    def heard(self, preset: str) -> tuple[Layer, ...]:
        """Return the layers that a run with `preset` hears; the last one counts."""
        return tuple(layer for layer in self.layers if layer.origin != "preset" or layer.where == preset)

    def above_file(self, preset: str) -> Layer | None:
        """Return what wins over the file in a run with `preset`, None = the file has its way."""
        last = self.heard(preset)[-1]
        return last if last.origin not in ("default", "file") else None


@dataclass(frozen=True, slots=True)
class Sheet:
    """All settings as they stand, and the file that edits are saved to."""

    path: str
    digest: str
    """Of what the file held when it was read, to notice that it was changed meanwhile; empty = there was no file."""
    settings: tuple[Setting, ...]
    sections: tuple[tuple[str, str], ...]
    """Each section's name with its explanation, in order."""
    presets: tuple[str, ...]
    preset: str
    """The preset of a run that names none."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The file holds the edits now."""

    sheet: Sheet
    """The settings as they were read back."""
    backup: str
    """The name, beside the file, under which what was there before is kept; empty = there was no file."""
