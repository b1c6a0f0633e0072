"""Plans which models are on a device together, and whose turn it is where they do not all fit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

IDLE_LOADS = 0.5
"""How long a model that nobody asks for keeps its place, in times that the one that waits for it takes to load."""
TURN_LOADS = 8.0
"""How long a model that is asked for keeps its place, in the same measure: loading takes a ninth of the time then."""
LOADED_BYTES_PER_S = 2e8
"""How quickly a model is taken to load again before it ever did: its first load brings in libraries as well."""
BATCHES_AT_ONCE = 2
"""Batches that may be under way together: one is begun before the other is over."""


@dataclass(slots=True)
class Share:
    """What one model takes of the device, and since when."""

    weights_bytes: int = 0
    """Its parameters; before it is loaded for the first time the size of its checkpoint."""
    batch_bytes: int = 0
    """What its largest batch takes beside them; 0 on the CPU, where nobody counts it."""
    load_s: float = 0.0
    """How long it took to load last."""
    again_s: float = 0.0
    """How long it takes to load again."""
    since_s: float | None = None
    """Since when it is loaded, None while it is not."""
    unloads: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of one model."""

    since_s: float | None
    """Since when the oldest picture or question waits, None if there is none."""
    used_s: float = 0.0
    """When it was used last."""


class Turns:
    """The shares of all models by key; whoever calls it sees to it that two threads do not at once."""

    def __init__(self, budget_bytes: int = 0) -> None:
        """`budget_bytes` is what models may take together; 0 = not known yet, so that all fit."""
        self.budget_bytes = budget_bytes
        self.shares: dict[str, Share] = {}
        self._apart: list[frozenset[str]] = []
        """Models that were found not to fit together, whatever was planned."""

    @property
    def loaded(self) -> list[str]:
        """Those that are loaded."""
        return [key for key, share in self.shares.items() if share.since_s is not None]

    @property
    def unloads(self) -> int:
        """How often models made room for others."""
        return sum(share.unloads for share in list(self.shares.values()))

    def needed_bytes(self, keys: Iterable[str]) -> int:
        """Return what models take together: their parameters, and the batches that may be under way."""
        shares = [self.shares[key] for key in keys]
        largest = max((share.batch_bytes for share in shares), default=0)
        return sum(share.weights_bytes for share in shares) + BATCHES_AT_ONCE * largest

    def fit(self, keys: Iterable[str]) -> bool:
        """Whether models may be loaded together; a single one always may: the device itself has the last word."""
        together = set(keys)
        if len(together) < 2:
            return True
        if any(apart <= together for apart in self._apart):
            return False
        return not self.budget_bytes or self.needed_bytes(together) <= self.budget_bytes

    def in_the_way(self, key: str, demands: Mapping[str, Demand]) -> list[str]:
        """Return the loaded models that have to go before `key` is loaded: the least recently used first."""
        if not self.shares[key].weights_bytes:
            return []
        staying = sorted(self._beside(key), key=lambda other: demands[other].used_s if other in demands else 0.0)
        going: list[str] = []
        while staying and not self.fit([key, *staying]):
            going.append(staying.pop(0))
        return going

    def over(self, keys: Iterable[str], key: str, demands: Mapping[str, Demand], now_s: float) -> bool:
        """Whether models have had their turn, so that `key` may be loaded in their place."""
        return all(self._has_had(other, self.shares[key].again_s, demands.get(other), now_s) for other in keys)

    def came(self, key: str, now_s: float, load_s: float, weights_bytes: int, batch_bytes: int | None) -> None:
        """Note that a model is loaded, and what it turned out to take; None = as it was."""
        share = self.shares[key]
        share.since_s, share.load_s, share.weights_bytes = now_s, load_s, weights_bytes
        share.again_s = load_s if share.unloads else weights_bytes / LOADED_BYTES_PER_S
        share.batch_bytes = share.batch_bytes if batch_bytes is None else batch_bytes

    def went(self, key: str) -> None:
        """Note that a model has made room for another."""
        share = self.shares[key]
        share.since_s = None
        share.unloads += 1

    def clashed(self, key: str, demands: Mapping[str, Demand]) -> list[str]:
        """Note that memory was short for `key` beside those that are loaded: they are not loaded together again.

        Returns those that have to go now, none where no other takes anything.
        """
        together = frozenset((key, *self._beside(key)))
        if len(together) < 2:
            return []
        self._apart = [apart for apart in self._apart if not together <= apart] + [together]
        self.shares[key].weights_bytes = max(1, self.shares[key].weights_bytes)
        return self.in_the_way(key, demands)

    def too_large(self, key: str) -> bool:
        """Whether one model takes more by itself than all may together; it is used all the same."""
        return 0 < self.budget_bytes < self.needed_bytes([key])

    def told_too_large(self, key: str, setting: str, device: str) -> str:
        """Return a sentence for the operator on a model that is too large."""
        needed, budget = self.needed_bytes([key]), self.budget_bytes
        return (
            f"model {key} takes {needed / 1e6:,.0f} MB on {device}, and {budget / 1e6:,.0f} MB are allowed "
            f"({setting}): it is used all the same, with no other beside it. Raise {setting}, or choose a smaller one."
        )

    def told(self, keys: Iterable[str], setting: str, device: str) -> str:
        """Return a sentence for the operator: that models take turns, and what can be done about it."""
        needed, budget = self.needed_bytes(keys), self.budget_bytes
        why = f"they take {needed / 1e6:,.0f} MB, and {budget / 1e6:,.0f} MB are allowed ({setting})"
        why = why if needed > budget else "memory ran out with them"
        return (
            f"models {' and '.join(sorted(keys))} do not fit together on {device}: {why}. They take turns, each is "
            "loaded again when it is asked for. It is quicker with fewer models at once, a smaller one or more memory; "
            "a larger host.window_mb makes turns longer."
        )

    def _beside(self, key: str) -> list[str]:
        """Return the loaded models that would make room if they went."""
        return [other for other in self.loaded if other != key and self.shares[other].weights_bytes]

    def _has_had(self, key: str, again_s: float, demand: Demand | None, now_s: float) -> bool:
        since_s = self.shares[key].since_s
        if since_s is None:
            return True
        if now_s - since_s >= TURN_LOADS * again_s:
            return True
        used_s = max(since_s, demand.used_s) if demand else since_s
        return (demand is None or demand.since_s is None) and now_s - used_s >= IDLE_LOADS * again_s
