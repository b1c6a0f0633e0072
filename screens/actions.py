"""The one list of what an operator can do: key bindings, the key line and the help are drawn from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding
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


ACTIONS: tuple[Action, ...] = (
    Action(
        "run.new",
        ("a",),
        "app.open('new run')",
        "new run",
        "Choose a folder, a preset and an output, and start a run.",
        "monitor",
        2,
    ),
    Action("run.resume", ("u",), "resume", "resume", "Go on with the newest interrupted run.", "monitor"),
    Action(
        "run.pause", ("space",), "pause", "pause", "Pause the run, or go on after a pause or a drain.", "monitor", 1
    ),
    Action("run.drain", ("d",), "drain", "drain", "Finish the videos that run, start no more.", "monitor", 9),
    Action(
        "run.fewer-workers",
        ("left_square_bracket",),
        "workers(-1)",
        "fewer workers",
        "Work with one worker less; it finishes its video first.",
        "monitor",
        12,
    ),
    Action(
        "run.more-workers",
        ("right_square_bracket",),
        "workers(1)",
        "more workers",
        "Work with one worker more.",
        "monitor",
        13,
    ),
    Action("run.cancel", ("x",), "cancel", "cancel", "Cancel the selected video or the run; asks first.", "monitor", 7),
    Action(
        "run.retry",
        ("r",),
        "retry",
        "retry",
        "Try the selected failure again; with none selected, all of them.",
        "monitor",
        5,
    ),
    Action("run.retry-all", ("R",), "retry_all", "retry all", "Try all failed videos again.", "monitor"),
    Action(
        "queue.filter",
        ("slash",),
        "filter",
        "filter",
        "Show only the videos whose name, state, stage or failure contains a text.",
        "monitor",
        6,
    ),
    Action("queue.next", ("n",), "match(1)", "next", "Select the next video that the filter leaves.", "monitor"),
    Action("queue.previous", ("N",), "match(-1)", "previous", "Select the one before.", "monitor"),
    Action(
        "queue.sort",
        ("o",),
        "sort",
        "sort",
        "Take the next order: running first, name, length, state, rate.",
        "monitor",
        14,
    ),
    Action("pane.queue", ("1",), "pane('queue')", "queue", "Go to the queue.", "monitor"),
    Action("pane.stages", ("2",), "pane('stages')", "stages", "Go to the stages.", "monitor"),
    Action("pane.devices", ("3",), "pane('devices')", "devices", "Go to the devices.", "monitor"),
    Action("pane.failures", ("4",), "pane('failures')", "failed", "Go to the failed videos.", "monitor"),
    Action("pane.zoom", ("z",), "zoom", "zoom", "Show one pane on the whole screen, and back.", "monitor", 8),
    Action("list.details", ("enter",), "details", "details", "Open the selected video.", "monitor", 10),
    Action("list.down", ("j", "down"), "move(1)", "down", "Next line.", "list"),
    Action("list.up", ("k", "up"), "move(-1)", "up", "Line before.", "list"),
    Action("list.page-down", ("pagedown", "ctrl+d"), "page(1)", "page down", "Next page.", "list"),
    Action("list.page-up", ("pageup", "ctrl+u"), "page(-1)", "page up", "Page before.", "list"),
    Action("list.top", ("g", "home"), "top", "top", "First line; the queue then stays with what runs.", "list"),
    Action("list.bottom", ("G", "end"), "bottom", "bottom", "Last line.", "list"),
    Action(
        "screen.back", ("escape",), "back", "back", "Leave the filter, the zoom, the selection or a dialog.", "monitor"
    ),
    Action(
        "newrun.plan",
        ("f5", "f2", "ctrl+s"),
        "plan",
        "plan",
        "Show what the run would do; nothing starts before you have seen it.",
        "new run",
        1,
        True,
    ),
    Action("job.before", ("left",), "frame(-1)", "frame before", "Show the kept frame before.", "job", 1, True),
    Action("job.next", ("right",), "frame(1)", "next frame", "Show the next kept frame.", "job", 2, True),
    Action("job.zoom", ("z",), "zoom", "zoom", "Show the picture on the whole screen, and back.", "job", 5),
    Action(
        "job.find", ("slash",), "find", "find words", "Show only what is said or shown with the words typed.", "job", 8
    ),
    Action("job.copy", ("y",), "copy('output')", "copy path", "Copy the path of the output.", "job", 6),
    Action("job.copy-source", ("Y",), "copy('source')", "copy source", "Copy the path of the video.", "job"),
    Action("job.retry", ("r",), "retry", "retry", "Try the video again.", "job", 7),
    Action("job.back", ("escape",), "back", "back", "Leave the zoom, then go back.", "job", 3),
    Action("doctor.open", ("D",), "app.open('doctor')", "doctor", "Try whether all works on this machine.", "monitor"),
    Action("doctor.again", ("r",), "again", "look again", "Look at everything again.", "doctor", 1),
    Action(
        "doctor.problems", ("p",), "problems", "problems", "Show only what asks for something, or all.", "doctor", 2
    ),
    Action("doctor.back", ("escape",), "leave", "back", "Go back; what is under way is ended.", "doctor", 3),
    Action(
        "models.open", ("M",), "app.open('models')", "models", "See the models; fetch and check weights.", "monitor"
    ),
    Action("models.fetch", ("d",), "fetch", "download", "Download the weights of the model at the mark.", "models", 1),
    Action("models.verify", ("v",), "verify", "verify", "Read the weights as a whole and check them.", "models", 2),
    Action("models.stop", ("x",), "stop", "stop", "Stop the download; it can be gone on with.", "models", 4),
    Action("models.back", ("escape",), "leave", "back", "Go back; downloads under way are stopped.", "models", 3),
    Action(
        "lab.open",
        ("B",),
        "app.open('lab')",
        "benchmarks",
        "Measure how quick things are here; read and compare.",
        "monitor",
    ),
    Action("lab.new", ("a",), "new", "measure", "Choose what to measure.", "lab", 1),
    Action("lab.details", ("enter",), "read", "details", "Show the report on the whole screen.", "lab", 2),
    Action("lab.cancel", ("x",), "cancel", "cancel", "End what is measured now; asks first.", "lab", 4),
    Action("lab.resume", ("u",), "resume", "resume", "Measure what was not measured yet.", "lab", 5),
    Action("lab.again", ("r",), "again", "again", "Measure the same once more; asks first.", "lab", 6),
    Action("lab.mark", ("m",), "mark", "mark", "Mark one to compare it, or take the mark away.", "lab", 7),
    Action(
        "lab.compare", ("c",), "compare", "compare", "Compare the two marked, or the marked and the selected.", "lab", 8
    ),
    Action("lab.export", ("e",), "export", "export", "Write the reports into a folder; asks where.", "lab", 9),
    Action("lab.copy", ("y",), "copy", "copy path", "Copy the path of the reports.", "lab", 10),
    Action(
        "lab.back", ("escape",), "leave", "back", "Leave the page, then the room; what is measured goes on.", "lab", 3
    ),
    Action(
        "lab.start",
        ("f5", "f2", "ctrl+s"),
        "start",
        "measure",
        "Check what is filled in, then measure it.",
        "lab form",
        1,
        True,
    ),
    Action("lab.leave", ("escape",), "leave", "back", "Go back and measure nothing.", "lab form", 2),
    Action(
        "newrun.mark", ("space",), "mark", "choose", "Choose the file or folder, or drop it; more than one.", "tree", 2
    ),
    Action("newrun.back", ("escape",), "leave", "back", "Go back and start nothing.", "new run", 3),
    Action(
        "newrun.parent", ("ctrl+o",), "parent", "folder above", "Show the folder above in the tree.", "new run", 4, True
    ),
    Action("newrun.stop", ("x",), "stop_counting", "stop counting", "Count no further.", "new run", 12),
    Action("newrun.drop", ("delete", "backspace"), "drop", "drop", "Drop the path at the mark.", "new run"),
    Action("pick.pick", ("enter",), "pick", "change", "Change the setting at the mark.", "pick"),
    Action(
        "plan.start",
        ("f5", "f2", "ctrl+s"),
        "start",
        "start",
        "Start the run, which is refused only if it would surely fail.",
        "plan",
        1,
    ),
    Action("plan.back", ("escape",), "leave", "back to the form", "Go back to the form and start nothing.", "plan", 2),
    Action("plan.stop", ("x",), "stop", "stop planning", "Look at no further input.", "plan", 3),
    Action(
        "plan.force",
        ("a",),
        "force",
        "do all again",
        "Do again what is done already and whole, or leave it as it is.",
        "plan",
        4,
    ),
    Action("plan.next", ("right", "l"), "show(1)", "next verdict", "Show the inputs with the next verdict.", "plan", 5),
    Action("plan.previous", ("left", "h"), "show(-1)", "verdict before", "Show those with the one before.", "plan"),
    Action(
        "failures.open",
        ("f",),
        "app.open('failures')",
        "failures",
        "Look into the failed videos: why, and what to do.",
        "anywhere",
        7,
    ),
    Action("failures.details", ("enter",), "open", "details", "Show a video in full; fold a group.", "failures", 2),
    Action("failures.retry", ("r",), "retry", "retry", "Try the video again, or the whole group.", "failures", 3),
    Action("failures.retry-all", ("R",), "retry_all", "retry all", "Try all of the list again.", "failures", 9),
    Action(
        "failures.preset",
        ("p",),
        "preset",
        "other preset",
        "Start a new run over the video or the group with another preset; asks first.",
        "failures",
        5,
    ),
    Action(
        "failures.export",
        ("e",),
        "export",
        "export",
        "Write all failed videos of the run as JSON and CSV; asks where.",
        "failures",
        6,
    ),
    Action(
        "failures.dismiss",
        ("m", "delete"),
        "set_aside",
        "dismiss",
        "Take the video or the group out of this list; on a dismissed one, put it back.",
        "failures",
        8,
    ),
    Action("failures.show", ("M",), "show_dismissed", "dismissed", "Show the dismissed ones too.", "failures"),
    Action("failures.copy", ("y",), "copy", "copy path", "Copy the path of the video.", "failures", 10),
    Action(
        "failures.filter",
        ("slash",),
        "filter",
        "filter",
        "Show only the videos whose name, sentence, class, stage or codec contains a text.",
        "failures",
        11,
    ),
    Action(
        "failures.next", ("n",), "match(1)", "next", "Next video of the filter; without one, next group.", "failures"
    ),
    Action("failures.previous", ("N",), "match(-1)", "previous", "The one before.", "failures"),
    Action(
        "failures.sort",
        ("o",),
        "sort",
        "sort",
        "Take the next order of the groups: most videos first, by class, by stage, by codec.",
        "failures",
        12,
    ),
    Action("failures.back", ("escape",), "leave", "back", "Leave the filter, or go back.", "failures", 1),
    Action(
        "settings.open",
        ("s",),
        "app.open('settings')",
        "settings",
        "Show every setting, where its value comes from, and change it.",
        "monitor",
        12,
    ),
    Action("settings.edit", ("enter",), "edit", "edit", "Type another value for the selected setting.", "settings", 1),
    Action("settings.default", ("d",), "default", "default", "Take the setting out of the file.", "settings", 7),
    Action("settings.undo", ("u",), "undo", "undo", "Take the last change back.", "settings", 5),
    Action(
        "settings.advice",
        ("a",),
        "advice",
        "advice",
        "Take what the tuning advisor recommends for workers, decode threads and batch size.",
        "settings",
        6,
    ),
    Action(
        "settings.preset",
        ("p",),
        "preset",
        "preset",
        "Show the settings as a run with the next preset reads them.",
        "settings",
        8,
    ),
    Action(
        "settings.filter",
        ("slash",),
        "filter",
        "filter",
        "Show only the settings whose name, explanation, value or source contains a text.",
        "settings",
        4,
    ),
    Action("settings.save", ("w", "ctrl+s"), "save", "save", "Write the changes into the file.", "settings", 2),
    Action("settings.reread", ("f5",), "reread", "read again", "Read the file again; changes stay.", "settings"),
    Action(
        "settings.back",
        ("escape",),
        "back",
        "back",
        "Leave what is typed, the filter, or the settings; asks where something is not saved.",
        "settings",
        3,
    ),
    Action(
        "runs.open", ("h",), "app.open('runs')", "runs", "Show all runs there have been, and compare them.", "monitor"
    ),
    Action(
        "runs.details", ("enter",), "read", "details", "Show all that is remembered of the selected run.", "runs", 1
    ),
    Action(
        "runs.show",
        ("v",),
        "show",
        "in the monitor",
        "Show a run that is over in the monitor again, a benchmark in its lab.",
        "runs",
        3,
    ),
    Action("runs.resume", ("u",), "resume", "resume", "Go on with an interrupted or cancelled run.", "runs", 2),
    Action("runs.again", ("a",), "again", "start again", "Start the same run once more; asks first.", "runs", 5),
    Action("runs.mark", ("m",), "mark", "mark", "Mark a run to compare it, or take the mark away.", "runs", 6),
    Action(
        "runs.compare",
        ("c",),
        "compare",
        "compare",
        "Compare the two marked runs, or the marked one with the selected one.",
        "runs",
        7,
    ),
    Action(
        "runs.filter",
        ("slash",),
        "filter",
        "filter",
        "Show only the runs whose number, state, kind, preset or folder contains a text.",
        "runs",
        9,
    ),
    Action("runs.next", ("n",), "match(1)", "next", "Next run that the filter leaves.", "runs"),
    Action("runs.previous", ("N",), "match(-1)", "previous", "The one before.", "runs"),
    Action(
        "runs.sort",
        ("o",),
        "sort",
        "sort",
        "Take the next order: newest, longest, most failed or most videos first.",
        "runs",
        11,
    ),
    Action(
        "runs.analysis",
        ("i",),
        "analyse",
        "analysis",
        "Show what the videos of the selected run are, all together.",
        "runs",
        4,
    ),
    Action("runs.copy", ("y",), "copy", "copy path", "Copy the path of the run's outputs.", "runs", 10),
    Action("runs.back", ("escape",), "leave", "back", "Leave the details or the comparison, then the runs.", "runs", 8),
    Action(
        "analysis.make",
        ("a",),
        "make",
        "analyse",
        "Analyse the feature files of the run, or do it again; writes the reports into its folder.",
        "analysis",
        1,
    ),
    Action(
        "analysis.copy", ("y",), "copy", "copy path", "Copy the path of the report with plots (HTML).", "analysis", 3
    ),
    Action(
        "analysis.back", ("escape",), "leave", "back", "Go back to the runs; an analysis under way ends.", "analysis", 2
    ),
    Action("app.theme", ("t",), "next_theme", "theme", "Take the next theme.", "anywhere", 11),
    Action(
        "app.help",
        ("question_mark", "f1"),
        "help",
        "help",
        "Show every key, those of this screen first.",
        "anywhere",
        3,
    ),
    Action(
        "app.palette", ("colon", "ctrl+p"), "palette", "commands", "Find by name what can be done now.", "anywhere", 14
    ),
    Action(
        "app.quit",
        ("q", "ctrl+q"),
        "ask_quit",
        "quit",
        "Leave: after what runs now, or at once, or not at all.",
        "anywhere",
        4,
    ),
    Action(
        "app.interrupt", ("ctrl+c",), "interrupt", "quit", "The same, also while a text is typed.", "anywhere", 0, True
    ),
)
"""Everything an operator can do."""


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
