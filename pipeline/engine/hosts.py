"""The life of a model host: started when a job first needs it, restarted when it dies, given up for a while."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pipeline import wire
from pipeline.engine.child import Child, Death
from pipeline.engine.complaints import CANNOT_LOAD, POISONED, Complaints
from pipeline.engine.devices import Device
from pipeline.engine.faults import Fault
from pipeline.engine.host_figures import HostFigures
from pipeline.engine.pulse import Pulse
from pipeline.machine import HostView
from pipeline.models import registry
from pipeline.sections import ModelSettings
from pipeline.settings import PipelineSettings
from pipeline.stage_sections import TextSettings
from pipeline.visible_gpus import SHOWN


class HostListener(Protocol):
    """Who is told what happens to the model host; every call is on the loop."""

    def host_changed(self) -> None:
        """Its view is another."""

    def host_noted(self, level: str, text: str) -> None:
        """Something the operator should know."""

    def host_failed(self, why: str) -> None:
        """It cannot serve for now: it is tried again later."""

    def host_hopeless(self, why: str) -> None:
        """It has never served this configuration and says that it cannot: it is not started again."""

    def host_back(self) -> None:
        """It serves again after `host_failed`."""


class ModelHost:
    """The model host of one device."""

    def __init__(
        self,
        command: Sequence[str],
        socket_path: Path,
        listener: HostListener,
        clock: Callable[[], float],
        remember: Path | None = None,
    ) -> None:
        """`remember` is the file in which the host keeps what it measures of models."""
        self._remember = remember
        self._command = command
        self.socket_path = socket_path
        self._listener = listener
        self._clock = clock
        self._child: Child | None = None
        self._starting: asyncio.Task[None] | None = None
        self._settings: PipelineSettings | None = None
        self._held: dict[str, ModelSettings | TextSettings] = {}
        """What it is to hold, by key."""
        self._device, self._threads = Device("auto"), 0
        self._changed_device = False
        self._device_gone = False
        """Whether NVML said so just now."""
        self._deaths = 0
        self._failed = False
        self._has_served = False
        self._lost = False
        """Whether it ended last because its device failed or was not there."""
        self._due_s: float | None = None
        """When it is to be started again."""
        self._ended_because = ""
        self._closing = False
        self._complaints = Complaints(clock)
        self._pulse = Pulse(clock)
        self._figures = HostFigures()
        self.view = HostView("", "off")

    @property
    def ready(self) -> bool:
        """Whether it serves, or is on its way and has not failed."""
        return self.view.state == "ready"

    @property
    def fault(self) -> Fault:
        """What its failure is to be called: a device that it served on before, or was told to, is lost with it."""
        return Fault.GPU if self._lost and (self.view.device or self._device.name).startswith("cuda") else Fault.HOST

    @property
    def in_trouble(self) -> bool:
        """Whether it has ended, and does not serve again yet."""
        return self._deaths > 0 and not self.ready

    def view_as(self, state: str) -> HostView:
        """Return its view; `state`, unless empty, is what the others know better."""
        return replace(self.view, state=state) if state else self.view

    def use(self, device: Device, threads: int) -> None:
        """Serve on `device` when it is needed next, with so many CPU threads where the settings name none."""
        self._changed_device = (device, threads) != (self._device, self._threads)
        self._device, self._threads = device, threads
        self.view = HostView(device.name if device.name != "auto" else "", self.view.state, gpu=device.gpu)

    def give_up_device(self, why: str) -> None:
        """End it without the usual restarts: its device is gone."""
        if self._child and self._settings:
            self._ended_because, self._device_gone = why, True
            self._deaths = max(self._deaths, self._settings.host.max_restarts)
            self._child.kill()

    def try_now(self) -> None:
        """Start it at once, if it is waiting to be started again."""
        if self._due_s is not None:
            self._due_s = self._clock()

    @property
    def pid(self) -> int:
        """Process id, 0 if there is none."""
        return self._child.pid if self._child else 0

    def need(self, settings: PipelineSettings) -> None:
        """Start it, if it is not there, for the models of these settings; another configuration replaces it."""
        if self._settings is not None and self._asks_the_same(settings):
            return
        self._settings, self._held, self._changed_device = settings, registry.held(settings), False
        self._deaths = 0
        self._has_served = False
        if self._child:
            self._child.hang_up()
            self._due_s = self._clock()
        elif self._starting is None:
            self._start()

    def woke(self) -> None:
        """The engine stood still for long: what the host said meanwhile is still to be heard."""
        self._pulse.woke()

    def tick(self) -> None:
        """Start it again when its pause is over; end it when it hangs; tell what it complained of."""
        for text in self._complaints.due():
            self._listener.host_noted("error", text)
        if self._child is None and self._starting is None and self._due_s is not None and self._clock() >= self._due_s:
            self._start()
        elif self._child and self._settings and (why := self._pulse.fault(self._settings.host, ready=self.ready)):
            self._ended_because = why
            self._child.kill()

    def leave(self) -> None:
        """Ask it to end; it is not needed again."""
        self._closing = True
        if self._child:
            self._child.hang_up()

    async def close(self, grace_s: float) -> None:
        """Let it end by itself for `grace_s`, then end it."""
        self._closing = True
        if self._starting:
            await asyncio.wait({self._starting})
        child = self._child
        if child:
            child.hang_up()
            if grace_s > 0:
                await asyncio.wait({child.ended}, timeout=grace_s)
            child.kill()
            await asyncio.wait({child.ended})

    def _asks_the_same(self, settings: PipelineSettings) -> bool:
        assert self._settings is not None
        if self._changed_device:
            return False
        mine = self._settings
        return settings is mine or (mine.host, self._held) == (settings.host, registry.held(settings))

    def _start(self) -> None:
        self._due_s = None
        self._pulse.begin()
        self._ended_because = ""
        self._set(state="restarting" if self._deaths else "starting", note="")
        self._starting = asyncio.create_task(self._spawn())

    async def _spawn(self) -> None:
        settings, shown = self._settings, self._device.shown
        assert settings is not None
        try:
            self.socket_path.unlink(missing_ok=True)
            self._child = await Child.spawn(
                [*self._command, "--nice", str(settings.engine.nice)],
                on_message=self._heard,
                on_end=self._ended,
                environment={SHOWN: shown} if shown else None,
            )
        except OSError as error:
            self._starting = None
            self._after_death(f"could not be started: {error.strerror}")
            return
        self._starting = None
        self._child.send(self._configuration(settings))
        self._child.send({"type": "preload", "keys": list(self._held)})

    def _configuration(self, settings: PipelineSettings) -> wire.Message:
        # A lost GPU is waited for, not done without.
        same = self._device.name == "auto" and self._has_served
        own: wire.Message = {"device": self.view.device if same else self._device.inside}
        if self._threads and not settings.host.threads:
            own["threads"] = self._threads
        return {
            "type": "configure",
            "host": settings.host.model_dump(mode="json") | own,
            "models": {key: model.model_dump(mode="json") for key, model in self._held.items()},
            "socket": str(self.socket_path),
            "remember": str(self._remember or ""),
            "called": self._device.name if self._device.shown else "",
        }

    def _heard(self, message: wire.Message) -> None:
        self._pulse.heard(message)
        kind = message["type"]
        if kind == "ready":
            self._set(state="loading")
        elif kind == "stats":
            self._take_stats(message)
        elif kind == "note" and message["level"] == "error":
            self._complaints.add(str(message["text"]))
        elif kind == "note":
            self._listener.host_noted(str(message["level"]), str(message["text"]))

    def _take_stats(self, message: wire.Message) -> None:
        view = self._figures.taken(self.view, message, self._clock())
        if self._device.name != "auto":
            view = replace(view, device=self._device.name)
        if int(wire.number(message, "batches_done")) > 0:
            self._deaths = 0
        state = "ready" if message["state"] == "ready" and set(self._held) <= set(view.models) else "loading"
        self._has_served = self._has_served or state == "ready"
        self.view = view
        self._set(state=state)
        if state == "ready" and self._failed:
            self._failed = False
            self._listener.host_back()

    def _ended(self, death: Death) -> None:
        self._child = None
        self._lost = death.code in {POISONED, CANNOT_LOAD} or self._device_gone
        self._device_gone = False
        self.view = self._figures.ended(self.view)
        why = self._complaints.why(death, self._ended_because)
        if self._closing:
            self._set(state="off")
        elif self._due_s is not None:
            self._start()
        elif death.code == CANNOT_LOAD and not self._has_served:
            self._give_up(why)
        else:
            self._after_death(why)

    def _give_up(self, why: str) -> None:
        """Leave it ended: the same again would come of it until the operator has mended what it names."""
        self._settings = None
        self._set(state="failed", note=why)
        self._listener.host_hopeless(f"The model host {why}.")

    def _after_death(self, why: str) -> None:
        """Start it again at once a few times; then hold up the run and try at growing intervals."""
        assert self._settings is not None
        self._deaths += 1
        self._set(restarts=self.view.restarts + 1)
        limits = self._settings.engine
        over = self._deaths - self._settings.host.max_restarts
        if over <= 0:
            self._set(state="restarting", note=why)
            self._due_s = self._clock()
            self._listener.host_noted("warning", f"The model host {why}; it is started again.")
            return
        pause = min(limits.retry_pause_s * 2.0 ** min(over, 30), limits.retry_pause_max_s)
        self._due_s = self._clock() + pause
        self._failed = True
        self._set(state="failed", note=why)
        self._listener.host_failed(f"The model host {why}; it is tried again every {pause:.0f} s or so.")

    def _set(self, **changes: object) -> None:
        self.view = replace(self.view, **changes)  # type: ignore[arg-type]
        self._listener.host_changed()
