"""What can be done in the monitor, in every list, and anywhere."""

from screens.action import Action

MONITOR: tuple[Action, ...] = (
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
    Action("doctor.open", ("D",), "app.open('doctor')", "doctor", "Try whether all works on this machine.", "monitor"),
    Action(
        "models.open", ("M",), "app.open('models')", "models", "See the models; fetch and check weights.", "monitor"
    ),
    Action(
        "lab.open",
        ("B",),
        "app.open('lab')",
        "benchmarks",
        "Measure how quick things are here; read and compare.",
        "monitor",
    ),
    Action(
        "failures.open",
        ("f",),
        "app.open('failures')",
        "failures",
        "Look into the failed videos: why, and what to do.",
        "anywhere",
        7,
    ),
    Action(
        "settings.open",
        ("s",),
        "app.open('settings')",
        "settings",
        "Show every setting, where its value comes from, and change it.",
        "monitor",
        12,
    ),
    Action(
        "runs.open", ("h",), "app.open('runs')", "runs", "Show all runs there have been, and compare them.", "monitor"
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
