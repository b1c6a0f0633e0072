"""The way of a batch of pictures to its device, and of its rows back: to a GPU beside what that computes meanwhile."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.models.families.interface import Pictures

if TYPE_CHECKING:
    import torch

Fetch = Callable[[], tuple[NDArray[np.float32], float]]
"""Waits for the rows of a batch; returns them, and the seconds in which the device waited for its pictures."""


class Passage(Protocol):
    """One batch on its way."""

    stack: "torch.Tensor"
    """The pictures on the device: uint8 (N, height, width, 3)."""

    def fetch(self, rows: "torch.Tensor") -> Fetch:
        """Begin to bring float32 rows back, which need not be computed yet."""


def passage(pictures: Pictures, device: "torch.device", side: "torch.cuda.Stream | None") -> Passage:
    """Begin to bring pictures to `device`, through the stream `side` if it is a GPU."""
    return _AtHand(pictures) if side is None else _Copied(pictures, device, side)


class _AtHand:
    """On the CPU pictures only have to be put together."""

    def __init__(self, pictures: Pictures) -> None:
        import torch

        began = time.monotonic()
        self.stack = torch.from_numpy(np.stack(pictures))
        self._waited_s = time.monotonic() - began

    def fetch(self, rows: "torch.Tensor") -> Fetch:
        return lambda: (rows.numpy(), self._waited_s)


class _Copied:
    """Through pinned memory and a stream of its own, so that the batch before is computed meanwhile."""

    def __init__(self, pictures: Pictures, device: "torch.device", side: "torch.cuda.Stream") -> None:
        import torch

        self._device = device
        event: Any = torch.cuda.Event
        self._free, self._come, self._done = event(enable_timing=True), event(enable_timing=True), event(blocking=True)
        with torch.cuda.device(device):  # or memory would be pinned through the first GPU, whichever is ours
            computing = torch.cuda.current_stream(device)
            # Between these two events the GPU has nothing to compute but waits for these pictures, stacking included.
            self._free.record(computing)
            self._pinned = torch.empty((len(pictures), *pictures[0].shape), dtype=torch.uint8, pin_memory=True)
            np.stack(pictures, out=self._pinned.numpy())
            with torch.cuda.stream(side):
                self.stack = self._pinned.to(device, non_blocking=True)
            computing.wait_stream(side)
            self._come.record(computing)
            self.stack.record_stream(computing)  # else its memory might go to the next copy while it is still read

    def fetch(self, rows: "torch.Tensor") -> Fetch:
        import torch

        with torch.cuda.device(self._device):
            back = torch.empty(rows.shape, dtype=torch.float32, pin_memory=True)
            back.copy_(rows, non_blocking=True)
            self._done.record(torch.cuda.current_stream(self._device))

        def wait() -> tuple[NDArray[np.float32], float]:
            self._done.synchronize()
            return back.numpy().copy(), self._free.elapsed_time(self._come) / 1000

        return wait
