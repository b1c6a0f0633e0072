"""A worker that speaks the protocol and does what the first line of its source file says.

`python fake_worker.py --fd N --nice N`. Lines: `done`, `adopt`, `sleep S`, `fail CLASS`, `partial`, `skip`, `segv`,
`abort`, `exit0`, `kill`, `garbage`, `huge`, `stall` (silent before the first progress), `slow N S` (progress every S
seconds, N times), `grow MB` (keeps so much memory from then on), `leak MB N` (10 ms a step of MB, N times, then
on and on without more), `flood S` (progress as fast as the socket takes it), `bytes` (every message byte by byte),
`long` (a progress message of a megabyte), `odd FIELD JSON` (progress with that in it), `result FIELD JSON` (a result
with that in it), `cut N` (dies after N bytes of a message of a megabyte), `stream` (a gigabyte, announced and sent),
`deep` (a megabyte of brackets), `deaf` (never reads again), `unless NAME LINE` (does LINE unless it is called NAME,
then `done`), `divide N` (is done in N chunks),
`late` (a result under an old token first), `gate PATH` (works until PATH exists), `log` is always written to
`<out>/log`. A line may begin with `first:`: then it holds only for the first attempt and the next ones are `done`.
"""

import argparse
import errno
import fcntl
import hashlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stopping import stop

from pipeline import wire
from pipeline.extract_job import Division
from pipeline.model import RunKind
from pipeline.outputs.atomic import FULL
from pipeline.settings import PipelineSettings
from pipeline.stages.keys import stage_keys, transcode_keys


class FakeWorker:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.run: dict[str, Any] = {}
        self.jobs: list[dict[str, Any]] = []
        self.stopped = False
        self.deaf = False
        self.byte_by_byte = False
        self.odd: dict[str, str] = {}
        self.kept: list[bytes] = []
        self.changed = threading.Condition()

    def listen(self) -> None:
        while True:
            try:
                while self.deaf:
                    threading.Event().wait()
                message, _ = wire.receive(self.sock)
            except (EOFError, OSError):
                os._exit(0)
            with self.changed:
                if message["type"] == "run":
                    self.run = message
                elif message["type"] == "stop":
                    self.stopped = "spare" not in message
                    self.jobs.clear()
                else:
                    self.jobs.append(message)
                self.changed.notify()

    def serve(self) -> None:
        threading.Thread(target=self.listen, daemon=True).start()
        wire.send(self.sock, {"type": "ready", "pid": os.getpid()})
        while True:
            with self.changed:
                while not self.jobs:
                    self.changed.wait()
                job = self.jobs.pop(0)
                self.stopped = self.byte_by_byte = False
            self.log(f"start {job['relative']} {job['attempt']} {os.getpid()}")
            try:
                self.do(job)
            except OSError as error:
                self.failed(job, error)

    def failed(self, job: dict[str, Any], error: OSError) -> None:
        """Tell of an error of the system as the real worker does."""
        lost = isinstance(error, FileNotFoundError) and error.filename == job["source"]
        kind = "changed" if lost else "disk_full" if error.errno in FULL else "io"
        told = {"class": kind, "message": str(error), "stage": "write", "detail": "", "errno": error.errno}
        self.finish(job, "failed", {}, told)

    def check_out(self) -> None:
        """Refuse to write anywhere but to the volume of the run."""
        if os.stat(self.run["out"]).st_dev != self.run["out_device"]:
            raise OSError(errno.ENOENT, "the volume is gone")

    def log(self, line: str) -> None:
        with suppress(OSError):
            self.check_out()
            self.write_log(line)

    def write_log(self, line: str) -> None:
        path = os.path.join(os.fsencode(self.run["out"]), b"log")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, line.encode("utf-8", "backslashreplace") + b"\n")
        os.close(descriptor)

    def progress(self, job: dict[str, Any], done: float = 0.5, **fields: Any) -> None:
        told = {"stage": "scenes", "share": done, "video_s": done * 10, "frames": int(done * 100), "waiting": ""}
        self.say(job, "progress", **(told | {"bytes_read": 0, "duration_s": 10.0} | fields))

    def say(self, job: dict[str, Any], kind: str, **fields: Any) -> None:
        self.send({"type": kind, "job_id": job["job_id"], "token": job["token"], **fields})

    def send(self, message: dict[str, Any]) -> None:
        text = json.dumps(message).replace('"@', "").replace('@"', "").encode()  # "@1e400@" becomes what JSON has not
        data = wire.HEADER.pack(len(text), 0) + text
        for place in range(0, len(data), step := 1 if self.byte_by_byte else len(data)):
            self.sock.sendall(data[place : place + step])

    def finish(self, job: dict[str, Any], outcome: str, result: dict[str, Any], failure: Any = None) -> None:
        self.say(job, "finished", outcome=outcome, result=result, failure=failure)

    def wait(self, job: dict[str, Any], until: Any) -> bool:
        """Tell of progress until `until()`; return whether the job was given back instead."""
        while not until():
            if self.stopped:
                self.finish(job, "stopped", {})
                return True
            self.progress(job)
            with self.changed:
                self.changed.wait(0.02)
        return False

    def do(self, job: dict[str, Any]) -> None:
        line = Path(os.fsencode(job["source"]).decode("utf-8", "surrogateescape")).read_text().split("\n")[0]
        if line.startswith("first:"):
            line = line[6:] if job["attempt"] == 1 else "done"
        word, *rest = line.split()
        if word == "unless":
            word, *rest = ["done"] if job["relative"] == rest[0] else rest[1:]
        if word == "fail":
            failure = {"class": rest[0], "message": f"it is {rest[0]}", "stage": "scenes", "detail": "x"}
            self.finish(job, "failed", {}, failure)
        elif word == "skip":
            self.finish(job, "skipped", {"reason": "no video stream"})
        elif word in DEATHS:
            self.progress(job)
            DEATHS[word](self, *rest)
        elif word == "late":
            wire.send(
                self.sock,
                {"type": "finished", "job_id": job["job_id"], "token": "old", "outcome": "failed", "result": {}},
            )
            self.work(job, "done")
        elif word in DEEDS:
            if not DEEDS[word](self, job, *rest):
                self.work(job, "done")
        else:
            self.work(job, word if word in {"partial", "adopt"} else "done")

    def keys(self, settings: PipelineSettings, content_id: str) -> dict[str, str]:
        if self.run["kind"] == RunKind.TRANSCODE:
            return transcode_keys(settings, content_id)
        return stage_keys(settings, content_id, self.run["fingerprints"])

    def work(self, job: dict[str, Any], outcome: str) -> None:
        relative = os.fsencode(job["relative"])
        output = os.fsencode(job["output"]) or b"features/" + relative + b".h5"
        self.check_out()
        path = os.path.join(os.fsencode(self.run["out"]), output)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = job["content_id"].encode()
        part = path + b".new"
        try:
            with open(part, "wb") as file:
                file.write(data)
            os.rename(part, path)
        except OSError:
            with suppress(OSError):
                os.unlink(part)
            raise
        settings = PipelineSettings.model_validate(self.run["settings"])
        result = {
            "content_id": job["content_id"],
            "output": os.fsdecode(output),
            "output_bytes": len(data),
            "output_sha256": hashlib.sha256(data).hexdigest(),
            "output_mtime_ns": os.stat(path).st_mtime_ns,
            "stage_keys": self.keys(settings, job["content_id"]),
            "named": job["output"],
            "adopted": outcome == "adopt",
            "scenes": 1,
            "frames": 3,
            "duration_s": 10.0,
            "width": 64,
            "height": 36,
            "seconds": {"scenes": 0.1},
            "bytes_read": 10,
            "bytes_written": len(data),
            "lost_s": 1.0 if outcome == "partial" else 0.0,
            "lost_frames": 25 if outcome == "partial" else 0,
            **self.odd,
        }
        self.say(job, "stage", stage="scenes", seconds=0.1, items=100, reused=False)
        self.finish(job, "done" if outcome == "adopt" else outcome, result)
        self.log(f"end {job['relative']} {job['attempt']}")


def _sleep(worker: FakeWorker, job: dict[str, Any], seconds: str) -> None:
    time.sleep(float(seconds))


def _slow(worker: FakeWorker, job: dict[str, Any], steps: str, seconds: str) -> None:
    for step in range(int(steps)):
        worker.progress(job, step / int(steps))
        time.sleep(float(seconds))


def _grow(worker: FakeWorker, job: dict[str, Any], megabytes: str) -> None:
    worker.kept.append(b"\1" * (int(megabytes) << 20))


def _leak(worker: FakeWorker, job: dict[str, Any], megabytes: str, steps: str) -> bool:
    for _ in range(int(steps)):
        _grow(worker, job, megabytes)
        worker.progress(job)
        time.sleep(0.01)
    return worker.wait(job, lambda: False)


def _gate(worker: FakeWorker, job: dict[str, Any], path: str) -> bool:
    return worker.wait(job, lambda: os.path.exists(path))


def _turn(worker: FakeWorker, job: dict[str, Any], failure: str) -> bool:
    """Work until asked to stop, and then fail instead of giving the job back."""
    while not worker.stopped:
        worker.progress(job)
        time.sleep(0.01)
    told = {"class": failure, "message": f"it is {failure}", "stage": "scenes", "detail": ""}
    worker.finish(job, "failed", {}, told)
    return True


def _flood(worker: FakeWorker, job: dict[str, Any], seconds: str) -> None:
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        worker.progress(job)


def _bytes(worker: FakeWorker, job: dict[str, Any]) -> None:
    worker.byte_by_byte = True


def _long(worker: FakeWorker, job: dict[str, Any]) -> None:
    worker.progress(job, note="x" * (wire.MAX_HEAD_BYTES - 1000))


def _odd(worker: FakeWorker, job: dict[str, Any], field: str, value: str) -> bool:
    worker.progress(job, **{field: f"@{value}@"})
    return worker.wait(job, lambda: False)


def _result(worker: FakeWorker, job: dict[str, Any], field: str, value: str) -> None:
    worker.odd = {field: f"@{value}@"}


def _deaf(worker: FakeWorker, job: dict[str, Any]) -> None:
    worker.deaf = True


def _divide(worker: FakeWorker, job: dict[str, Any], chunks: str) -> bool:
    if job["division"] is None:
        division = Division(cuts=tuple(range(1, int(chunks))), borders_s=tuple(map(float, range(int(chunks) + 1))))
        worker.finish(job, "queued", {"division": asdict(division)})
    elif job["division"]["chunk"] is not None:
        worker.finish(job, "done", {})
    else:
        return False
    return True


DEEDS: dict[str, Callable[..., bool | None]] = {
    "sleep": _sleep,
    "slow": _slow,
    "grow": _grow,
    "leak": _leak,
    "gate": _gate,
    "turn": _turn,
    "flood": _flood,
    "bytes": _bytes,
    "long": _long,
    "odd": _odd,
    "result": _result,
    "deaf": _deaf,
    "divide": _divide,
}
"""What to do before a job is done; a true answer says that it was ended or given back instead."""


def _stall(worker: FakeWorker) -> None:
    threading.Event().wait()


def _raw(worker: FakeWorker, data: bytes) -> None:
    worker.sock.sendall(data)
    threading.Event().wait()


def _cut(worker: FakeWorker, count: str) -> None:
    worker.sock.sendall(wire.encode({"type": "progress", "note": "x" * (1 << 19)})[: int(count)])
    os.kill(os.getpid(), signal.SIGKILL)


def _stream(worker: FakeWorker) -> None:
    worker.sock.sendall(wire.HEADER.pack(1 << 30, 0))
    for _ in range(1 << 10):
        worker.sock.sendall(b"x" * (1 << 20))


DEATHS: dict[str, Callable[..., object]] = {
    "segv": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    "abort": lambda _: os.abort(),
    "exit0": lambda _: os._exit(0),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "stopped": lambda _: (stop(), threading.Event().wait()),
    "stall": _stall,
    "garbage": lambda worker: _raw(worker, b"\xff" * 100),
    "huge": lambda worker: _raw(worker, wire.HEADER.pack(1 << 30, 0)),
    "stream": _stream,
    "cut": _cut,
    "deep": lambda worker: _raw(worker, wire.HEADER.pack(1 << 20, 0) + b"[" * (1 << 20)),
    "nonsense": lambda worker: _raw(worker, wire.encode({"type": "hello"})),
}


def takes_line(path: Path) -> bool:
    """Take the first line of a file away, under a lock; return whether it says `die`."""
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        first, *rest = [*file.read().splitlines(), ""]
        file.seek(0)
        file.write("\n".join(rest))
        file.truncate()
    return first == "die"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int)
    parser.add_argument("--nice", type=int)
    parser.add_argument("--die-at-start", action="store_true")
    parser.add_argument("--starts", type=Path, help="dies at start while this file has a line `die`, taking it away")
    arguments = parser.parse_args()
    if arguments.die_at_start or (arguments.starts and takes_line(arguments.starts)):
        raise SystemExit(json.dumps({"import": "failed"}))
    FakeWorker(socket.socket(fileno=arguments.fd)).serve()


if __name__ == "__main__":
    main()
