"""Words to vectors without an engine: a model host runs for one question."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.models.client import HostClient
from pipeline.models.standalone import standalone_host
from pipeline.sections import HostSettings, ModelSettings


def encode_words(
    words: Sequence[str], key: str, models: Mapping[str, ModelSettings], host: HostSettings
) -> tuple[NDArray[np.float32], str]:
    """Return the vectors of `words` in the space of model `key`, (N, D) of length 1, and the SHA-256 of its weights.

    The model is loaded in a process of its own. Raises JobError if that fails.
    """
    # No picture is run, so the best size of a batch of pictures need not be measured.
    host = host.model_copy(update={"batch_size": 1})
    with standalone_host(host, models) as running:
        client = HostClient(running.socket_path, 1, progress=lambda _what: None)
        try:
            return client.encode_texts(key, words), client.spec(key).weights_sha256
        finally:
            client.close()
