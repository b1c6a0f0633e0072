"""A child program that shows single kept frames of videos as small pictures, for a process that must not decode.

    python -m pipeline.media.glimpse

It reads a JSON object a line (see `pipeline.job_pictures`) and answers each with a JSON object a line: `width`,
`height` and `saved`, followed by as many bytes of RGB, or `error` with a sentence. It ends with its input, with a
picture that takes longer than `seconds` of its request, and where a decoder wants more memory than it may have.
"""

import json
import os
import resource
import signal
import sys
from typing import Any

from PIL import Image

from pipeline.errors import JobError

MEMORY_BYTES = 2 << 30
"""Address space that a decoder may take beyond what the libraries take when they are loaded."""
MAX_PIXELS = 100_000_000
MAX_REQUEST_BYTES = 1 << 16


def main() -> int:
    """Answer requests until there are none. Returns the exit code."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints must not get between the answers
    os.nice(10)
    while line := sys.stdin.buffer.readline(MAX_REQUEST_BYTES):
        request = json.loads(line)
        signal.alarm(request["seconds"])
        head, pixels = _answer(request)
        signal.alarm(0)
        answers.write(json.dumps(head).encode() + b"\n" + pixels)
        answers.flush()
    return 0


def _answer(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    try:
        picture, saved = _saved(request), True
        if picture is None:
            picture, saved = _decoded(request), False
    except JobError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"error": "The picture needs more memory than may be spent on showing it."}, b""
    except Exception as error:  # noqa: BLE001 - damaged media raises anything, and whoever asked is told
        return {"error": f"The picture cannot be shown: {type(error).__name__}: {error}"}, b""
    picture.thumbnail((request["width"], request["height"]), Image.Resampling.BOX)
    return {"width": picture.width, "height": picture.height, "saved": saved}, picture.tobytes()


def _saved(request: dict[str, Any]) -> Image.Image | None:
    """Return the picture that the run saved, None if it saved none or it is damaged."""
    if not request["saved"]:
        return None
    try:
        with Image.open(request["saved"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            picture.draft("RGB", (request["width"], request["height"]))
            return picture.convert("RGB")
    except Exception:  # noqa: BLE001 - damaged pictures make Pillow raise anything; then the video is asked
        return None


def _decoded(request: dict[str, Any]) -> Image.Image:
    """Return the frame decoded from the video once more. Raises JobError, and whatever damaged media raises."""
    from pipeline.media.fetch import fetch
    from pipeline.media.result import KeptFrame, KnownFrames
    from pipeline.settings import PipelineSettings
    from pipeline.stages.probe import probe

    _bound_memory()
    settings, path = PipelineSettings(), os.fsencode(request["source"])
    known = KnownFrames((), (KeptFrame(*request["frame"]),), "", 0, 0, (), 0.0, 0.0)
    found: list[Image.Image] = []
    fetch(
        path,
        probe(path, settings.probe),
        tuple(request["crop_xywh"]),
        settings,
        known,
        decode_threads=1,
        on_frame=lambda frame: found.append(Image.fromarray(frame.picture())),
        progress=lambda video_s, frames: None,
    )
    if not found:
        raise LookupError("it is not found again; the video has changed since, or cannot be sought in")
    return found[0]


def _bound_memory() -> None:
    """Bound the address space once the libraries are loaded, which alone map hundreds of MiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        with open("/proc/self/statm") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_BYTES, hard))


if __name__ == "__main__":
    raise SystemExit(main())
