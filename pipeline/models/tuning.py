"""Finds the batch size at which a model is quickest on its device, by measuring."""

from collections.abc import Callable

from pipeline.models.faults import Fault, fault_of

GIGABYTE = 1e9
START = ((16, 32), (8, 16), (6, 8), (0, 4))
"""(GB of GPU memory from which on, pictures): where the search begins; the measurement decides."""
START_ON_CPU = 16
MOST, MOST_ON_CPU = 256, 64
GAIN = 1.03
"""What a doubled batch must bring to be worth its memory and its wait."""


def best_batch_size(seconds_of: Callable[[int], float], memory_bytes: int) -> tuple[int, float]:
    """Return the batch size to use and the pictures a second that were measured with it.

    `seconds_of` runs a batch of so many pictures; `memory_bytes` is the memory of the GPU, 0 on the CPU. Of sizes that
    are about as quick the smallest is taken. Raises what a batch of one picture raises.
    """
    size = next(pictures for floor, pictures in START if memory_bytes >= floor * GIGABYTE)
    size, most = (size, MOST) if memory_bytes else (START_ON_CPU, MOST_ON_CPU)
    rate = _rate(seconds_of, size)
    while not rate and size > 1:
        size //= 2
        rate = _rate(seconds_of, size)
    first = size
    while size < most and (larger := _rate(seconds_of, 2 * size)) > GAIN * rate:
        size, rate = 2 * size, larger
    if size == first:
        while size > 1 and (smaller := _rate(seconds_of, size // 2)) * GAIN > rate:
            size, rate = size // 2, max(smaller, rate)
    return size, rate


def _rate(seconds_of: Callable[[int], float], size: int) -> float:
    """Return pictures a second in batches of `size`: the better of two, as the first warms up. 0 = they do not fit."""
    try:
        return size / max(min(seconds_of(size), seconds_of(size)), 1e-9)
    except Exception as error:
        if size > 1 and fault_of(error) is Fault.MEMORY:
            return 0.0
        raise
