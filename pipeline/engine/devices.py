"""Which devices model hosts are started on: those that the settings name, or all that CUDA may use here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.machine import GpuView
from pipeline.visible_gpus import shown_to_cuda


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a model host."""

    name: str
    """auto, cpu or cuda:N, as CUDA counts what this process may use."""
    shown: str = ""
    """What its host alone is shown, so that its number means the same device when another is lost; empty = all."""
    gpu: int = -1
    """The GPU as NVML counts, -1 = unknown or none."""

    @property
    def inside(self) -> str:
        """What its host has to call it."""
        return "cuda:0" if self.shown else self.name


def devices(wanted: Sequence[str], gpus: Sequence[GpuView], environment: Mapping[str, str]) -> tuple[Device, ...]:
    """Return a device for each host; `gpus` are those that NVML reports, none where it is missing.

    `auto` is every GPU and MIG instance that CUDA may use. Where none is known it stays `auto`: torch has to look.
    """
    there = _of_cuda(gpus, environment)
    if tuple(wanted) == ("auto",):
        return there if len(there) > 1 else (Device("auto", gpu=there[0].gpu if there else -1),)
    known = {device.name: device for device in there}
    return tuple(known.get(name, Device(name)) for name in wanted)


def _of_cuda(gpus: Sequence[GpuView], environment: Mapping[str, str]) -> tuple[Device, ...]:
    """Return what CUDA may use, numbered as it does where it counts like NVML (CUDA_DEVICE_ORDER=PCI_BUS_ID)."""
    ids = {str(gpu.index): gpu.uuid for gpu in gpus}
    owners = {uuid: gpu.index for gpu in gpus for uuid in (gpu.uuid, *gpu.mig) if uuid}
    every = [uuid or str(gpu.index) for gpu in gpus for uuid in (gpu.mig or (gpu.uuid,))]
    asked = shown_to_cuda(environment)
    if not gpus:
        return ()
    names = every if asked is None else [ids.get(name) or name for name in asked if not name.isdecimal() or name in ids]
    alone = len(names) == 1 and asked is not None
    return tuple(
        Device(f"cuda:{number}", "" if alone else name, owners.get(name, int(name) if name.isdecimal() else -1))
        for number, name in enumerate(names)
    )
