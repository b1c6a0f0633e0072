"""Compiles a forward pass with torch.compile, once for batches of almost every size."""

import contextlib
import warnings
from collections.abc import Callable, Iterator

import torch

Forward = Callable[[torch.Tensor], torch.Tensor]


def compiled(forward: Forward) -> Forward:
    """Return `forward` compiled, which happens when it is called first."""
    quick = torch.compile(forward)

    def run(batch: torch.Tensor) -> torch.Tensor:
        # A size of 1 would be compiled by itself, all others are at once: only the number of pictures ever varies, and
        # padding each batch to a full one would compute more than a varying size costs.
        pair = batch if len(batch) > 1 else torch.cat((batch, batch))
        torch._dynamo.maybe_mark_dynamic(pair, 0)
        return quick(pair)[: len(batch)]

    return run


@contextlib.contextmanager
def trial() -> Iterator[None]:
    """Within the block what cannot be compiled raises; afterwards, for a batch of another kind, it is run as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch's own use of torch.jit
        torch._dynamo.config.suppress_errors = False
        try:
            yield
        finally:
            torch._dynamo.config.suppress_errors = True
