"""The memory of a host's device: how much models may take of it, what one takes, and giving back what none does."""

import gc
import sys
from typing import Any

import psutil

from pipeline.sections import HostSettings


def budget_bytes(host: HostSettings, device: str) -> int:
    """Return what the models of a host may take together: of a GPU, or on the CPU of this machine's memory."""
    if device.startswith("cuda"):
        import torch

        total = int(torch.cuda.get_device_properties(device).total_memory)
    else:
        total = int(psutil.virtual_memory().total)
    allowed = int(total * host.memory_fraction)
    return min(allowed, int(host.memory_mb * 1e6)) if host.memory_mb else allowed


def held_bytes(network: Any) -> int:
    """Return what the parameters of a torch network take, on a GPU as on the CPU.

    The allocator and the process may hold more; what they took meanwhile for batches of other models is not in it.
    """
    tensors = (*network.parameters(), *network.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def give_back(device: str) -> None:
    """Give memory back to the device that a model held which nobody refers to any more; a CPU has it back already."""
    if device.startswith("cuda") and (torch := sys.modules.get("torch")):
        gc.collect()
        torch.cuda.empty_cache()
