"""The processes that look at videos for `--check`, each started again if a video brings it down."""

import json
import os
import queue
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any, Self

import psutil

from pipeline.settings import PipelineSettings

STILL_S = 60.0
"""How long one may do nothing at all while it looks at a video before it is ended."""
SECONDS_PER_MB = 20.0
LEAST_S = 600.0
"""How long a video of so many megabytes may take, at least LEAST_S."""


class Checkers:
    """Lends a process to each thread that asks; used by several threads."""

    def __init__(self, settings: PipelineSettings, threads: int) -> None:
        self._order = json.dumps({"settings": settings.model_dump(mode="json"), "threads": threads}) + "\n"
        self._idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._all: set[subprocess.Popen[str]] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End them all."""
        with self._lock:
            self._closed = True
            children, self._all = self._all, set()
        for child in children:
            child.kill()
            child.communicate()

    def ask(self, path: bytes, size_bytes: int) -> dict[str, Any]:
        """Return what one of them finds in a file of so many bytes; if that brings it down, what that was."""
        child = self._taken()
        if child is None:
            return {"reason": "not looked at any more"}
        assert child.stdin and child.stdout
        end = threading.Event()
        limit_s = LEAST_S + size_bytes / 1e6 * SECONDS_PER_MB
        watcher = threading.Thread(target=_watch, args=(child, end, limit_s), daemon=True)
        watcher.start()
        try:
            child.stdin.write(json.dumps(os.fsdecode(path)) + "\n")
            child.stdin.flush()
            answer = child.stdout.readline()
        except OSError:
            answer = ""
        finally:
            end.set()
            watcher.join()
        if answer:
            self._idle.put(child)
            found: dict[str, Any] = json.loads(answer)
            return found
        return self._lost(child)

    def _taken(self) -> "subprocess.Popen[str] | None":
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            pass
        with self._lock:
            if self._closed:
                return None
            child = subprocess.Popen(
                [sys.executable, "-m", "pipeline.transcode.checker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            self._all.add(child)
        assert child.stdin
        child.stdin.write(self._order)
        return child

    def _lost(self, child: "subprocess.Popen[str]") -> dict[str, Any]:
        with self._lock:
            self._all.discard(child)
        child.kill()
        child.communicate()
        code = child.returncode
        if code == -9:
            return {"class": "stalled", "message": "The look at it came to no end and was broken off."}
        return {"class": "worker_crashed", "message": f"The decoder crashed on it (exit {code})."}


def _watch(child: "subprocess.Popen[str]", end: threading.Event, limit_s: float) -> None:
    """Kill a process that stands still for STILL_S, or works on one video for longer than `limit_s`."""
    busy, still_s, passed_s, step_s = 0.0, 0.0, 0.0, 1.0
    try:
        process = psutil.Process(child.pid)
        while not end.wait(step_s):
            times = process.cpu_times()
            passed_s += step_s
            still_s = still_s + step_s if times.user + times.system == busy else 0.0
            busy = times.user + times.system
            if still_s > STILL_S or passed_s > limit_s:
                child.kill()
                return
    except psutil.Error:
        return
