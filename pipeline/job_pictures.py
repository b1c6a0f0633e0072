"""The kept frames of a job as small pictures, made by a child program: this process decodes nothing."""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from typing import Any

from pipeline.job_facts import FrameFact, JobFacts, SmallPicture
from pipeline.outputs.paths import picture_name

COMMAND = (sys.executable, "-P", "-m", "pipeline.media.glimpse")
PICTURE_S = 20
"""How long one picture may take."""
HELD = 64
"""Pictures that are kept in memory."""
LARGEST = (400, 200)
"""Width and height that a picture never exceeds: no terminal shows more."""
HEAD_BYTES = 4096


class Album:
    """Shows kept frames; one thread asks at a time, any may close. Holds the child while it is open."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._held: OrderedDict[tuple[int, int, int], SmallPicture] = OrderedDict()
        self._asking = threading.Lock()
        self._closed = False

    def picture(self, job: JobFacts, frame: FrameFact, width: int, height: int) -> SmallPicture | str:
        """Return a frame within `width` x `height` pixels, or why it cannot be shown. May take `PICTURE_S`."""
        width, height = min(width, LARGEST[0]), min(height, LARGEST[1])
        key = (frame.frame_index, width, height)
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        answer = self._ask(_request(job, frame, width, height))
        if isinstance(answer, SmallPicture):
            self._held[key] = answer
            while len(self._held) > HELD:
                self._held.popitem(last=False)
        return answer

    def close(self) -> None:
        """End the child, also in the middle of a picture; what is asked then is answered with a sentence."""
        self._closed = True
        child = self._child
        if child is not None:
            child.kill()
        with self._asking:
            self._end()

    def _ask(self, request: bytes) -> SmallPicture | str:
        with self._asking:
            try:
                return _Answer(self._running()).read(request)
            except TimeoutError:
                self._end()
                return f"The picture took longer than {PICTURE_S} s."
            except (OSError, ValueError, LookupError):
                self._end()
                return "The program that makes the pictures ended over this one."

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._child = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
        if self._closed:  # `close` may have looked just before the child was there
            raise LookupError("closed")
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()


class _Answer:
    """One answer of the child, read with a deadline."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin and child.stdout
        self._in, self._out = child.stdin.fileno(), child.stdout.fileno()
        self._deadline_s = time.monotonic() + PICTURE_S
        self._bytes = b""

    def read(self, request: bytes) -> SmallPicture | str:
        """Return what it says. Raises TimeoutError, OSError, and ValueError or LookupError of what is no answer."""
        os.write(self._in, request)
        while b"\n" not in self._bytes and len(self._bytes) < HEAD_BYTES:
            self._more()
        line, _, self._bytes = self._bytes.partition(b"\n")
        head: dict[str, Any] = json.loads(line)
        if "error" in head:
            return str(head["error"])
        width, height = int(head["width"]), int(head["height"])
        if not (0 < width <= LARGEST[0] and 0 < height <= LARGEST[1]):
            raise ValueError(head)
        while len(self._bytes) < 3 * width * height:
            self._more()
        return SmallPicture(width, height, self._bytes[: 3 * width * height], bool(head["saved"]))

    def _more(self) -> None:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if not poll.poll(max(0.0, self._deadline_s - time.monotonic()) * 1000):
            raise TimeoutError
        chunk = os.read(self._out, 1 << 16)
        if not chunk:
            raise LookupError("it has ended")
        self._bytes += chunk


def _request(job: JobFacts, frame: FrameFact, width: int, height: int) -> bytes:
    assert job.timeline is not None
    saved = ""
    if job.saved_as:
        saved = os.path.join(job.pictures_folder, os.fsdecode(picture_name(frame.frame_index, job.saved_as)))
    request = {
        "source": job.source,
        "saved": saved,
        "crop_xywh": job.timeline.crop_xywh,
        "frame": frame,
        "width": width,
        "height": height,
        "seconds": PICTURE_S,
    }
    return json.dumps(request).encode("ascii") + b"\n"
