"""What can be done in the rooms of the machine: doctor, models, settings, benchmarks."""

from screens.action import Action

MACHINE: tuple[Action, ...] = (
    Action("doctor.again", ("r",), "again", "look again", "Look at everything again.", "doctor", 1),
    Action(
        "doctor.problems", ("p",), "problems", "problems", "Show only what asks for something, or all.", "doctor", 2
    ),
    Action("doctor.back", ("escape",), "leave", "back", "Go back; what is under way is ended.", "doctor", 3),
    Action("models.fetch", ("d",), "fetch", "download", "Download the weights of the model at the mark.", "models", 1),
    Action("models.verify", ("v",), "verify", "verify", "Read the weights as a whole and check them.", "models", 2),
    Action("models.stop", ("x",), "stop", "stop", "Stop the download; it can be gone on with.", "models", 4),
    Action("models.back", ("escape",), "leave", "back", "Go back; downloads under way are stopped.", "models", 3),
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
)
