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
_BEFORE_S = 10.0
"""How long before a frame decoding begins where a seek did not lead to it."""
_ALARM_S = 5
"""How much longer a picture may take than whoever asked waits for it."""
_ROUNDED = [min(255, (value + 4) // 8 * 8) for value in range(256)] * 3
"""Five bits a colour: cells that look the same become equal, which a terminal is sent as one."""


def main() -> int:
    """Answer requests until there are none. Returns the exit code."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library that prints must not get between the answers
    os.nice(10)
    while line := sys.stdin.buffer.readline(MAX_REQUEST_BYTES):
        request = json.loads(line)
        signal.alarm(request["seconds"] + _ALARM_S)
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
    if picture is None:
        return {"error": "The frame is not found in the video again; the video has changed since it was read."}, b""
    picture.thumbnail((request["width"], request["height"]), Image.Resampling.BOX)
    picture = picture.point(_ROUNDED)
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


def _decoded(request: dict[str, Any]) -> Image.Image | None:
    """Return the frame decoded from the video once more, None if it is not found.

    Raises JobError, and whatever damaged media raises.
    """
    from pipeline.media.fetch import fetch
    from pipeline.media.result import KeptFrame
    from pipeline.settings import PipelineSettings
    from pipeline.stages.probe import probe

    _bound_memory()
    settings, path = PipelineSettings(), os.fsencode(request["source"])
    frame, crop = KeptFrame(*request["frame"]), tuple(request["crop_xywh"])
    found: list[Image.Image] = []
    facts = probe(path, settings.probe)
    fetch(
        path,
        facts,
        crop,
        settings,
        (frame,),
        on_frame=lambda frame: found.append(Image.fromarray(frame.picture())),
        progress=lambda video_s, frames: None,
    )
    return found[0] if found else _looked_for(path, facts, crop, frame, settings.probe.max_pixels)


def _looked_for(path: bytes, facts: Any, crop: Any, wanted: Any, max_pixels: int) -> Image.Image | None:
    """Return the frame met by decoding from a while before it, then from the start: not every file seeks exactly."""
    from av.error import FFmpegError

    from pipeline.media.open import open_media, prepare_decoder
    from pipeline.media.picture import coded_box, to_rgb
    from pipeline.model import Stage
    from pipeline.stages.dedupe import frame_dhash
    from pipeline.stages.probe import coded_size

    box = coded_box(crop, facts.rotation_deg, *coded_size(facts))
    for begin_s in {max(0.0, wanted.time_s - _BEFORE_S): None, 0.0: None}:
        with open_media(path, Stage.FRAMES, max_pixels) as container:
            stream = container.streams[facts.video_stream]
            prepare_decoder(stream, max_pixels, 1)
            if begin_s:
                container.seek(int((begin_s + facts.start_s) * 1e6))
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except FFmpegError:
                    continue  # a damaged place: what comes after it may be whole
                for frame in frames:
                    at_s = wanted.time_s if frame.pts is None else frame.pts * facts.tick_s - facts.start_s
                    near = abs(at_s - wanted.time_s) < 0.5 * facts.tick_s + 1e-9
                    if near and frame_dhash(frame, box, facts.rotation_deg) == wanted.dhash:
                        return Image.fromarray(to_rgb(frame, facts.rotation_deg, crop))
    return None


def _bound_memory() -> None:
    """Bound the address space once the libraries are loaded, which alone map hundreds of MiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        with open("/proc/self/statm") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_BYTES, hard))


if __name__ == "__main__":
    raise SystemExit(main())
