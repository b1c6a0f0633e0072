"""Runs one look in a child process, bounded in time: whatever becomes of the child is one line of the report."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from pipeline.health import Check, Grade

END_S = 2.0
"""How long a killed child may take to end; one that hangs in the kernel is left behind."""
LOOK_UP_S = 0.5
"""How often it is looked whether a child that hangs is wanted at all."""


class Children:
    """The children of one examination."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def look(
        self, function: str, arguments: Mapping[str, Any], limit_s: float, *, group: str, name: str
    ) -> tuple[Check, ...]:
        """Return what the child found, or a fault that says how it failed. Raises CancelledError after `close`."""
        command = [sys.executable, "-P", "-m", "pipeline.doctor.child", function, json.dumps(arguments), str(limit_s)]
        try:
            with self._lock:
                if self._closed:
                    raise CancelledError
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    start_new_session=True,
                )  # fmt: skip
                self._running.add(child)
        except OSError as error:
            return (_broken(group, name, f"no child process can be started: {error.strerror}"),)
        try:
            answer, told = self._heard(child, time.monotonic() + limit_s)
        except subprocess.TimeoutExpired:
            _kill(child)
            with suppress(subprocess.TimeoutExpired):
                child.communicate(timeout=END_S)
            return (_broken(group, name, f"it did not end within {limit_s:.0f} s and was killed"),)
        finally:
            with self._lock:
                self._running.discard(child)
        if child.returncode:
            return (_broken(group, name, f"{_end(child.returncode)}{_last_line(told)}"),)
        try:
            return tuple(Check(**fields | {"verdict": Grade(fields["verdict"])}) for fields in json.loads(answer))
        except (ValueError, TypeError, KeyError):
            return (_broken(group, name, "it did not give an answer that can be understood"),)

    def _heard(self, child: subprocess.Popen[bytes], deadline_s: float) -> tuple[bytes, bytes]:
        """Return what a child wrote until it ended. Raises TimeoutExpired, or CancelledError after `close`."""
        while True:
            try:
                heard = child.communicate(timeout=max(0.0, min(LOOK_UP_S, deadline_s - time.monotonic())))
            except subprocess.TimeoutExpired:
                if self._closed:
                    raise CancelledError from None
                if time.monotonic() >= deadline_s:
                    raise
            else:
                if self._closed:
                    raise CancelledError
                return heard

    def close(self) -> None:
        """Kill what runs and start no more."""
        with self._lock:
            self._closed = True
            for child in self._running:
                if child.returncode is None:
                    _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _broken(group: str, name: str, how: str) -> Check:
    return Check(group, name, Grade.FAULT, f"The check failed: {how}.", "Try it again; if it stays, report it.")


def _end(returncode: int) -> str:
    if returncode >= 0:
        return f"its process ended with code {returncode}"
    known = {number.value: number.name for number in signal.Signals}
    return f"its process crashed ({known.get(-returncode, f'signal {-returncode}')})"


def _last_line(told: bytes) -> str:
    lines = told.decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1][:200].rstrip('.')}" if lines else ""
