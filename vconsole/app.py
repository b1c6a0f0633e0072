"""The Textual app: themes, leaving, and the wiring of screens to the engine."""

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.app import App
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

import themes
from pipeline.commands import Drain, Unpause
from pipeline.errors import VconsoleError
from pipeline.job_pictures import Album
from pipeline.model import JobState
from pipeline.settings import PRESETS, Settings
from pipeline.text import plural
from screens.actions import bindings, remap
from screens.dialogs import Choice, Page, Question, Stopping, help_lines
from screens.monitor import Monitor
from screens.palette import Offer, Palette, offers
from screens.ports import Examination, FailedVideos, JobReader, Planning, Ports, RunHistory, SettingsStore
from screens.presenters.header import is_live
from screens.questions import offer_to_resume
from screens.widgets.keyline import KeyLine
from screens.widgets.outside import tell
from vconsole.exits import Exit
from vconsole.jobs import job_reader, keeper
from vconsole.keymap import checked
from vconsole.log import LOGGER, Closable, Recorder, logged
from vconsole.looks import Looks, looks
from vconsole.settings_file import SettingsFile
from vconsole.signals import ended_in_time
from vconsole.stray import strays_told

_LEAVE_DRAIN, _LEAVE_NOW, _STAY = "drain", "now", "stay"


class ConsoleApp(App[int], inherit_bindings=False):
    """The console over an engine that runs in a thread of its own."""

    CSS_PATH = themes.STYLESHEET
    TITLE = "vconsole"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("anywhere")]

    class Closed(Message):
        """The engine is closed."""

    def __init__(
        self, engine: Closable, settings: Settings, ports: Ports, looks: Looks, problems: Sequence[str] = ()
    ) -> None:
        plain = bool(os.environ.get("NO_COLOR"))
        super().__init__(ansi_color=True if plain else None)
        self._engine = engine
        self._settings = settings
        self._ports = ports
        self._stopping = False
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._problems = [*problems, *looks.problems]
        for theme in looks.themes.values():
            self.register_theme(theme)
        self._theme_names = list(looks.themes)
        wanted = "ansi" if plain else settings.console.theme
        if wanted not in self._theme_names:
            known = ", ".join(self._theme_names)
            wanted, missing = self._theme_names[0], wanted
            self._problems.append(f"There is no theme {missing}, so {wanted} is shown; there are {known}.")
        self.theme = wanted

    def on_mount(self) -> None:
        """Open the monitor."""
        self._own_loop = asyncio.get_running_loop()
        self.push_screen(Monitor(self._ports))
        offer_to_resume(self, self._engine, lambda: self.action_open("runs"))
        for problem in self._problems:
            LOGGER.warning("%s", problem)
            tell(self, problem, problem=True)
        self.begin_capture_print(self)
        LOGGER.info("the console is open: %d x %d, theme %s", *self.size, self.theme)

    def on_print(self, event: events.Print) -> None:
        """Put what a library prints into the log."""
        if event.text.strip():
            LOGGER.warning("printed: %s", event.text.rstrip())

    def on_key(self, event: events.Key) -> None:
        """Put a letter into the text that is typed, where it came too fast and went to the widget before it."""
        field = self.focused
        if isinstance(field, Input) and event.is_printable and event.character:
            field.insert_text_at_cursor(event.character)
            event.prevent_default()

    def leave_from_thread(self) -> None:
        """Ask the app to leave, from any thread and without waiting."""
        if self._own_loop is not None:
            self._own_loop.call_soon_threadsafe(self.exit, Exit.INTERRUPTED)

    @property
    def monitor(self) -> Monitor:
        """The home screen."""
        return next(screen for screen in self.screen_stack if isinstance(screen, Monitor))

    def action_next_theme(self) -> None:
        """Take the next theme."""
        at = self._theme_names.index(self.theme)
        self.theme = self._theme_names[(at + 1) % len(self._theme_names)]

    def action_open(self, name: str) -> None:
        """Open a room, or go back to it where it is open already."""
        from screens.rooms import ROOMS  # what is opened later need not delay the first picture

        room = ROOMS[name]
        open_already = next((screen for screen in self.screen_stack if type(screen) is room), None)
        if open_already is None:
            self.push_screen(room(self._ports))
            return
        while self.screen is not open_already:
            self.pop_screen()

    def action_help(self) -> None:
        """Show every key, those of the screen first."""
        line = next(iter(self.screen.query(KeyLine)), None)
        here = (*line.places, "list") if line else ()
        self.push_screen(Page("keys", lambda width: help_lines(width, here)))

    def action_palette(self) -> None:
        """Offer what can be done now, by name."""

        def taken(offer: Offer | None) -> None:
            if offer is not None:
                self.call_later(self.run_action, offer.action.call, offer.taker)

        self.push_screen(Palette(offers(self.screen)), taken)

    def action_ask_quit(self) -> None:
        """Ask how to leave; where nothing runs, leave."""
        if self._stopping:
            self._close(now=True)
        elif not is_live(self.monitor.snapshot.run):
            self._stop()
        elif not isinstance(self.screen, Question):
            self.push_screen(self._quit_question(), self._quit_answered)

    def _quit_question(self) -> Question:
        run = self.monitor.snapshot.run
        running = plural(run.count(JobState.RUNNING) if run else 0, "video")
        choices = (
            Choice(
                "a", _LEAVE_DRAIN, "After what runs", f"What runs now ({running}) is finished, then the console leaves."
            ),
            Choice("n", _LEAVE_NOW, "Now", "The videos that run are given back; the next start offers to go on."),
            Choice("s", _STAY, "Stay", "Change nothing."),
        )
        return Question("leave", "A run is under way. How do you want to leave?", choices)

    def _quit_answered(self, answer: str | None) -> None:
        if answer == _LEAVE_NOW:
            self._stop()
        elif answer == _LEAVE_DRAIN:
            self._engine.send(Drain())
            self.monitor.leaving = True
            self.monitor.redraw()
        elif self.monitor.leaving:
            self._engine.send(Unpause())
            self.monitor.leaving = False
            self.monitor.redraw()

    @on(Monitor.Finished)
    def _nothing_runs(self) -> None:
        if not self._stopping:
            self._stop()

    def _stop(self) -> None:
        self._stopping = True
        self.push_screen(Stopping())
        self._close(now=False)

    @work(thread=True)
    def _close(self, *, now: bool) -> None:
        self._engine.close(now=now)
        self.post_message(self.Closed())

    @on(Closed)
    def _engine_closed(self) -> None:
        self.exit(0)


def make_app(
    engine: Closable,
    settings: Settings,
    *,
    planning: Planning,
    history: RunHistory,
    job_facts: JobReader,
    keep: Callable[[str], str],
    failed: FailedVideos,
    examine: Callable[[], Examination],
    store: SettingsStore,
    own_themes: Path | None = None,
    problems: tuple[str, ...] = (),
) -> ConsoleApp:
    """Return the app over an engine; the command line and the tests use the same.

    Raises SettingsError for keys that cannot be. `own_themes` is a folder of further themes,
    `problems` are told at first.
    """
    presets = {**PRESETS, **settings.presets}
    keymap = checked(settings.keys)
    remap(keymap)
    ports = Ports(
        engine, planning, presets, store, history, settings.console.refresh_hz, job_facts, Album, keep, examine, failed
    )
    app = ConsoleApp(engine, settings, ports, looks(own_themes), problems)
    app.set_keymap({action: ",".join(keys) for action, keys in keymap.items()})
    return app


def run_console(settings: Settings, state_dir: Path, store: SettingsFile, own_themes: Path | None = None) -> int:
    """Start the engine, show the console until the operator leaves, and return the exit code.

    A new run goes by what `store` read last, so that it has what was saved meanwhile.

    Raises LedgerError or EngineRunningError where the engine cannot start, before anything is drawn.
    """
    from pipeline.engine import Engine
    from vconsole.doctor import examination_of
    from vconsole.failures import LedgerFailures
    from vconsole.history import LedgerHistory
    from vconsole.planning import Planner

    engine = Engine(settings, state_dir=state_dir)
    engine.start()
    with logged(settings.log) as log, strays_told(partial(LOGGER.warning, "printed: %s")):
        app = make_app(
            Recorder(engine),
            settings,
            planning=Planner(store.settings, state_dir),
            history=LedgerHistory(state_dir),
            job_facts=job_reader(state_dir),
            keep=keeper(state_dir),
            failed=LedgerFailures(state_dir),
            store=store,
            own_themes=own_themes,
            examine=partial(examination_of, settings, state_dir),
            problems=(log.problem,) if log.problem else (),
        )
        with ended_in_time(close=engine.close, leave=app.leave_from_thread, grace_s=settings.engine.grace_s):
            try:
                code = app.run() or 0
            finally:
                engine.close()
    if app.return_code:
        why = log.problem or f"The log says why: {log.path}"
        raise VconsoleError("The console failed; what it ran can be resumed.", remedy=why)
    return code
