"""The operator's own keys: understood, and refused with a sentence where they could not be typed or mean two things."""

import difflib
from collections.abc import Callable, Mapping, Sequence

from textual.binding import Binding
from textual.keys import REPLACED_KEYS, key_to_character

from pipeline.errors import SettingsError
from pipeline.text import visible
from screens.action import Action, meet, readable
from screens.actions import ACTIONS

Keymap = dict[str, tuple[str, ...]]
"""Keys by action, as Textual names them."""

_ALIASES = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete", "ins": "insert"}
_ARROWS = frozenset({"up", "down", "left", "right", "home", "end"})
_NAMED = _ARROWS | {"pageup", "pagedown", "insert", "delete", "backspace", "space", "enter", "escape"}
_FUNCTION = frozenset(f"f{number}" for number in range(1, 13))

_LIKE_ANOTHER = {
    "ctrl+m": "terminals cannot tell it from Enter",
    "ctrl+j": "some terminals cannot tell it from Enter",
    "ctrl+i": "terminals cannot tell it from Tab",
    "ctrl+h": "terminals cannot tell it from Backspace",
    "ctrl+left_square_bracket": "terminals cannot tell it from Esc",
    "tab": "it goes from field to field",
    "shift+tab": "it goes from field to field",
}
_SWALLOWED = {
    "ctrl+a": "screen and many a tmux keep it for themselves",
    "ctrl+b": "tmux keeps it for itself",
    "ctrl+s": "some terminals stop at it",
    "ctrl+q": "some terminals keep it for themselves",
    "ctrl+z": "shells keep it for themselves",
    "f1": "some terminals open their own help with it",
    "f10": "some terminals open their menu with it",
    "f11": "many terminals change their size with it",
}
"""Keys that reach the console on some terminals only: they may stand beside another key, never alone."""


def checked(keys: Mapping[str, Sequence[str]], where: Callable[[str], str] = lambda action: "") -> Keymap:
    """Return `keys` as Textual names them.

    Args:
        keys: Keys by action, as the operator wrote them.
        where: Gives what stands before the name of an action in a message, such as the file that says it.

    Raises SettingsError for an unknown action, a key that cannot be typed, and one that means two things in one place.
    """
    known = {action.id: action for action in ACTIONS}
    keymap: Keymap = {}
    for name, texts in keys.items():
        told = f"{where(name)}keys.{visible(name)}"
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise _refusal(f"{told}: no such action" + (f"; did you mean {near[0]}?" if near else ""))
        keymap[name] = tuple(dict.fromkeys(_key(text, known[name], told) for text in texts))
        alone = [_SWALLOWED.get(key, "") for key in keymap[name]]
        if all(alone):
            reason = f"{readable(keymap[name][0])} must not be the only key: {alone[0]}" if alone else "needs a key"
            raise _refusal(f"{told}: {reason}")
    for name in keymap:
        _refuse_clash(known[name], keymap, f"{where(name)}keys.{name}")
    return keymap


def _refuse_clash(action: Action, keymap: Keymap, told: str) -> None:
    for other in ACTIONS:
        if other.id == action.id or not meet(action.place, other.place):
            continue
        for key in keymap[action.id]:
            if key in keymap.get(other.id, other.keys):
                raise _refusal(f"{told}: {readable(key)} is the key of {other.id} ({other.label}) in the same place")


def _key(text: str, action: Action, told: str) -> str:
    """Return one key as Textual names it. Raises SettingsError where it could not be typed."""
    key = _named(text.strip())
    *held, last = key.split("+")
    said = f"{told}: {visible(text)!r}"
    if key in _LIKE_ANOTHER:
        raise _refusal(f"{said}: {_LIKE_ANOTHER[key]}")
    printable = last not in _NAMED | _FUNCTION
    if printable and not _types_something(last):
        raise _refusal(f"{said} is no key: write a letter, f5, space, pagedown, ctrl+e, alt+e")
    if not _passed_on(held, last, printable=printable):
        raise _refusal(f"{said}: terminals do not pass it on")
    if action.priority and printable and not held:
        raise _refusal(f"{said}: {action.id} works while text is typed, so it needs a key that types nothing")
    return key


def _types_something(key: str) -> bool:
    character = key_to_character(REPLACED_KEYS.get(key, key)) or ""
    return len(character) == 1 and character.isprintable() and (character.isascii() or character.isalpha())


def _passed_on(held: list[str], last: str, *, printable: bool) -> bool:
    letter = printable and last.isascii() and last.isalpha()
    if not held:
        return True
    if held == ["ctrl"]:
        return letter or last in _ARROWS
    if held == ["alt"]:
        return letter or last.isdigit()
    return held == ["shift"] and last in _ARROWS


def _named(text: str) -> str:
    """Return `text` with what it says of modifiers, aliases and capitals as Textual does."""
    held, _, last = text[:-1].rpartition("+")
    last += text[-1:]  # the key may be + itself
    if len(last) > 1 or held:
        last = last.lower()
    last = _ALIASES.get(last, last)
    name = (
        next(iter(Binding.make_bindings([(last, "", "")]))).key if last not in ("", ",") else last.replace(",", "comma")
    )
    return f"{held.lower()}+{name}" if held else name


def _refusal(message: str) -> SettingsError:
    return SettingsError(message, remedy="The help of the console (?) tells all keys and the names of all actions.")
