"""Tells how likely each moment of a sound is a voice, by Silero VAD: a small model that its wheel carries."""

import functools
import importlib.util
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FRAME = 512
"""Samples that one probability is of: 32 ms at 16 kHz."""
_CONTEXT = 64
"""Samples before a frame that the model sees with it."""
_FILE = "silero_vad_16k_sequence.onnx"


def detector() -> str:
    """Return what finds voices, with its version."""
    return f"silero-vad {version('silero-vad')}"


class VoiceDetector:
    """Listens to one sound from its beginning; what it says of a moment depends on all before."""

    def __init__(self) -> None:
        self._session = _session()
        self._context = np.zeros(_CONTEXT, np.float32)
        self._hidden = self._cell = np.zeros((1, 1, 128), np.float32)

    def probabilities(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Return the probability of a voice in each frame of the next samples: float32 (frames,), 0 to 1.

        `samples` is int16 (n,) at 16 kHz, n a multiple of FRAME.
        """
        frames = samples.astype(np.float32).reshape(-1, FRAME) / 32768.0
        if not len(frames):
            return np.zeros(0, np.float32)
        contexts = np.concatenate([self._context[None], frames[:-1, -_CONTEXT:]])
        self._context = frames[-1, -_CONTEXT:]
        given = {"input": np.concatenate([contexts, frames], axis=1), "h": self._hidden, "c": self._cell}
        found, self._hidden, self._cell = self._session.run(["speech_probs", "hn", "cn"], given)
        return np.asarray(found, np.float32).reshape(-1)


@functools.cache
def _session() -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 3
    package = importlib.util.find_spec("silero_vad")  # Importing it would load torch, which its model does not need.
    if package is None or package.origin is None:
        raise ImportError("silero-vad is not installed")
    model = Path(package.origin).parent / "data" / _FILE
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
