"""Downloads one file of a hub repository into the cache of the hub's library, and goes on where another try broke off.

The library itself (2.4) begins anew in each process. The layout is its own: `blobs/<etag>`, and under
`snapshots/<commit>/` a link to it with the name of the file.
"""

import contextlib
import fcntl
import os
import re
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
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _receive(metadata, file, part.stat().st_size, bar)
            file.flush()
            os.fsync(file.fileno())
            if re.fullmatch(r"[0-9a-f]{64}", metadata.etag) and (found := sha256_of(part)) != metadata.etag:
                part.unlink()
                raise DamagedError(f"its SHA-256 is {found}, not {metadata.etag}; it was thrown away")
            os.replace(part, blob)
    return _linked(folder, metadata.commit_hash, name, blob)


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
