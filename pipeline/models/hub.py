"""Downloads one file, mostly of a hub repository into the cache of its library, and goes on where a try broke off.

The library itself (2.4) begins anew in each process. The layout is its own: `blobs/<etag>`, and under
`snapshots/<commit>/` a link to it with the name of the file.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pipeline.identity import sha256_of


class DamagedError(Exception):
    """What came is not what the hub promised; it was thrown away."""


def download(repository: str, name: str, metadata: Any, bar: type[Any] | None) -> Path:
    """Return the file in the cache. `metadata` is what the hub says of it, `bar` how its library shows progress.

    Raises DamagedError, what the library raises, and OSError, also while another process fetches the same.
    """
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    blob = folder / "blobs" / metadata.etag
    part = blob.with_name(f"{metadata.etag}.part")
    blob.parent.mkdir(parents=True, exist_ok=True)
    if not blob.exists():
        sha256 = metadata.etag if re.fullmatch(r"[0-9a-f]{64}", metadata.etag) else ""
        _whole(part, blob, sha256, lambda file, have_bytes: _receive(metadata, file, have_bytes, bar))
    return _linked(folder, metadata.commit_hash, name, blob)


def download_from(url: str, place: Path, sha256: str, bar: type[Any] | None) -> Path:
    """Return the file at `place`, fetched from an address unless it is there. Raises what `download` raises."""
    from huggingface_hub.file_download import http_get

    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        part = place.with_name(f"{place.name}.part")
        _whole(part, place, sha256, lambda file, have: http_get(url, file, resume_size=have, tqdm_class=bar))
    return place


def _whole(part: Path, place: Path, sha256: str, receive: Callable[[Any, int], None]) -> None:
    """Have the rest of a file received, check it where its checksum is known, and give it its name."""
    with part.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        receive(file, part.stat().st_size)
        file.flush()
        os.fsync(file.fileno())
        if sha256 and (found := sha256_of(part)) != sha256:
            part.unlink()
            raise DamagedError(f"its SHA-256 is {found}, not {sha256}; it was thrown away")
        os.replace(part, place)


def _receive(metadata: Any, file: Any, have_bytes: int, bar: type[Any] | None) -> None:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers = build_hf_headers()
    if urlparse(metadata.location).netloc != urlparse(_endpoint()).netloc:
        headers.pop("authorization", None)  # a store of files elsewhere must not see the operator's token
    http_get(
        metadata.location, file, resume_size=have_bytes, headers=headers, expected_size=metadata.size, tqdm_class=bar
    )


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _linked(folder: Path, commit: str, name: str, blob: Path) -> Path:
    """Return the name of a blob in the snapshot of a commit, which is the newest of the main branch."""
    place = folder / "snapshots" / commit / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        place.symlink_to(os.path.relpath(blob, place.parent))
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    return place
