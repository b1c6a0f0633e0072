"""The engine's side of one worker program, and small videos to give to it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline import wire
from pipeline.identity import content_id, identity_of, open_regular
from pipeline.settings import PipelineSettings

PATIENCE_S = 60.0
"""How long a test waits for a message before it fails."""


class Engine:
    """Starts a worker program and talks to it as the engine does."""

    def __init__(self, out: Path, log: Path, *, under: Sequence[str] = ()) -> None:
        """`under` is a program that starts the worker and watches it, with its arguments."""
        self.out = out
        self._sock, theirs = socket.socketpair()
        self._sock.settimeout(PATIENCE_S)
        with theirs, log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*under, sys.executable, "-m", "pipeline.worker", "--fd", str(theirs.fileno()), "--nice", "1"],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        self._jobs = 0
        self.under_way = 0
        self.ready = self.receive()

    def send(self, message: dict[str, Any]) -> None:
        wire.send(self._sock, message)

    def send_raw(self, data: bytes) -> None:
        self._sock.sendall(data)

    def receive(self) -> dict[str, Any]:
        return wire.receive(self._sock)[0]

    def start_run(
        self,
        run_id: int = 1,
        *,
        fingerprints: dict[str, str] | None = None,
        host_sockets: Sequence[str] = (),
        **sections: Any,
    ) -> None:
        """Announce a run; `embed` is off unless `sections` turns it on."""
        settings = PipelineSettings.model_validate({"embed": {"enabled": False}, **sections})
        self.send(
            {
                "type": "run",
                "run_id": run_id,
                "kind": "extract",
                "settings": settings.model_dump(mode="json"),
                "out": str(self.out),
                "fingerprints": fingerprints or {},
                "host_sockets": list(host_sockets),
                "out_device": 0,
                "state_dir": str(self.out.parent),
            }
        )

    def send_job(self, file: Path, *, run_id: int = 1, **fields: Any) -> int:
        """Hand over a job and return its number; `fields` replace what the engine would say of the file."""
        descriptor = open_regular(os.fsencode(file))
        try:
            seen = {"identity": list(identity_of(os.fstat(descriptor))), "content_id": content_id(descriptor)}
        finally:
            os.close(descriptor)
        self._jobs += 1
        message = {
            "type": "job",
            "run_id": run_id,
            "job_id": self._jobs,
            "attempt": 1,
            "token": f"token-{self._jobs}",
            "source": str(file),
            "relative": file.name,
            **seen,
            "decode_threads": 1,
            "known_sha256": "",
            "known_pictures_sha256": "",
            "force": False,
            "host": 0,
        }
        self.send(message | fields)
        self.under_way += 1
        return self._jobs

    def finished(self, seen: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Return the next `finished` message; `seen` gets those before it."""
        while True:
            message = self.receive()
            if message["type"] == "finished":
                self.under_way -= 1
                return message
            if seen is not None:
                seen.append(message)

    def do(self, file: Path, seen: list[dict[str, Any]] | None = None, **fields: Any) -> dict[str, Any]:
        """Hand over a job and return how it ended."""
        number = self.send_job(file, **fields)
        message = self.finished(seen)
        assert (message["job_id"], message["token"]) == (number, f"token-{number}")
        return message

    def close(self) -> int:
        """Close the socket and return the worker's exit code."""
        self._sock.close()
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self._sock.close()


def ground(scene: int, number: int, width: int, height: int) -> np.ndarray:
    """Return frame `number` of a scene as uint8 RGB: a textured ground of the scene's own, slowly shifting."""
    texture = np.random.default_rng(scene).integers(0, 200, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    picture = np.kron(texture, np.ones((8, 8, 1), np.uint8))[:height, :width]
    picture[:, number % width, :] = 255
    return np.ascontiguousarray(picture)


def make_video(
    path: Path,
    *,
    scenes: int = 3,
    frames_per_scene: int = 25,
    width: int = 160,
    height: int = 96,
    keyframes: int = 25,
    options: dict[str, str] | None = None,
) -> Path:
    """Write an H.264 video of `scenes` cuts at 25 frames a second."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": str(keyframes), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(scenes * frames_per_scene):
            picture = ground(number // frames_per_scene, number, width, height)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
