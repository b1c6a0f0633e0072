"""The Textual app: themes, leaving, and the wiring of screens to the engine.

Screens that are opened later are imported then: what stands on top here delays the first picture.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import PurePath
from pty import STDIN_FILENO
from typing import ClassVar

from rich.console import RenderableType
from textual import events, on, work
from textual.app import App
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

import themes
from pipeline.commands import Drain, Unpause
from pipeline.errors import VconsoleError
from screens.action import remap
from screens.actions import bindings
from screens.monitor import STYLESHEET, Monitor
from screens.widgets.keyline import KeyLine
from screens.widgets.outside import tell
from vconsole.exits import Exit
from vconsole.house import Building, House, build
from vconsole.log import LOGGER, logged
from vconsole.looks import Looks, looks, wanted_theme
from vconsole.narrow import narrow
from vconsole.options import Options
from vconsole.places import themes_dir
from vconsole.signals import ended_in_time
from vconsole.stray import strays_told
from vconsole.turns import Turns


class ConsoleApp(App[int], inherit_bindings=False):
    """The console over an engine that runs in a thread of its own."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [themes.STYLESHEET, STYLESHEET]
    TITLE = "vconsole"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("anywhere")]

    class Closed(Message):
        """The engine is closed."""

    class Built(Message):
        """The house is there, or cannot be."""

    def __init__(self, building: Building, theme: str, looks: Looks) -> None:
        plain = bool(os.environ.get("NO_COLOR"))
        super().__init__(ansi_color=True if plain else None)
        self._building = building
        self._house: House | None = None
        self._typed_early: list[events.InputEvent] = []
        self._turns = Turns(self)
        self._stopping = self._told_to_leave = False
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._problems = [*looks.problems]
        for known in looks.themes.values():
            self.register_theme(known)
        self._theme_names = list(looks.themes)
        wanted = "ansi" if plain else theme or self._theme_names[0]
        if wanted not in self._theme_names:
            known_names = ", ".join(self._theme_names)
            wanted, missing = self._theme_names[0], wanted
            self._problems.append(f"There is no theme {missing}, so {wanted} is shown; there are {known_names}.")
        self.theme = wanted

    def get_default_screen(self) -> Screen[None]:
        """Begin with the monitor; what it is to show comes once the house is there."""
        return Monitor()

    def on_mount(self) -> None:
        """Go on once the monitor stands: a screen that is left while it is made fails."""
        self.begin_capture_print(self)
        self.monitor.call_later(self._monitor_stands)

    def _monitor_stands(self) -> None:
        self._own_loop = asyncio.get_running_loop()
        if self._told_to_leave:
            self.leave_from_thread()
        if self._building.house is not None:
            self._move_in()

    @on(Monitor.Painted)
    def _build(self) -> None:
        if self._house is None:
            self._building.begin(lambda: self.post_message(self.Built()))

    @on(Built)
    def _move_in(self) -> None:
        """Show what is there now, and take what was typed meanwhile."""
        gc.freeze()
        gc.enable()
        house = self._house = self._building.house
        if house is None:
            self.exit(Exit.UNUSABLE)
            return
        from screens.questions import offer_to_resume

        remap(house.keymap)
        self.set_keymap({action: ",".join(keys) for action, keys in house.keymap.items()})
        self.monitor.begin(house.ports)
        offer_to_resume(self, house.engine, lambda: self.action_open("runs"))
        for problem in (*self._problems, *house.problems):
            LOGGER.warning("%s", problem)
            tell(self, problem, problem=True)
        LOGGER.info("the console is open: %d x %d, theme %s", *self.size, self.theme)
        for event in self._typed_early:
            self.post_message(event)

    async def on_event(self, event: events.Event) -> None:
        """Keep what is typed before there is anybody to ask, then answer keys in turn; Ctrl+C never waits."""
        interrupts = isinstance(event, events.Key) and event.key == "ctrl+c"
        if not isinstance(event, events.InputEvent) or event.is_forwarded:
            await super().on_event(event)
        elif self._house is None:
            if interrupts:
                signal.raise_signal(signal.SIGTERM)
            else:
                self._typed_early.append(event)
        elif interrupts or not isinstance(event, (events.Key, events.Paste)):
            await super().on_event(event)
        elif self._turns.take(event):
            taker = self.focused or self.screen
            await super().on_event(event)
            self._turns.follow(taker)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        super()._display(screen, narrow(renderable))

    def on_print(self, event: events.Print) -> None:
        """Put what a library prints into the log."""
        if event.text.strip():
            LOGGER.warning("printed: %s", event.text.rstrip())

    def leave_from_thread(self) -> None:
        """Ask the app to leave, from any thread and without waiting."""
        self._told_to_leave = True
        if self._own_loop is not None:
            with suppress(RuntimeError):  # it has left already
                self._own_loop.call_soon_threadsafe(self.exit, Exit.INTERRUPTED)

    @property
    def house(self) -> House:
        """What the console stands on; nothing that needs it is asked for before it is there."""
        assert self._house is not None
        return self._house

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
        from screens.rooms import ROOMS

        room = ROOMS[name]
        open_already = next((screen for screen in self.screen_stack if type(screen) is room), None)
        if open_already is None:
            self.push_screen(room(self.house.ports))
            return
        while self.screen is not open_already:
            self.pop_screen()

    def action_help(self) -> None:
        """Show every key, those of the screen first."""
        from screens.dialogs import Page, help_lines

        line = next(iter(self.screen.query(KeyLine)), None)
        here = (*line.places, "list") if line else ()
        self.push_screen(Page("keys", lambda width: help_lines(width, here)))

    def action_palette(self) -> None:
        """Offer what can be done now, by name."""
        from screens.palette import Offer, Palette, offers

        def taken(offer: Offer | None) -> None:
            if offer is not None:
                self.call_later(self.run_action, offer.action.call, offer.taker)

        self.push_screen(Palette(offers(self.screen)), taken)

    def action_interrupt(self) -> None:
        """Ask how to leave; a screen that has something to lose asks first."""
        asks = getattr(self.screen, "action_ask_quit", self.action_ask_quit)
        asks()

    def action_ask_quit(self) -> None:
        """Ask how to leave; where nothing goes on, leave."""
        from screens.dialogs import Question
        from screens.questions import leaving_question

        if self._told_to_leave:
            return
        self.monitor.pull()
        question = leaving_question(self.monitor.snapshot)
        if self._stopping:
            self._close(now=True)
        elif question is None:
            self._stop()
        elif isinstance(self.screen, Question):
            self.screen.press_on()
        else:
            self.push_screen(question, self._quit_answered)

    def _quit_answered(self, answer: str | None) -> None:
        if answer == "now":
            self._stop()
        elif answer == "drain":
            self.house.engine.send(Drain())
            self.monitor.leaving = True
            self.monitor.redraw()
        elif self.monitor.leaving:
            self.house.engine.send(Unpause())
            self.monitor.leaving = False
            self.monitor.redraw()

    @on(Monitor.Finished)
    def _nothing_runs(self) -> None:
        if not self._stopping:
            self._stop()

    def _stop(self) -> None:
        from screens.dialogs import Stopping

        self._stopping = True
        self.push_screen(Stopping())
        self._close(now=False)

    @work(thread=True)
    def _close(self, *, now: bool) -> None:
        self._building.close(now=now)
        self.post_message(self.Closed())

    @on(Closed)
    def _engine_closed(self) -> None:
        self.exit(0)


def run_console(options: Options, environ: Mapping[str, str]) -> int:
    """Show the console, start the engine meanwhile, and return the exit code once the operator has left.

    Raises SettingsError, LedgerError or EngineRunningError, with the terminal as it was, where it cannot go on.
    """
    with logged() as log, strays_told(partial(LOGGER.warning, "printed: %s")):
        building = Building(partial(build, options, environ, log))
        app = ConsoleApp(building, wanted_theme(options, environ), looks(themes_dir()))
        ending = ended_in_time(
            close=building.close,
            leave=app.leave_from_thread,
            grace_s=lambda: building.grace_s,
            terminal_fd=STDIN_FILENO if os.isatty(STDIN_FILENO) else None,
        )
        with ending as told:
            try:
                code = app.run() or 0
            finally:
                building.close()
    if building.failure is not None:
        raise building.failure
    if told():  # a terminal that is gone may have failed the app before it was asked to leave
        return Exit.INTERRUPTED
    if app.return_code:
        why = log.problem or f"The log says why: {log.path}"
        raise VconsoleError("The console failed; what it ran can be resumed.", remedy=why)
    return code
