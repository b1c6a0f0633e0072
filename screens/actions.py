"""The one list of what an operator can do: key bindings, the key line and the help are drawn from it."""

from collections.abc import Iterable

from textual.binding import Binding

from screens.action import Action, Place
from screens.registry.machine import MACHINE
from screens.registry.monitor import MONITOR
from screens.registry.new_run import NEW_RUN
from screens.registry.past import PAST

ACTIONS: tuple[Action, ...] = (*MONITOR, *NEW_RUN, *PAST, *MACHINE)
"""Everything an operator can do."""


def key_of(action_id: str) -> str:
    """Return the key of an action as an operator reads it."""
    return next(action.key for action in ACTIONS if action.id == action_id)


def bindings(place: Place, *also: str) -> list[Binding]:
    """Return the key bindings of a place, with ids by which a keymap can change them.

    `also` names actions of other places that a screen takes in its own way.
    """
    return [
        Binding(",".join(action.keys), action.call, action.label, show=False, priority=action.priority, id=action.id)
        for action in ACTIONS
        if action.place == place or action.id in also
    ]


def prominent(places: Iterable[Place]) -> list[Action]:
    """Return the actions for the key line of a screen, the most wanted first."""
    wanted = set(places)
    chosen = [action for action in ACTIONS if action.place in wanted and action.prominence]
    return sorted(chosen, key=lambda action: action.prominence)
