"""Compares an output folder with what the ledger says should be in it."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipeline.identity import sha256_of
from pipeline.model import RunKind
from pipeline.outputs import paths
from pipeline.outputs.atomic import stale_parts
from pipeline.outputs.findings import Fault, Finding, fault_of
from pipeline.outputs.saved import is_plain_file, is_plain_folder, read_sum, sizes
from pipeline.outputs.verify_reports import ReportedRun, check_reports
from pipeline.text import visible
from pipeline.transcode.settings import SUFFIXES

ADOPTED_LATER = "No row of the ledger speaks of it. The next run of its video adopts it if it is whole."


@dataclass(frozen=True, slots=True)
class Output:
    """What the ledger says of the output of one video."""

    relative: bytes
    features: bytes
    """The feature file's path relative to the output folder."""
    size_bytes: int
    sha256: str
    mtime_ns: int = 0
    """Modification time of the feature file when it was written; 0 = not known."""
    pictures: str = ""
    """jpeg | webp where its kept frames were saved as pictures."""
    pictures_bytes: int = 0
    pictures_sha256: str = ""
    """See `pipeline.outputs.saved.PicturesSum`; empty where the row was written before there was one."""
    kind: RunKind = RunKind.EXTRACT
    """The kind of the run that made it; `features` is the path of its output, whatever that is."""


def verify(
    out: bytes,
    outputs: Iterable[Output],
    run: ReportedRun | None = None,
    *,
    deep: bool = False,
    kind: RunKind = RunKind.EXTRACT,
) -> Iterator[Finding]:
    """Yield what is wrong with the outputs of `kind` in `out`, of which `outputs` and `run` say what should be there.

    Every output is there and of its size, and of its checksum if its modification time is another than its
    row says; the saved pictures are all there and add up to their size; the reports are those that `run` wrote. With
    `deep` every checksum is compared and every dataset read, whatever the times say. Files that no row speaks of
    and left-over temporaries are findings. No file is changed.
    """
    if run is not None:
        yield from check_reports(out, run)
    known: set[bytes] = set()
    folders: set[bytes] = set()
    for output in outputs:
        known.add(output.features)
        if output.pictures:
            folders.add(paths.frames_folder(out, output.relative))
        yield from check_output(out, output, deep=deep)
    for path in stale_parts(out, kind):
        message = "A writer that crashed left it; the next run here removes it."
        yield Finding(Fault.TEMPORARY, os.path.relpath(path, out), message)
    for path in _UNKNOWN[kind](out, known, folders):
        yield Finding(Fault.UNKNOWN, os.path.relpath(path, out), ADOPTED_LATER)


def _unknown_features(out: bytes, known: set[bytes], folders: set[bytes]) -> Iterator[bytes]:
    for path in _files(os.path.join(out, paths.FEATURES)):
        if os.path.relpath(path, out) not in known:
            yield path
    for path in _files(os.path.join(out, paths.FRAMES)):
        if path not in folders and os.path.dirname(path) not in folders:
            yield path


def _unknown_videos(out: bytes, known: set[bytes], _: set[bytes]) -> Iterator[bytes]:
    """Yield the videos that no row speaks of; of other files in the folder nothing is known."""
    for path in _files(out):
        if path.endswith(tuple(SUFFIXES.values())) and os.path.relpath(path, out) not in known:
            yield path


_UNKNOWN: dict[RunKind, Callable[[bytes, set[bytes], set[bytes]], Iterator[bytes]]] = {
    RunKind.EXTRACT: _unknown_features,
    RunKind.TRANSCODE: _unknown_videos,
}


def check_output(out: bytes, output: Output, *, deep: bool) -> Iterator[Finding]:
    """Yield what is wrong with the feature file and the saved pictures of one video."""
    path = os.path.join(out, output.features)
    try:
        wrong = _wrong_features(path, output, deep)
    except OSError as error:
        wrong = fault_of(error)
    if wrong is not None:
        yield Finding(wrong[0], output.features, wrong[1], output.relative)
    if output.pictures:
        try:
            yield from _wrong_pictures(out, output, _kept(path) if wrong is None else None, deep)
        except OSError as error:
            fault, message = fault_of(error)
            yield Finding(fault, _folder(output), message, output.relative)


def _wrong_features(path: bytes, output: Output, deep: bool) -> tuple[Fault, str] | None:
    if not is_plain_file(path):
        return Fault.KIND, "A folder or a link has its name."
    status = os.stat(path)
    if status.st_size != output.size_bytes:
        return Fault.SIZE, f"{status.st_size} bytes; the ledger says {output.size_bytes}."
    if not deep and status.st_mtime_ns == output.mtime_ns:
        return None
    if sha256_of(path) != output.sha256:
        return Fault.CHECKSUM, "Its contents are not those that were written."
    if output.kind is not RunKind.EXTRACT:  # it was read to its end before it got its name
        return None
    # h5py is loaded here: who imports this module to show a finding needs no HDF5.
    from pipeline.outputs.features import check_features

    wrong = check_features(path, deep=deep)
    return (Fault.UNREADABLE, "; ".join(visible(text) for text in wrong)) if wrong else None


def _kept(path: bytes) -> list[int] | None:
    """Return the numbers of the kept frames, None if the feature file does not tell."""
    from pipeline.outputs.features import frame_indices

    try:
        return frame_indices(path)
    except (OSError, KeyError, RuntimeError, ValueError):
        return None


def _folder(output: Output) -> bytes:
    return paths.frames_folder(b"", output.relative)


def _wrong_pictures(out: bytes, output: Output, kept: list[int] | None, deep: bool) -> Iterator[Finding]:
    """Yield what is wrong with saved pictures; `kept` are the numbers of the frames, if they are known."""
    folder, shown = os.path.join(out, _folder(output)), _folder(output)
    if os.path.lexists(folder) and not is_plain_folder(folder):
        yield Finding(Fault.KIND, shown, "A file or a link has the name of a folder of pictures.", output.relative)
        return
    there = sizes(folder)
    if not there and kept:
        yield Finding(Fault.MISSING, shown, f"None of its {len(kept)} saved pictures is there.", output.relative)
        return
    wanted = set(there) if kept is None else {paths.picture_name(index, output.pictures) for index in kept}
    named = False
    for name in sorted(wanted - set(there)):
        path, named = os.path.join(shown, name), True
        if os.path.lexists(os.path.join(folder, name)):
            yield Finding(Fault.KIND, path, "A folder or a link has its name.", output.relative)
        else:
            what = f"A saved picture of {visible(output.relative)} is not there."
            yield Finding(Fault.MISSING, path, what, output.relative)
    for name in sorted(set(os.listdir(folder)) - wanted) if there else ():
        yield Finding(Fault.UNKNOWN, os.path.join(shown, name), "No kept frame has this picture.")
    if not named:
        yield from _changed_pictures(folder, output, {name: there[name] for name in wanted}, deep)


def _changed_pictures(folder: bytes, output: Output, there: dict[bytes, int], deep: bool) -> Iterator[Finding]:
    """Yield which pictures are others than were saved; all of them together where no single one can be named."""
    shown = _folder(output)
    size = sum(there.values())
    if output.pictures_sha256 and size == output.pictures_bytes:
        if not deep:
            return
        found = read_sum(folder, there)
        if found is not None and found.sha256 == output.pictures_sha256:
            return
    elif not (deep or output.pictures_sha256):
        return
    from pipeline.outputs.pictures import unreadable_pictures

    named = False
    for name in unreadable_pictures(folder, sorted(there)):
        named = True
        yield Finding(Fault.UNREADABLE, os.path.join(shown, name), "It cannot be decoded.", output.relative)
    if output.pictures_sha256 and not named:
        if size != output.pictures_bytes:
            message = f"The pictures in it have {size} bytes; the ledger says {output.pictures_bytes}."
            yield Finding(Fault.SIZE, shown, message, output.relative)
        else:
            message = "The pictures in it are not those that were saved."
            yield Finding(Fault.CHECKSUM, shown, message, output.relative)


def _files(top: bytes) -> Iterator[bytes]:
    """Yield the path of all that is no folder below `top`, temporaries left out."""
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if not paths.PART.fullmatch(name)]
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        yield from (os.path.join(folder, name) for name in (*names, *links) if not paths.PART.fullmatch(name))
