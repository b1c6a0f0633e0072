"""Whether the reports of a run (`pipeline.outputs.paths.LISTS`) and run.json are those that the run wrote.

`run.json` states the checksums of the others and of itself, and it must say of the run what the ledger says.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.model import RunKind
from pipeline.outputs import paths
from pipeline.outputs.findings import Fault, Finding, fault_of
from pipeline.outputs.manifest import file_sum, sealed
from pipeline.outputs.saved import is_plain_file

OWN_FACTS = frozenset({"ended_utc", "versions", "machine", "totals", "reports", "sha256"})
"""What `run.json` says that the ledger does not know as exactly; of the totals only `wall_s` is such."""


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """The run whose reports must lie in an output folder."""

    facts: Mapping[str, Any]
    """What the ledger would have `run.json` say (`pipeline.engine.reports.run_info`)."""
    ended: bool
    """Whether it came to its end. Of a run that was stopped, the reports may be older than the ledger."""


def check_reports(out: bytes, run: ReportedRun) -> Iterator[Finding]:
    """Yield what is wrong with the reports in `out`."""
    info: Mapping[str, Any] | None = None
    finding = _not_a_file(out, paths.RUN)
    if finding is None:
        info, message = _read_run(out, run)
        finding = None if info is not None else Finding(Fault.CHECKSUM, paths.RUN, message)
    if finding is not None:
        yield finding
    for name in paths.LISTS[run.facts.get("kind", RunKind.EXTRACT)]:
        finding = _not_a_file(out, name) or _check(out, name, (info or {}).get("reports", {}), run)
        if finding is not None:
            yield finding


def _not_a_file(out: bytes, name: bytes) -> Finding | None:
    try:
        if is_plain_file(os.path.join(out, name)):
            return None
    except OSError as error:
        fault, _ = fault_of(error)
        return Finding(fault, name, "The run's report is not there; a run writes it when it ends.")
    return Finding(Fault.KIND, name, "A folder or a link has its name.")


def _read_run(out: bytes, run: ReportedRun) -> tuple[Mapping[str, Any] | None, str]:
    """Return what `run.json` says if it can be trusted, and else why not."""
    try:
        with open(os.path.join(out, paths.RUN), "rb") as file:
            data = file.read()
        info = json.loads(data)
        known = {key: value for key, value in info.items() if key != "sha256"}
        earlier = "sha256" not in info and "reports" not in info  # versions before wrote no checksums
        text = json.dumps(known, indent=2) if earlier else sealed(known)
    except (OSError, ValueError, AttributeError) as error:
        return None, f"It cannot be read: {error}"
    if data != text.encode("ascii") + b"\n":
        return None, "Its contents are not those that were written."
    if not run.ended:
        return info, ""
    told = json.loads(json.dumps(run.facts))
    other = [key for key, value in told.items() if key not in OWN_FACTS and info.get(key) != value]
    totals = info.get("totals", {})
    other += [key for key, value in told.get("totals", {}).items() if key != "wall_s" and totals.get(key) != value]
    if other:
        return None, f"It is not of the last run in this folder, run {told['run_id']}: {', '.join(other)}."
    return info, ""


def _check(out: bytes, name: bytes, sums: Mapping[str, Any], run: ReportedRun) -> Finding | None:
    """Return what is wrong with a report, given what `run.json` says of it, if that can be trusted."""
    path, known = os.path.join(out, name), sums.get(os.fsdecode(name))
    try:
        if known:
            found = file_sum(path)
            if found == known:
                return None
            if run.ended:
                fault = Fault.SIZE if found["bytes"] != known["bytes"] else Fault.CHECKSUM
                return Finding(fault, name, "Its contents are not those that were written.")
        if name == paths.MANIFEST:
            with gzip.open(path, "rt", encoding="ascii") as lines:
                for line in lines:
                    json.loads(line)
        elif name != paths.TRANSCODE_TABLE:
            with open(path, "rb") as file:
                json.load(file)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        return Finding(Fault.UNREADABLE, name, f"It cannot be read: {error}.")
    return None
