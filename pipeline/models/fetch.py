"""Downloads the weights of a model, from the Hugging Face hub into its cache or from an address, and checks them."""

import io
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import VconsoleError
from pipeline.models.families import HUB_PREFIX, family
from pipeline.models.hub import DamagedError, download, download_from
from pipeline.models.registry import WeightsStatus, locate
from pipeline.models.weights import sha256_of
from pipeline.sections import ModelSettings

TOLD_S = 0.25
"""How often progress is told."""
ASK_S = 20.0
"""How long the hub may take to answer a question."""


class FetchError(VconsoleError):
    """Weights could not be downloaded, or are not what they should be."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch left on this machine."""

    path: Path
    size_bytes: int
    sha256: str
    downloaded: bool
    """False if it was here already."""


def fetch(
    key: str,
    model: ModelSettings,
    *,
    started: Callable[[str, int], None],
    moved: Callable[[int, int], None] | None = None,
) -> Fetched:
    """Make sure that the weights of `model` are on this machine and are the right ones.

    `started(what, size_bytes)` is called before a download, `moved(done_bytes, size_bytes)` while it goes on; without
    it the hub's library draws its own progress on stderr. What an interrupted download left is gone on with. Raises
    FetchError with a remedy, or SettingsError if the weights cannot be named.
    """
    status = locate(key, model)
    if status.path is not None:
        return _checked(status, status.path, status.expected_sha256, downloaded=False)
    if not status.needed:
        raise FetchError(f"model {key} needs no weights; it works as it is")
    if not (status.repository or status.url):
        raise FetchError(
            f"model {key} is a local file, {status.looked[0]}, and that is not here",
            remedy=f"Put the file there, or correct [models.{key}] path.",
        )
    try:
        path, expected = _download(status, started, moved)
    except VconsoleError:
        raise
    except DamagedError as error:
        raise FetchError(
            f"what came from {status.repository or status.url} is damaged or not the expected file: {error}",
            remedy=f"Run `vconsole models fetch {key}` again.",
        ) from error
    except Exception as error:
        # The hub's library, its HTTP client and the disk each have errors of their own.
        raise _unreachable(status, error) from error
    return _checked(status, path, model.sha256 or expected, downloaded=True)


def _download(
    status: WeightsStatus, started: Callable[[str, int], None], moved: Callable[[int, int], None] | None
) -> tuple[Path, str]:
    """Return the downloaded checkpoint and the SHA-256 the hub gives for it, empty if it gives none."""
    if status.fetch_to is not None:
        started(status.url, status.size_bytes)
        bar = _bar(moved) if moved else None
        return download_from(status.url, status.fetch_to, status.expected_sha256, bar), status.expected_sha256
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    if status.model.architecture.startswith(HUB_PREFIX):
        hf_hub_download(status.repository, family(status.model.family).config, etag_timeout=ASK_S)
    for name in status.files:
        try:
            answer = get_hf_file_metadata(hf_hub_url(status.repository, name), timeout=ASK_S)
        except EntryNotFoundError:
            continue
        started(f"{status.repository}/{name}", answer.size or 0)
        bar = _bar(moved) if moved else None
        path = download(status.repository, name, answer, bar)
        known = answer.etag or ""
        return path, known if re.fullmatch(r"[0-9a-f]{64}", known) else ""
    raise FetchError(
        f"the repository {status.repository} has none of {', '.join(status.files)}",
        remedy="Name another repository, or a checkpoint file (path), in the settings.",
    )


def _bar(moved: Callable[[int, int], None]) -> type[Any]:
    """Return a progress bar for the hub's library that draws nothing and tells `moved`, a few times a second."""
    from tqdm import tqdm

    class Told(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            wanted = {name: options[name] for name in ("total", "initial") if name in options}
            super().__init__(*args, **wanted, file=io.StringIO(), mininterval=TOLD_S)
            self.told_s = 0.0

        def update(self, n: float | None = 1) -> bool | None:
            drawn: bool | None = super().update(n)
            if time.monotonic() - self.told_s > TOLD_S or self.n >= (self.total or 0):
                self.told_s = time.monotonic()
                moved(int(self.n), int(self.total or 0))
            return drawn

    return Told


def _checked(status: WeightsStatus, path: Path, expected: str, *, downloaded: bool) -> Fetched:
    sha256 = sha256_of(path)
    if expected and sha256 != expected:
        raise FetchError(
            f"{path} is damaged or not the expected file: its SHA-256 is {sha256}, not {expected}",
            remedy=f"Delete it and run `vconsole models fetch {status.key}` again, or correct the pinned sha256.",
        )
    return Fetched(path, path.stat().st_size, sha256, downloaded)


def _unreachable(status: WeightsStatus, error: Exception) -> FetchError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    place = status.url or f"https://huggingface.co/{status.repository}"
    return FetchError(
        f"the weights of model {status.key} could not be fetched from {place}: {first}",
        remedy="Check the network (a proxy is taken from HTTPS_PROXY), or copy the checkpoint here by hand and name "
        f'it: [models.{status.key}] path = "FILE".',
    )
