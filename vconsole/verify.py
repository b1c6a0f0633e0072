"""`vconsole verify`: checks an output folder against the ledger, and offers to do what is damaged again."""

import argparse
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.engine.folder import is_held
from pipeline.engine.reader import LedgerReader
from pipeline.engine.records import OutputRecord
from pipeline.engine.redo import reported_run
from pipeline.errors import SettingsError
from pipeline.model import RunKind
from pipeline.outputs.findings import LEFT_BEHIND, Fault, Finding
from pipeline.outputs.verify import Output, check_output, verify
from pipeline.outputs.verify_reports import check_reports
from pipeline.text import plural, visible
from vconsole.config import load
from vconsole.exits import Exit
from vconsole.options import absolute, from_arguments
from vconsole.output import say, write_json
from vconsole.places import state_dir
from vconsole.redo import Damage, redo


def run(args: argparse.Namespace) -> int:
    """Check every output that the ledger has for the folder and return the exit code: 1 if anything is wrong.

    With --redo, or if someone at the terminal says so, what is damaged is done again and checked once more.
    Raises LedgerError if there is no ledger, or another vconsole holds it when something is to be done again;
    SettingsError if it knows nothing of the folder.
    """
    out, settings = absolute(args.out), load(from_arguments(args))
    folder = state_dir(settings)
    findings, checked = _look(folder, out, args)
    if findings and is_held(folder):  # what a vconsole at work here is writing looks different at another moment
        again, _ = _look(folder, out, args)
        findings = [one for one in findings if one in again and one.fault is not Fault.TEMPORARY]
    for finding in findings:
        _tell(finding, as_json=args.json)
    damage = _damage(findings)
    if not args.json:
        sys.stdout.writelines(line + "\n" for line in _verdict(args, checked, len(findings)))
    left = findings
    if damage and (args.redo or _asked(damage, args)):
        hopeless = redo(damage, out, folder, settings, as_json=args.json)
        if hopeless is None:
            return Exit.INTERRUPTED
        left = [finding for finding in findings if finding.fault in LEFT_BEHIND]
        left += _look_again(folder, out, damage, deep=args.deep)
        _tell_left(left, hopeless, damage, as_json=args.json)
    elif damage and not args.json:
        say(f"  to do {damage} again: {_command(args)}")
    code = Exit.SOME_FAILED if left else Exit.OK
    if args.json:
        told = {"exit_code": int(code), "out": args.out, "checked": checked, "findings": len(findings)}
        write_json({"event": "summary", **told, "left": len(left)}, sys.stdout)
    return code


def _look(folder: Path, out: bytes, args: argparse.Namespace) -> tuple[list[Finding], int]:
    """Return what is wrong in `out`, and how many outputs were looked at."""
    with LedgerReader.read_only(folder) as ledger:
        newest = ledger.run_of_output(out)
        if newest is None:
            raise SettingsError(
                f"the ledger knows of no run that wrote to {args.out}",
                remedy="Name the folder that was given as --out; `vconsole runs` lists them.",
            )
        kind = min(ledger.kinds_in(out), default=newest.kind)
        outputs = [_output(record, kind) for record in ledger.outputs(out)]
        reported = reported_run(ledger, out)
    findings = verify(out, outputs, reported[1] if reported else None, deep=args.deep, kind=kind)
    return list(findings), len(outputs)


def _look_again(folder: Path, out: bytes, damage: Damage, *, deep: bool) -> list[Finding]:
    """Return what is still wrong with what was damaged."""
    with LedgerReader.read_only(folder) as ledger:
        records = [ledger.output(out, relative) for relative in damage.videos]
        reported = reported_run(ledger, out) if damage.reports else None
        kind = min(ledger.kinds_in(out), default=RunKind.EXTRACT)
    found = [finding for record in records if record for finding in check_output(out, _output(record, kind), deep=deep)]
    return [*found, *(check_reports(out, reported[1]) if reported else ())]


def _output(record: OutputRecord, kind: RunKind) -> Output:
    result = record.result
    return Output(
        relative=record.relative,
        features=os.fsencode(record.output),
        size_bytes=record.output_bytes,
        sha256=record.sha256,
        mtime_ns=record.mtime_ns,
        pictures=str(result.get("pictures", "")),
        pictures_bytes=int(result.get("pictures_bytes", 0)),
        pictures_sha256=str(result.get("pictures_sha256", "")),
        kind=kind,
    )


def _damage(findings: Iterable[Finding]) -> Damage:
    """Return what would have to be done again; a file too many needs nothing."""
    bad = [finding for finding in findings if finding.fault not in LEFT_BEHIND]
    videos = dict.fromkeys(finding.relative for finding in bad if finding.relative)
    return Damage(tuple(videos), tuple(finding.path for finding in bad if not finding.relative))


def _asked(damage: Damage, args: argparse.Namespace) -> bool:
    """Ask whoever sits at the terminal; nobody is asked in a pipe."""
    if args.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    sys.stdout.write(f"Do {damage} again? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _command(args: argparse.Namespace) -> str:
    """Return the command that does again what is damaged."""
    words = ["vconsole", "verify", args.out, *(["--deep"] if args.deep else []), "--redo"]
    options = from_arguments(args)
    words += ["--config", options.config] if options.config else []
    words += [word for override in options.overrides for word in ("--set", override)]
    return shlex.join(words)


def _tell(finding: Finding, *, as_json: bool) -> None:
    path, message = os.fsdecode(finding.path), finding.message
    if as_json:
        source = {"source": os.fsdecode(finding.relative)} if finding.relative else {}
        event = {"event": "finding", "fault": str(finding.fault), "path": path, "message": message}
        write_json(event | source, sys.stdout)
    else:
        say(f"{finding.fault}: {visible(path)}  {visible(message)}")


def _tell_left(left: list[Finding], hopeless: dict[bytes, str], damage: Damage, *, as_json: bool) -> None:
    """Tell what is still wrong, and why."""
    for name, why in hopeless.items():
        if as_json:
            write_json({"event": "hopeless", "name": os.fsdecode(name), "message": why}, sys.stdout)
        else:
            say(f"not done again: {visible(name)}  {why} What is there is kept.")
    if as_json:
        return
    still = [finding for finding in left if finding.fault not in LEFT_BEHIND]
    for finding in still:
        if (finding.relative or finding.path) not in hopeless:
            _tell(finding, as_json=False)
    say(f"checked again: {f'{len(still)} wrong' if still else f'{damage} whole'}")


def _verdict(args: argparse.Namespace, checked: int, wrong: int) -> Iterator[str]:
    how = "every checksum and every dataset" if args.deep else "sizes, and checksums where a time differs"
    told = f"{wrong} wrong" if wrong else "all whole"
    yield f"{visible(args.out)}: {plural(checked, 'output')} checked ({how}): {told}"
