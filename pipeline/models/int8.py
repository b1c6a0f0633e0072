"""Linear layers in int8 on the CPU: weights are rounded once, activations row by row as they come.

torch.ao.quantization and the quantised tensors under it are deprecated; what oneDNN multiplies plain int8 with is not.
"""

from collections.abc import Callable
from typing import Any

import torch

LARGEST = 127


class Int8Linear(torch.nn.Module):
    """A linear layer with a scale for each row of its weights and of what it is given; float32 in and out."""

    _rounded: torch.Tensor
    _scales: torch.Tensor
    _bias: torch.Tensor | None

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scales = _scales(weight)
        self.register_buffer("_rounded", (weight / scales).round_().to(torch.int8))
        self.register_buffer("_scales", scales[:, 0].clone())
        self.register_buffer("_bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Multiply rows (..., features in) to (..., features out); what is not finite stays so."""
        rows = given.reshape(-1, given.shape[-1])
        scales = _scales(rows)
        product = torch._int_mm((rows / scales).round_().to(torch.int8), self._rounded.t())
        found = product.float().mul_(scales).mul_(self._scales)
        if self._bias is not None:
            found.add_(self._bias)
        return found.view(*given.shape[:-1], -1)


def quantise(network: Any, run: Callable[[], object]) -> bool:
    """Put int8 in the place of every plain linear layer that `run` calls; return whether there is one.

    Of others some kinds of attention only read the weights.
    """
    linear = [module for module in network.modules() if type(module) is torch.nn.Linear]
    called = set[Any]()
    hooks = [module.register_forward_hook(lambda module, *_: called.add(module)) for module in linear]
    run()
    for hook in hooks:
        hook.remove()
    for module in list(network.modules()):
        for name, child in module.named_children():
            if child in called:
                setattr(module, name, Int8Linear(child))
    return bool(called)


def _scales(rows: torch.Tensor) -> torch.Tensor:
    return rows.abs().amax(dim=-1, keepdim=True).clamp_(min=1e-12).div_(LARGEST)
