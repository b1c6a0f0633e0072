"""Tells classes by vectors: a linear function of a vector, and the softmax of that."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.embed import Vectors

STEPS = 300
PENALTY = 1e-4
"""Weight of the squared weights of a probe, so that few examples do not run away."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """Classes by name; the probability of class c is the softmax of `weights[c] . vector + bias[c]`."""

    names: tuple[str, ...]
    weights: Vectors
    """(C, D)."""
    bias: Vectors
    """(C,)."""
    model: str
    """Key of the model whose vectors it knows."""
    weights_sha256: str
    """The weights of that model: vectors of others mean something else."""

    def probabilities(self, vectors: Vectors) -> list[list[float] | None]:
        """Return the probability of each class for each row of vectors (N, D); None for a row of zeros."""
        scores = vectors.astype(np.float64) @ self.weights.T.astype(np.float64) + self.bias
        shares = _softmax(scores)
        known: list[bool] = np.any(vectors, axis=1).tolist()
        return [row if there else None for row, there in zip(shares.round(4).tolist(), known, strict=True)]

    def to_message(self) -> dict[str, Any]:
        """Return what `from_message` makes the same classifier of, in another process."""
        return {
            "names": self.names,
            "weights": packed(self.weights),
            "bias": packed(self.bias),
            "model": self.model,
            "weights_sha256": self.weights_sha256,
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> "Classifier":
        """Return the classifier that a message holds."""
        names, bias = tuple(message["names"]), unpacked(message["bias"])
        weights = unpacked(message["weights"]).reshape(len(names), -1)
        return cls(names, weights, bias, message["model"], message["weights_sha256"])


def nearest(names: Sequence[str], centres: Vectors, temperature: float, model: str, weights_sha256: str) -> Classifier:
    """Return the classifier of the nearest of centres (C, D) of length 1."""
    weights = (centres / temperature).astype(np.float32)
    return Classifier(tuple(names), weights, np.zeros(len(names), np.float32), model, weights_sha256)


def probe(
    names: Sequence[str], vectors: Vectors, labels: NDArray[np.int64], temperature: float, model: str, sha256: str
) -> Classifier:
    """Return a linear probe: multinomial logistic regression on vectors (N, D), by Nesterov's gradient descent.

    The vectors are centred and scaled by what `temperature` would scale similarities with, so that its steps are
    those of the nearest mean.
    """
    mean = vectors.mean(axis=0)
    inputs = (vectors - mean).astype(np.float64) / np.sqrt(temperature)
    wanted = np.eye(len(names))[labels]
    share = 1 / len(inputs)
    step = 1 / (0.5 * np.linalg.norm(inputs, 2) ** 2 * share + 0.5 + PENALTY)
    weights, bias = np.zeros((len(names), inputs.shape[1])), np.zeros(len(names))
    ahead, ahead_bias = weights, bias
    for number in range(STEPS):
        off = (_softmax(inputs @ ahead.T + ahead_bias) - wanted) * share
        new, new_bias = ahead - step * (off.T @ inputs + PENALTY * ahead), ahead_bias - step * off.sum(axis=0)
        momentum = number / (number + 3)
        ahead, ahead_bias = new + momentum * (new - weights), new_bias + momentum * (new_bias - bias)
        weights, bias = new, new_bias
    weights = weights / np.sqrt(temperature)
    return Classifier(
        tuple(names), weights.astype(np.float32), (bias - weights @ mean).astype(np.float32), model, sha256
    )


def packed(values: Vectors) -> str:
    """Return float32 values as text for a message."""
    return base64.b64encode(np.ascontiguousarray(values, np.float32).tobytes()).decode("ascii")


def unpacked(text: str) -> Vectors:
    """Return the values that `packed` made a text of: float32 (n,), whatever their shape was."""
    return np.frombuffer(base64.b64decode(text), np.float32)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return shares
