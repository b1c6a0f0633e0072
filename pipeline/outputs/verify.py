"""Compares an output folder with what the ledger says should be in it."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipeline.identity import sha256_of
from pipeline.outputs import paths
from pipeline.outputs.atomic import stale_parts
from pipeline.outputs.manifest import ManifestRow
from pipeline.text import visible


class Fault(StrEnum):
    """What is wrong with one file of an output folder."""

    MISSING = "missing"
    SIZE = "size differs"
    CHECKSUM = "checksum differs"
    UNREADABLE = "unreadable"
    TEMPORARY = "unexpected temporary file"
    UNKNOWN = "file without row"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `path` is relative to the output folder."""

    fault: Fault
    path: bytes
    message: str


def verify(out: bytes, rows: Iterable[ManifestRow], *, deep: bool = False) -> list[Finding]:
    """Return what is wrong with the outputs in `out`, of which `rows` say what should be there; empty means all well.

    Every feature file is there, of the size and the checksum that its row has, and opens; with `deep` every dataset
    in it is read and looked at too. Where pictures were saved, there is one of each kept frame. Manifest and reports
    are there. Files that no row speaks of and left-over temporaries are findings. No file is changed.
    """
    findings = list(_missing_reports(out))
    known: set[bytes] = set()
    for row in rows:
        if row.features:
            known.add(row.features)
            findings += _check_row(out, row, deep)
    for path in stale_parts(out):
        findings.append(Finding(Fault.TEMPORARY, os.path.relpath(path, out), "A crashed writer left it."))
    for path in _feature_files(out):
        if path not in known:
            findings.append(Finding(Fault.UNKNOWN, path, "No video of the ledger has this output."))
    return findings


def _check_row(out: bytes, row: ManifestRow, deep: bool) -> Iterator[Finding]:
    # h5py is loaded here: who imports this module to show a finding needs no HDF5.
    from pipeline.outputs.features import check_features, frame_indices

    path = os.path.join(out, row.features)
    try:
        size = os.stat(path).st_size
        if row.output_bytes and size != row.output_bytes:
            yield Finding(Fault.SIZE, row.features, f"{size} bytes; the ledger says {row.output_bytes}.")
            return
        if row.output_sha256 and sha256_of(path) != row.output_sha256:
            yield Finding(Fault.CHECKSUM, row.features, "Its contents are not those that were written.")
            return
        wrong = check_features(path, deep=deep)
        kept = frame_indices(path) if row.pictures and not wrong else []
    except FileNotFoundError:
        yield Finding(Fault.MISSING, row.features, f"The output of {visible(row.source)} is not there.")
    except OSError as error:
        yield Finding(Fault.UNREADABLE, row.features, f"{os.strerror(error.errno or 0)}.")
    else:
        if wrong:
            yield Finding(Fault.UNREADABLE, row.features, "; ".join(visible(text) for text in wrong))
        yield from _missing_pictures(out, row, kept)


def _missing_pictures(out: bytes, row: ManifestRow, kept: list[int]) -> Iterator[Finding]:
    folder = paths.frames_folder(out, row.source)
    there = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    for name in (paths.picture_name(index, row.pictures) for index in kept):
        if name not in there:
            path = os.path.relpath(os.path.join(folder, name), out)
            yield Finding(Fault.MISSING, path, f"A saved picture of {visible(row.source)} is not there.")


def _missing_reports(out: bytes) -> Iterator[Finding]:
    for name in paths.REPORTS:
        if not os.path.isfile(os.path.join(out, name)):
            yield Finding(Fault.MISSING, name, "The run's report is not there; a run writes it when it ends.")


def _feature_files(out: bytes) -> Iterator[bytes]:
    for folder, _, names in os.walk(os.path.join(out, paths.FEATURES)):
        for name in names:
            if not paths.PART.fullmatch(name):
                yield os.path.relpath(os.path.join(folder, name), out)
