"""The engine: an own thread with an own event loop that carries runs from their inputs to their results.

`Engine` is all that the rest of the program needs: `latest()` for a snapshot, `send()` for a command, `close()`.
"""

from pipeline.engine.facade import Engine

__all__ = ["Engine"]
