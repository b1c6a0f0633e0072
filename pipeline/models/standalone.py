"""A model host without an engine, for the demo, the tests and the benchmarks."""

import contextlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline import wire
from pipeline.errors import JobError
from pipeline.model import FailureClass, Stage
from pipeline.sections import HostSettings, ModelSettings
from pipeline.stage_sections import TextSettings

Held = Mapping[str, ModelSettings | TextSettings]
"""What a host is to hold, by key."""
END_S = 10.0
"""How long an asked host may take to end before it is killed."""


class StandaloneHost:
    """A started host process; `socket_path` is what a `HostClient` connects to."""

    def __init__(self, host: HostSettings, models: Held, socket_path: str, nice: int) -> None:
        self.socket_path = socket_path
        self.control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pipeline.models.host", "--fd", str(theirs.fileno()), "--nice", str(nice)],
                pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        entries = {key: model.model_dump(mode="json") for key, model in models.items()}
        host = host.model_copy(update={"device": host.devices[0]})
        configuration = {"host": host.model_dump(mode="json"), "models": entries, "socket": socket_path}
        try:
            wire.send(self.control, {"type": "configure", **configuration})
            wire.receive(self.control)
        except (EOFError, OSError) as error:
            self.close()
            raise JobError(FailureClass.MODEL, "the model host did not start", stage=Stage.EMBED) from error

    def close(self) -> None:
        """Ask the host to end by closing its control socket, and make sure that it does."""
        self.control.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def standalone_host(host: HostSettings, models: Held, *, nice: int = 10) -> Iterator[StandaloneHost]:
    """Run a model host for the length of a `with` block. Raises JobError (class model) if it does not start."""
    with tempfile.TemporaryDirectory(prefix="vconsole-") as folder:
        running = StandaloneHost(host, models, str(Path(folder) / "host"), nice)
        try:
            yield running
        finally:
            running.close()
