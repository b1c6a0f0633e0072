"""The model hosts of this engine, one for each device: which of them a video goes to, and who does without which."""

import asyncio
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from pipeline.engine.devices import Device, devices
from pipeline.engine.faults import Fault
from pipeline.engine.hosts import HostListener, ModelHost
from pipeline.engine.tuning import cores
from pipeline.errors import LedgerError
from pipeline.machine import GpuView, HostView
from pipeline.settings import PipelineSettings

FIRST_ANSWER_S = 5.0
"""How long a run waits for NVML; a driver that hangs is done without."""

LONGEST_SOCKET_PATH = 90
"""A Unix socket's path has room for 107 bytes."""


def runtime_folder(state_dir: Path) -> Path:
    """Return a folder for sockets that only we can enter: in the state folder, or elsewhere if its path is too long.

    Raises LedgerError if another user has made it before us.
    """
    folder = state_dir / "run"
    if len(os.fsencode(folder)) > LONGEST_SOCKET_PATH - len("/host-999.sock"):
        name = blake2b(os.fsencode(state_dir), digest_size=8).hexdigest()
        folder = Path(tempfile.gettempdir()) / f"vconsole-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise LedgerError(f"{folder} belongs to another user.", remedy="Remove it, or set TMPDIR to a folder of yours.")
    folder.chmod(0o700)
    return folder


class Member:
    """A host and what the others know of it; tells the fleet what the host tells."""

    def __init__(self, fleet: "Hosts", make: Callable[[HostListener], ModelHost]) -> None:
        self._fleet = fleet
        self.device = Device("")
        self.title = ""
        """What it is called where there are several."""
        self.out = False
        """Whether it has failed and is tried again only at growing intervals."""
        self.hopeless = False
        """Whether it said that it can never serve what was asked for."""
        self.lost = False
        """Whether NVML said that its GPU is gone."""
        self.host = make(self)

    def host_changed(self) -> None:
        """Tell it on."""
        self._fleet.listener.host_changed()

    def host_noted(self, level: str, text: str) -> None:
        """Tell it on, with the device where there are several."""
        self._fleet.listener.host_noted(level, f"{self.title}: {text}" if self._fleet.several else text)

    def host_failed(self, why: str) -> None:
        """Go out."""
        self._fleet.taken_out(self, why)

    def host_hopeless(self, why: str) -> None:
        """Go out, not to be tried again for this run."""
        self.hopeless = True
        self._fleet.taken_out(self, why)

    def host_back(self) -> None:
        """Take work again."""
        self._fleet.put_back(self)


class Hosts:
    """One host for each device. It goes on with those that serve, and tells its listener of a failure of all of them.

    A worker is given the sockets of all hosts, the one with the fewest videos first: where that host has ended, the
    worker hands what it keeps to the next.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        listener: HostListener,
        clock: Callable[[], float],
        remember: Path,
        gpus: Callable[[], Sequence[GpuView]],
        gpus_read: threading.Event,
    ) -> None:
        """`folder` is for their sockets; `gpus` is what NVML says now, `gpus_read` is set once it has been asked."""
        self._command = command
        self._folder = folder
        self.listener = listener
        self._clock = clock
        self._remember = remember
        self._gpus = gpus
        self._gpus_read = gpus_read
        self._settings: PipelineSettings | None = None
        self._members: list[Member] = []
        self._leaving: list[Member] = []

    @property
    def several(self) -> bool:
        """Whether there is more than one host."""
        return len(self._members) > 1

    @property
    def ready(self) -> bool:
        """Whether one of them serves."""
        return any(member.host.ready for member in self._members)

    @property
    def failed(self) -> bool:
        """Whether none of them can serve for now."""
        return bool(self._members) and all(member.host.view.state == "failed" for member in self._members)

    @property
    def why(self) -> str:
        """What the last of them that failed said of it."""
        return next((member.host.view.note for member in self._members if member.host.view.note), "")

    @property
    def fault(self) -> Fault:
        """What the failure of all of them is to be called."""
        return Fault.GPU if Fault.GPU in {member.host.fault for member in self._members} else Fault.HOST

    @property
    def views(self) -> tuple[HostView, ...]:
        """Those that were ever needed, as a screen may read them."""
        views = tuple(member.host.view_as("out" if self._is_replaced(member) else "") for member in self._members)
        return tuple(view for view in views if view.state != "off" or view.device)

    @property
    def busy_share(self) -> float:
        """The share of their time in which those that serve run batches."""
        serving = [member.host.view.busy_share for member in self._members if not member.out]
        return sum(serving) / len(serving) if serving else 0.0

    @property
    def sockets(self) -> tuple[Path, ...]:
        """Where they listen."""
        return tuple(member.host.socket_path for member in self._members)

    async def look(self) -> None:
        """Wait a moment for the first answer of NVML, by which the hosts are planned."""
        if not self._gpus_read.is_set():
            await asyncio.to_thread(self._gpus_read.wait, FIRST_ANSWER_S)

    def need(self, settings: PipelineSettings) -> None:
        """Start those that are not there, for the models of these settings; another configuration replaces them."""
        if settings is not self._settings:
            before, self._settings = self._settings, settings
            if before is None or not self._members or _planned_by(before) != _planned_by(settings):
                self._plan(settings)
            for member in self._members:
                member.out, member.hopeless = member.out and not member.hopeless, False
        for member in self._members:
            if not (member.hopeless and self._is_replaced(member)):
                member.host.need(settings)

    def shortest(self, videos: Mapping[int, int]) -> int:
        """Return the number of the host that the next video goes to; `videos` are those under way, by host."""

        def length(number: int) -> tuple[int, int, int]:
            member = self._members[number]
            trouble = 2 if member.out else int(member.host.in_trouble)
            return trouble, videos.get(number, 0), member.host.view.queue_pictures

        return min(range(len(self._members)), key=length, default=0)

    def tick(self) -> None:
        """Do what time brings about in each; give up a GPU that NVML has just said is lost."""
        lost = {gpu.index for gpu in self._gpus() if gpu.lost}
        for member in self._members:
            if member.device.gpu in lost and not member.lost:
                member.host.give_up_device("NVML says that the GPU has fallen off the bus")
            member.lost = member.device.gpu in lost
            member.host.tick()

    def woke(self) -> None:
        """The engine stood still for long."""
        for member in self._members:
            member.host.woke()

    def try_now(self) -> None:
        """Start at once those that wait to be started again."""
        for member in self._members:
            member.host.try_now()

    async def close(self, grace_s: float) -> None:
        """Let them end by themselves for `grace_s`, then end them."""
        for member in (*self._members, *self._leaving):
            await member.host.close(grace_s)

    def taken_out(self, member: Member, why: str) -> None:
        """Let the others do the work of one, or tell of the failure of all."""
        was_out, member.out = member.out, True
        others = [other.title for other in self._members if not other.out]
        if others and not was_out:
            told = f"{member.title} is taken out, its work goes to {', '.join(others)}. {why}"
            self.listener.host_noted("error", told)
        elif not others and all(other.hopeless for other in self._members):
            self.listener.host_hopeless(why)
        elif not others:
            self.listener.host_failed(why)

    def put_back(self, member: Member) -> None:
        """Give work to one again."""
        none_served = all(other.out for other in self._members)
        member.out = False
        if none_served:
            self.listener.host_back()
        else:
            self.listener.host_noted("info", f"{member.title} is back and is given work again.")

    def _is_replaced(self, member: Member) -> bool:
        return member.out and any(not other.out for other in self._members)

    def _plan(self, settings: PipelineSettings) -> None:
        """Have a host for each device that these settings mean here."""
        there = devices(settings.host.devices, self._gpus(), os.environ)
        while len(self._members) > len(there):
            self._leaving.append(self._members.pop())
            self._leaving[-1].host.leave()
        while len(self._members) < len(there):
            path = self._folder / f"host-{len(self._members)}.sock"

            def make(listener: HostListener, path: Path = path) -> ModelHost:
                return ModelHost(self._command, path, listener, self._clock, self._remember)

            self._members.append(Member(self, make))
        names = [device.name for device in there]
        on_cpu = len(names) if settings.text.enabled else names.count("cpu")
        for number, (member, device) in enumerate(zip(self._members, there, strict=True), 1):
            member.device, member.lost = device, False
            member.title = device.name if names.count(device.name) == 1 else f"{device.name} (host {number})"
            member.host.use(device, threads=max(1, cores() // on_cpu) if on_cpu > 1 else 0)


def _planned_by(settings: PipelineSettings) -> tuple[str, bool]:
    """Return what the plan of the hosts depends on: a host beside a GPU takes the CPU's cores where it reads text."""
    return settings.host.device, settings.text.enabled
