"""Lets torchvision be imported where its compiled operators do not fit the installed torch.

open_clip and easyocr import torchvision for its picture transforms only, but torchvision describes its compiled
operators while it is imported and fails if they are absent (a CUDA build of it beside a CPU build of torch). Everything
that imports torchvision calls `declare_missing_operators` first.
"""

import importlib.util
import sys
from pathlib import Path

_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_SCHEMAS = (f"nms{_NMS}", f"qnms{_NMS}")

_declared: list[object] = []


def declare_missing_operators() -> bool:
    """Declare the operators that torchvision describes while it is imported, if its own cannot be loaded.

    Returns whether that was needed. Called twice, the second call does nothing. A declared operator still has no code:
    calling it raises torch's own error.
    """
    import torch

    if _declared or "torchvision" in sys.modules:
        return bool(_declared)
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or _loads(Path(spec.origin).with_name("_C.so")):
        return False
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
    return True


def _loads(extension: Path) -> bool:
    import torch

    try:
        torch.ops.load_library(str(extension))  # type: ignore[no-untyped-call]
    except (ImportError, OSError):
        return False
    return True
