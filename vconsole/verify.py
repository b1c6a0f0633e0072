"""`vconsole verify`: checks an output folder against the ledger, beside an engine or without one."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import OutputRecord
from pipeline.errors import SettingsError
from pipeline.model import JobState
from pipeline.outputs.manifest import ManifestRow
from pipeline.outputs.verify import Finding, verify
from pipeline.text import plural, visible
from vconsole.config import load, state_dir
from vconsole.exits import Exit
from vconsole.options import absolute, from_arguments
from vconsole.output import write_json


def run(args: argparse.Namespace) -> int:
    """Check every output that the ledger has for the folder and return the exit code: 1 if anything is wrong.

    Raises LedgerError if there is no ledger, SettingsError if it knows nothing of the folder.
    """
    out = absolute(args.out)
    with LedgerReader.read_only(state_dir(load(from_arguments(args)))) as ledger:
        if ledger.run_of_output(out) is None:
            raise SettingsError(
                f"the ledger knows of no run that wrote to {args.out}",
                remedy="Name the folder that was given as --out; `vconsole runs` lists them.",
            )
        rows = [_row(record) for record in ledger.outputs(out)]
    findings = verify(out, rows, deep=args.deep)
    if args.json:
        for value in _objects(args.out, len(rows), findings):
            write_json(value, sys.stdout)
    else:
        sys.stdout.writelines(line + "\n" for line in _lines(args.out, len(rows), findings, deep=args.deep))
    return Exit.SOME_FAILED if findings else Exit.OK


def _row(record: OutputRecord) -> ManifestRow:
    return ManifestRow(
        source=record.relative,
        status=JobState(record.result.get("state", JobState.DONE)),
        features=os.fsencode(record.output),
        output_bytes=record.output_bytes,
        output_sha256=record.sha256,
        pictures=str(record.result.get("pictures", "")),
    )


def _lines(out: str, checked: int, findings: Iterable[Finding], *, deep: bool) -> Iterator[str]:
    wrong = 0
    for finding in findings:
        wrong += 1
        yield f"{finding.fault}: {visible(finding.path)}  {visible(finding.message)}"
    how = "checksums and every dataset" if deep else "sizes, checksums and structure"
    told = f"{wrong} wrong" if wrong else "all whole"
    yield f"{visible(out)}: {plural(checked, 'output')} checked ({how}): {told}"
    if wrong:
        yield "  to make them again: give the same `vconsole extract` command once more"


def _objects(out: str, checked: int, findings: list[Finding]) -> Iterator[dict[str, Any]]:
    for finding in findings:
        path = os.fsdecode(finding.path)
        yield {"event": "finding", "fault": str(finding.fault), "path": path, "message": finding.message}
    code = Exit.SOME_FAILED if findings else Exit.OK
    yield {"event": "summary", "exit_code": int(code), "out": out, "checked": checked, "findings": len(findings)}
