"""What can be done on the way to a new run: its form, the tree of folders, its plan."""

from screens.action import Action

NEW_RUN: tuple[Action, ...] = (
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
)
