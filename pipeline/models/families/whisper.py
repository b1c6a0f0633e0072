"""openai-whisper: transcribes speech; the official checkpoints of any size, or a file in their format."""

import math
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import SettingsError
from pipeline.models.families.interface import Checkpoint, Note, Origin, SpeechModel, Usage
from pipeline.models.network import choose_device, heard, memory_share, release_memory
from pipeline.models.room import held_bytes
from pipeline.models.speech import Heard, Segment, SpeechSpec, Window
from pipeline.sections import HostSettings, ModelSettings

ADDRESS = "https://openaipublic.azureedge.net/main/whisper/models"
SIZES: dict[str, str] = {
    "tiny.en": "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
    "tiny": "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9",
    "base.en": "25a8566e1d0c1e2231d1c762132cd20e0f96a85d16145c3a00adf5d1ac670ead",
    "base": "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e",
    "small.en": "f953ad0fd29cacd07d5a9eda5624af0f6bcf2258be67c92b79389873d91e0872",
    "small": "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794",
    "medium.en": "d7440d1dc186f76616474e0ff0b3b6b879abc9d1a4926b7adfa41db2d497ab4f",
    "medium": "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1",
    "large-v1": "e4b87e7e0bf463eb8e6956e646f1e277e901512310def2c24bf0e11bd3c28e9a",
    "large-v2": "81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524",
    "large-v3": "e5b1a55b89c1367dacf97e3e19bfd829a01529dbfdeefa8caeb59b3f1b81dadb",
    "large-v3-turbo": "aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a",
}
"""Size -> SHA-256 of its checkpoint, which is also part of its address."""
ON_CPU, ON_GPU = 1, 16
"""Windows that are decoded at once."""


class Whisper:
    """The family."""

    needs_weights = True
    files: tuple[str, ...] = ()
    config = ""

    def check(self, key: str, model: ModelSettings) -> None:
        """Raise SettingsError if there is no such size; a checkpoint of one's own may have any name."""
        if model.architecture not in SIZES and not model.path:
            raise SettingsError(
                f"model {key}: whisper has no size {model.architecture!r}; it has {', '.join(SIZES)}",
                remedy=f"Choose one of these, or name a checkpoint file: [models.{key}] path.",
            )

    def origin(self, key: str, model: ModelSettings) -> Origin:
        """Return the address of the official checkpoint, and the folder in which whisper itself keeps it."""
        self.check(key, model)
        name, sha256 = f"{model.architecture}.pt", SIZES[model.architecture]
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"
        return Origin("", (name,), f"{ADDRESS}/{sha256}/{name}", sha256, folder)

    def identity(self, model: ModelSettings) -> bytes:
        """Return nothing: the checkpoint holds all that shapes what is heard."""
        return b""

    def load(self, checkpoint: Checkpoint, host: HostSettings, note: Note) -> SpeechModel:
        """Load a checkpoint (`dims` and `model_state_dict`) as whisper does, without running anything in it."""
        import whisper

        device = choose_device(host)
        network = heard(lambda: whisper.load_model(str(checkpoint.path), device), checkpoint.key, note)
        return WhisperModel(network.eval(), checkpoint, device, half=device.type == "cuda" and host.precision != "fp32")


class WhisperModel:
    """A loaded checkpoint. What it hears in a window does not depend on the windows before."""

    def __init__(self, network: Any, checkpoint: Checkpoint, device: Any, *, half: bool) -> None:
        self._network, self._device, self._half = network, device, half
        self._weights_bytes = held_bytes(network)
        self.spec = SpeechSpec(
            checkpoint.key, checkpoint.model.architecture, checkpoint.source, checkpoint.sha256,
            "fp16" if half else "fp32", str(device), ON_GPU if device.type == "cuda" else ON_CPU,
        )  # fmt: skip

    def transcribe(self, windows: Sequence[Window]) -> list[Heard]:
        """Return what is said in each window, as `whisper.transcribe` tells it.

        Raises whatever torch raises, and ValueError if a probability is not finite.
        """
        import torch

        first = self._decoded_together(windows) if len(windows) > 1 else [None] * len(windows)
        answers = []
        for window, decoded in zip(windows, first, strict=True):
            torch.manual_seed(0)  # A hard window is sampled: the same sound must give the same words again.
            answers.append(self._transcribed(window, decoded))
        return answers

    def usage(self) -> Usage:
        """Return what torch holds of the GPU's memory, 0 on the CPU."""
        return Usage(memory_share(self._device), weights_bytes=self._weights_bytes)

    def release_memory(self) -> None:
        """Give memory that is only cached back to the device."""
        release_memory(self._device)

    def _transcribed(self, window: Window, decoded: Any) -> Heard:
        import whisper

        network = self._network if decoded is None else _Foreseen(self._network, decoded)
        language = window.language if decoded is None else decoded.language
        told = whisper.transcribe(network, _floats(window), verbose=None, **self._options(window, language))
        segments = []
        for found in told["segments"]:
            segment = Segment(
                float(found["start"]), float(found["end"]), str(found["text"]).strip(),
                float(found["avg_logprob"]), float(found["no_speech_prob"]),
            )  # fmt: skip
            if not all(map(math.isfinite, segment[3:])):
                raise ValueError("the model gave a probability that is not finite")
            if segment.text:
                segments.append(segment)
        return Heard(str(told["language"]), tuple(segments))

    def _options(self, window: Window, language: str) -> dict[str, Any]:
        beams = {"beam_size": window.beam_size} if window.beam_size > 1 else {}
        return {"language": language or None, "fp16": self._half, **beams}

    def _decoded_together(self, windows: Sequence[Window]) -> list[Any]:
        """Return the first decoding of each window; those of one language are decoded in one batch."""
        import torch
        import whisper

        mels = torch.stack([self._mel(window) for window in windows])
        languages = self._languages(windows, mels)
        groups: dict[tuple[str, int], list[int]] = defaultdict(list)
        for place, (window, language) in enumerate(zip(windows, languages, strict=True)):
            groups[language, window.beam_size].append(place)
        found: list[Any] = [None] * len(windows)
        for (language, _), places in groups.items():
            options = self._options(windows[places[0]], language)
            decoded = self._network.decode(mels[places], whisper.DecodingOptions(**options, temperature=0.0))
            for place, result in zip(places, decoded, strict=True):
                found[place] = result
        return found

    def _languages(self, windows: Sequence[Window], mels: Any) -> list[str]:
        languages = [window.language if self._network.is_multilingual else "en" for window in windows]
        unknown = [place for place, language in enumerate(languages) if not language]
        if unknown:
            _, told = self._network.detect_language(mels[unknown])
            for place, probabilities in zip(unknown, told, strict=True):
                languages[place] = max(probabilities, key=probabilities.get)
        return languages

    def _mel(self, window: Window) -> Any:
        """Return the spectrogram of a window, as `whisper.transcribe` makes it."""
        import torch
        from whisper.audio import N_FRAMES, N_SAMPLES, log_mel_spectrogram, pad_or_trim

        mel = log_mel_spectrogram(_floats(window), self._network.dims.n_mels, padding=N_SAMPLES)
        part = pad_or_trim(mel[:, : min(N_FRAMES, mel.shape[-1] - N_FRAMES)], N_FRAMES)
        return part.to(self._device).to(torch.float16 if self._half else torch.float32)


class _Foreseen:
    """A network whose first decoding is known: it was done in a batch, and whatever follows is done as ever."""

    def __init__(self, network: Any, decoded: Any) -> None:
        self._network, self._decoded = network, decoded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def decode(self, mel: Any, options: Any) -> Any:
        decoded, self._decoded = self._decoded, None
        return self._network.decode(mel, options) if decoded is None else decoded


def _floats(window: Window) -> Any:
    return window.samples.astype(np.float32) / 32768.0
