"""The model host program: holds models on one device and turns the pictures of all workers into vectors or text.

    python -m pipeline.models.host --fd N [--nice N]

`--fd` is the inherited control socket to the engine (`pipeline.wire`). The engine sends `configure` first, then maybe
`preload`; the host ends when that socket closes. Workers connect to the Unix socket named in `configure`.
Exit codes: 0 asked to end; 70 the device is unusable, start me again; 71 no model can be loaded here.
"""

import argparse
import contextlib
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from pydantic import TypeAdapter

from pipeline import wire
from pipeline.errors import WireError
from pipeline.models.batcher import Batcher
from pipeline.models.connection import Connection
from pipeline.models.loader import Loader
from pipeline.models.measure import usual_batch_size
from pipeline.models.report import Reporter
from pipeline.models.router import Router
from pipeline.models.serving import DeviceLostError
from pipeline.sections import HostSettings, ModelSettings
from pipeline.stage_sections import TextSettings

EXIT_ASKED = 0
EXIT_DEVICE_LOST = 70
EXIT_NO_MODEL = 71
BACKLOG = 256
"""Connections that may wait to be accepted."""
COMPILED_BYTES = 1e9
"""What compiled models may take of the disk; beyond that all are compiled anew."""
ACCEPT_PAUSE_S = 0.5
"""Pause before another try when the process has no file descriptor left for a connection."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the host; ends the process."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.models.host", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="inherited control socket")
    parser.add_argument("--nice", type=int, default=0, help="niceness of this process")
    options = parser.parse_args(arguments)
    os.nice(options.nice)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=options.fd)
    try:
        head, _ = wire.receive(control)
        host = HostSettings.model_validate(head["host"])
        models = TypeAdapter(dict[str, ModelSettings | TextSettings]).validate_python(head["models"])
        remember = Path(head["remember"]) if head.get("remember") else None
        server = Server(control, host, models, str(head["socket"]), remember, str(head.get("called", "")))
    except (EOFError, WireError):
        leave(EXIT_ASKED)
    server.serve()


def leave(code: int) -> NoReturn:
    """End the process at once: no thread holds anything worth saving, and torch's own end can hang on a lost device."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Server:
    """The threads of the host: control (the main one), accept, device, text, loader, report, two a connection."""

    def __init__(
        self,
        control: socket.socket,
        host: HostSettings,
        models: dict[str, ModelSettings | TextSettings],
        path: str,
        remember: Path | None,
        called: str,
    ) -> None:
        _set_environment(host, remember)
        self._control = control
        self._host = host
        self._reporter = Reporter(control, host.silent_s / 8)
        self._router = Router(
            usual_batch_size(host),
            host.max_wait_ms / 1000,
            self._reporter.note,
            cleanup_threshold=host.cleanup_threshold,
            cache_bytes=int(host.cache_mb * 1e6),
        )
        self._loader = Loader(host, models, self._router, self._reporter.note, self._no_model, remember, called)
        self._resting = threading.Event()
        self._listener = _listen(path)

    def serve(self) -> NoReturn:
        """Serve until the control socket closes."""
        for work in (self._accept, self._run_device, self._run_text, self._loader.run, self._report):
            threading.Thread(target=self._guarded, args=(work,), name=work.__name__.strip("_"), daemon=True).start()
        self._reporter.ready()
        try:
            while True:
                head, _ = wire.receive(self._control)
                if head.get("type") == "preload":
                    for key in head["keys"]:
                        self._loader.preload(str(key))
        except (EOFError, OSError, WireError):
            leave(EXIT_ASKED)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Run a thread the host cannot do without: if it fails, workers must not wait for it for ever."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, only a new process can help
            self._end(EXIT_DEVICE_LOST, f"the model host failed: {type(error).__name__}: {error}")

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError as error:
                self._reporter.note("warning", f"the model host cannot take another connection: {error}")
                self._resting.wait(ACCEPT_PAUSE_S)
                continue
            Connection(peer, self._router, self._loader, self._host.window_bytes).start()

    def _run_device(self) -> None:
        self._run_batches(self._router.device)

    def _run_text(self) -> None:
        self._run_batches(self._router.text)

    def _run_batches(self, batcher: Batcher) -> None:
        try:
            batcher.run()
        except DeviceLostError as error:
            self._end(EXIT_DEVICE_LOST, f"the device is unusable, the model host starts again: {error}")

    def _report(self) -> None:
        self._reporter.run(self._router, self._loader, self._watch)

    def _watch(self) -> None:
        """End a host whose batch hangs, or a model that is loaded again: only a new process gets the device back."""
        if self._loader.reloading_for_s() > self._host.load_timeout_s:
            limit_s = self._host.load_timeout_s
            self._end(EXIT_DEVICE_LOST, f"loading a model again took longer than host.load_timeout_s ({limit_s} s)")
        if self._router.busy_for_s() > self._host.batch_timeout_s:
            self._end(
                EXIT_DEVICE_LOST, f"a batch took longer than host.batch_timeout_s ({self._host.batch_timeout_s} s)"
            )

    def _no_model(self, message: str) -> None:
        self._end(EXIT_NO_MODEL, message)

    def _end(self, code: int, message: str) -> NoReturn:
        self._reporter.note("error", message)
        self._reporter.flush(self._router, self._loader)
        leave(code)


def _listen(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        # A predecessor that was killed leaves its socket file behind.
        Path(path).unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(BACKLOG)
    return listener


def _set_environment(host: HostSettings, remember: Path | None) -> None:
    """Tell the libraries, before they are imported, how many threads to use, where to keep what, never to download."""
    threads = str(host.threads or len(os.sched_getaffinity(0)))
    os.environ["OMP_NUM_THREADS"] = threads
    os.environ["MKL_NUM_THREADS"] = threads
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # GPUs are numbered as NVML does it
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # more would be processes of its own
    if remember and "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        folder = remember.parent / "compiled"  # not the shared folder for temporary files: what is in it is run
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
        with contextlib.suppress(OSError):  # another host may be at it
            if sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) > COMPILED_BYTES:
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
