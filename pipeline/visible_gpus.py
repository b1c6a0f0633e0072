"""Which GPUs CUDA_VISIBLE_DEVICES shows a process."""

from collections.abc import Mapping

SHOWN = "CUDA_VISIBLE_DEVICES"


def shown_to_cuda(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return what CUDA_VISIBLE_DEVICES names, None if it is not set. CUDA reads it up to the first that is none."""
    told = environment.get(SHOWN)
    if told is None:
        return None
    names: list[str] = []
    for name in (part.strip() for part in told.split(",")):
        if not (name.isdecimal() or name.startswith(("GPU-", "MIG-"))):
            break
        names.append(name)
    return tuple(names)
