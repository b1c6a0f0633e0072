"""A small random checkpoint in the official format of whisper, and sounds to listen to."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
DIMS: dict[str, int] = {
    "n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 32, "n_audio_head": 2, "n_audio_layer": 1,
    "n_vocab": 51865, "n_text_ctx": 32, "n_text_state": 32, "n_text_head": 2, "n_text_layer": 1,
}  # fmt: skip


def make_checkpoint(path: Path, seed: int = 1) -> Path:
    """Write what `whisper.load_model` loads: `dims` and `model_state_dict`."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(seed)
    network = Whisper(ModelDimensions(**DIMS))
    state: dict[str, Any] = network.state_dict()
    torch.nn.init.normal_(state["decoder.positional_embedding"], std=1.0)
    torch.nn.init.normal_(state["decoder.token_embedding.weight"], std=0.5)
    torch.save({"dims": DIMS, "model_state_dict": state}, path)
    return path


def write_wav(path: Path, samples: NDArray[np.int16], rate_hz: int = RATE_HZ) -> Path:
    """Write mono sound."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
    return path
