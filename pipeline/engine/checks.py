"""What a run needs, looked at before it starts: inputs, output folder, room, device and weights; each has a remedy."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator

from pipeline.commands import StartRun
from pipeline.engine.plan import check_out, check_transcode
from pipeline.engine.preflight import check_checkpoint, check_device, check_hwaccel, gpu_count
from pipeline.errors import MissingWeightsError, VconsoleError
from pipeline.forecast import Check
from pipeline.health import Grade
from pipeline.model import RunKind
from pipeline.models import registry
from pipeline.reading.engines import choose
from pipeline.settings import PipelineSettings
from pipeline.text import plural, visible

FULL_BYTES = 1_000_000
"""With less room than this not even one small output can be written."""


def checks(command: StartRun) -> Iterator[Check]:
    """Yield what can be said of a run before its inputs are looked through; changes nothing."""
    for path in command.inputs:
        yield _readable(path)
    yield _writable(command.out)
    settings = command.settings
    if settings.decode.hwaccel != "none":
        yield _decoder(settings.decode.hwaccel)
    if command.kind is RunKind.TRANSCODE:
        yield _transcodable(command)
    elif settings.model_keys:
        yield from (_device(device) for device in dict.fromkeys(settings.host.devices))
        yield from (_weights(key, settings) for key in settings.model_keys)
    else:
        yield Check("model weights", Grade.OK, "None needed: this run computes no vectors.")
    if command.kind is RunKind.EXTRACT and settings.text.enabled:
        yield _text(settings)


def room(out: bytes, needed: float | None) -> Check:
    """Return whether the volume of `out` has room for `needed` bytes; None if nobody knows how many it will be."""
    free = shutil.disk_usage(_standing(out)).free
    told = f"{free / 1e9:,.1f} GB free"
    other = "Free some, or choose an output folder on another volume."
    if free < FULL_BYTES:
        return Check("room", Grade.FAULT, "The volume of the output folder is full.", other)
    if needed is not None and needed > 0.9 * free:
        text = f"{told}, and about {needed / 1e9:,.1f} GB are expected to be written."
        return Check("room", Grade.WARNING, text, f"{other} A run that finds no room waits for it.")
    unknown = " How much will be written is unknown." if needed is None else ""
    return Check("room", Grade.OK, f"{told}.{unknown}")


def _readable(path: bytes) -> Check:
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            os.scandir(path).close()
        elif not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        text = f"{visible(path)} cannot be read: {error.strerror}."
        return Check("input", Grade.FAULT, text, "Check the path, the mount and the permissions, or choose another.")
    return Check("input", Grade.OK, f"{visible(path)} can be read.")


def _writable(out: bytes) -> Check:
    try:
        check_out(out)
    except VconsoleError as error:
        return Check("output", Grade.FAULT, str(error), "Choose another folder, or change its permissions.")
    made = "can be written to" if os.path.isdir(out) else "will be made"
    return Check("output", Grade.OK, f"{visible(out)} {made}.")


def _transcodable(command: StartRun) -> Check:
    try:
        check_transcode(command)
    except VconsoleError as error:
        return Check("transcode", Grade.FAULT, str(error), error.remedy)
    wanted = command.settings.transcode
    return Check("transcode", Grade.OK, f"{wanted.video_codec} and {wanted.audio_codec} in {wanted.output_format}.")


def _device(device: str) -> Check:
    try:
        check_device(device)
    except VconsoleError as error:
        return Check("device", Grade.FAULT, str(error), "Set host.device to auto, to cpu or to a GPU that is there.")
    if device == "cpu":
        return Check("device", Grade.OK, "Vectors are computed on the CPU, as asked for.")
    count = gpu_count()
    if count is None:
        return Check(
            "device", Grade.WARNING, "The NVIDIA driver does not answer.", "Set host.device to cpu to do without."
        )
    if device == "auto" and not count:
        return Check("device", Grade.OK, "There is no NVIDIA GPU; vectors are computed on the CPU.")
    return Check("device", Grade.OK, f"{device}: the NVIDIA driver reports {plural(count, 'GPU')}.")


def _decoder(hwaccel: str) -> Check:
    try:
        check_hwaccel(hwaccel)
    except VconsoleError as error:
        return Check("decoder", Grade.FAULT, str(error), error.remedy)
    if gpu_count() == 0:
        return Check("decoder", Grade.OK, "There is no NVIDIA GPU; videos are decoded on the CPU.")
    return Check(
        "decoder",
        Grade.OK,
        f"{hwaccel}: the GPU decodes what it is the quicker one for."
        if hwaccel == "auto"
        else "The GPU decodes what it can.",
    )


def _weights(key: str, settings: PipelineSettings) -> Check:
    name = "model weights"
    try:
        registry.require([key], settings)
        status = registry.locate(key, registry.catalogue(settings)[key])
        check_checkpoint(status)
    except MissingWeightsError as error:
        remedy = (
            f"Fetch them with `vconsole models fetch {key}`, name a checkpoint file as path in [models.{key}] of the "
            "configuration, or take the preset scenes, which needs none."
        )
        return Check(name, Grade.FAULT, _sentence(str(error)), remedy)
    except VconsoleError as error:
        return Check(name, Grade.FAULT, _sentence(str(error)), error.remedy)
    return Check(name, Grade.OK, f"{key} is on this machine: {visible(str(status.path))}")


def _text(settings: PipelineSettings) -> Check:
    try:
        return Check("text", Grade.OK, f"It is read by {choose(settings.text)}.")
    except VconsoleError as error:
        return Check("text", Grade.FAULT, _sentence(str(error)), error.remedy)


def _standing(out: bytes) -> bytes:
    """Return the folder itself, or the nearest above it that exists."""
    path = os.path.abspath(out)
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
