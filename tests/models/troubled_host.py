"""The real model host, in which loading and batches run out of memory at random.

`python troubled_host.py SEED --fd N`: every third load beside another model, and every fifth batch or so, finds no
room; the seed decides which. A single picture always finds room where its model is alone.
"""

import random
import sys
import weakref
from typing import Any

from pipeline.models import host, supply
from pipeline.models.load import NoRoomError, load
from pipeline.models.network import NetworkModel


def main() -> None:
    chance = random.Random(int(sys.argv.pop(1)))
    there: weakref.WeakSet[Any] = weakref.WeakSet()
    encode = NetworkModel.encode_pictures

    def troubled_load(key: str, *rest: Any) -> Any:
        if len(there) > 0 and chance.random() < 0.33:
            raise NoRoomError(f"model {key} does not fit into memory: CUDA out of memory")
        model = load(key, *rest)
        if isinstance(model, NetworkModel):
            there.add(model)
        return model

    def troubled(self: NetworkModel, pictures: Any) -> Any:
        if chance.random() < 0.2 and (len(pictures) > 1 or len(there) > 1):
            raise MemoryError("CUDA out of memory")
        return encode(self, pictures)

    supply.load = troubled_load
    NetworkModel.encode_pictures = troubled  # type: ignore[method-assign]
    host.main(sys.argv[1:])


if __name__ == "__main__":
    main()
