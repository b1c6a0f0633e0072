"""What earlier runs tell of a new one: the length of videos they have seen, how fast they went, what they wrote."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from pipeline.engine.store import LEDGER_NAME, ledger_error, open_read_only
from pipeline.engine.stored import marks, unsigned
from pipeline.forecast import Pace
from pipeline.identity import Identity
from pipeline.model import BAD, JobState, RunKind

MOST_LENGTHS = 200_000
MOST_RUNS, MOST_JOBS = 5, 5000
"""How many runs, and of each how many jobs, are looked at for a pace."""
LEAST_BUSY_S = 0.5
"""A run that worked for less than this says nothing of the next one."""

_WHOLE = (JobState.DONE, JobState.PARTIAL)
_TRIED = (*_WHOLE, *BAD)


class Lengths:
    """The length of files that earlier runs have looked at and that are unchanged since."""

    def __init__(self, known: Mapping[tuple[int, int, int], float]) -> None:
        self._known = known
        self.bytes_per_s = _ratio(sum(size for _, size, _ in known), sum(known.values()))
        """Bytes of all of them for a second of video, 0 if there is none."""

    @staticmethod
    def read(state_dir: Path) -> "Lengths":
        """Return those that the ledger in `state_dir` knows; none if there is no ledger. Raises LedgerError."""
        known: dict[tuple[int, int, int], float] = {}
        query = (
            "SELECT inode, size_bytes, source_mtime_ns, json_extract(result, '$.duration_s') FROM outputs"
            " WHERE json_extract(result, '$.duration_s') > 0 LIMIT ?"
        )
        if not (state_dir / LEDGER_NAME).exists():
            return Lengths(known)
        try:
            with closing(open_read_only(state_dir)) as ledger:
                for inode, size, mtime_ns, seconds in ledger.execute(query, (MOST_LENGTHS,)):
                    known[unsigned(inode), size, mtime_ns] = seconds
        except sqlite3.Error as error:
            raise ledger_error(state_dir / LEDGER_NAME, error) from error
        return Lengths(known)

    def of(self, identity: Identity) -> float:
        """Return the length of a file in seconds, 0 if it is not known."""
        return self._known.get((identity.inode, identity.size_bytes, identity.mtime_ns), 0.0)


def pace(state_dir: Path, kind: RunKind, preset: str) -> Pace | None:
    """Return how fast the last runs of `kind` went, those with `preset` if there are any; None if there is none.

    Time in which nothing was tried, as between an interruption and going on, does not count. Raises LedgerError.
    """
    if not (state_dir / LEDGER_NAME).exists():
        return None
    try:
        with closing(open_read_only(state_dir)) as ledger:
            return _pace(ledger, kind, preset, same=True) or _pace(ledger, kind, preset, same=False)
    except sqlite3.Error as error:
        raise ledger_error(state_dir / LEDGER_NAME, error) from error


def _pace(ledger: sqlite3.Connection, kind: RunKind, preset: str, *, same: bool) -> Pace | None:
    # A run with no inputs only did damaged outputs again, and says nothing of a whole one.
    query = f"SELECT run_id FROM runs WHERE kind = ? AND inputs != x'' AND preset {'=' if same else '!='} ?"  # noqa: S608
    found = ledger.execute(f"{query} ORDER BY run_id DESC LIMIT ?", (kind, preset, 4 * MOST_RUNS)).fetchall()
    rates: dict[int, float] = {}
    read = written = 0
    for (run_id,) in found:
        busy_s, source_bytes, output_bytes = _work(ledger, run_id)
        if busy_s >= LEAST_BUSY_S and source_bytes and len(rates) < MOST_RUNS:
            rates[run_id] = source_bytes / busy_s
            read, written = read + source_bytes, written + output_bytes
    if not rates:
        return None
    return Pace(tuple(rates), min(rates.values()), max(rates.values()), _ratio(written, read), same)


def _work(ledger: sqlite3.Connection, run_id: int) -> tuple[float, int, int]:
    """Return for how long a run worked on its first jobs, the bytes it read for those that came out, and wrote."""
    jobs = (
        "SELECT job_id, size_bytes, state, json_extract(result, '$.output_bytes') AS output_bytes FROM jobs"  # noqa: S608
        f" WHERE run_id = ? AND reused = 0 AND state IN ({marks(_TRIED)}) LIMIT ?"
    )
    values = (run_id, *_TRIED, MOST_JOBS)
    sums = f"SELECT total(size_bytes), total(output_bytes) FROM ({jobs}) WHERE state IN ({marks(_WHOLE)})"  # noqa: S608
    source_bytes, output_bytes = ledger.execute(sums, (*values, *_WHOLE)).fetchone()
    spans = (
        f"SELECT started_s, ended_s FROM attempts JOIN ({jobs}) USING (job_id)"  # noqa: S608 - marks only
        " WHERE ended_s >= started_s ORDER BY started_s"
    )
    return covered_s(ledger.execute(spans, values)), int(source_bytes), int(output_bytes)


def covered_s(spans: Iterable[tuple[float, float]]) -> float:
    """Return how much time the spans cover together; they come by their beginnings."""
    covered, until = 0.0, float("-inf")
    for begin, end in spans:
        covered += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
