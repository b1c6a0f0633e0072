"""A download from a hub of the test's own tells its progress, goes on where it broke off, and refuses what is wrong."""

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WEIGHTS = bytes(range(256)) * 40_000
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
MODEL = '{"family": "timm", "architecture": "vit_small_patch14_dinov2", "weights": "lvd142m"}'
PLACE = "/timm/vit_small_patch14_dinov2.lvd142m/resolve/main/model.safetensors"


class Hub(http.server.BaseHTTPRequestHandler):
    """One file of one repository, as the Hugging Face hub serves large ones."""

    protocol_version = "HTTP/1.1"
    body = WEIGHTS
    breaks_after = 0
    """Bytes after which the connection is cut, 0 = it is not."""
    ranges: list[str] = []  # noqa: RUF012

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *args: Any) -> None:
        return

    def _answer(self, *, body: bool) -> None:
        if self.path != PLACE:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        kind = type(self)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        if body:
            kind.ranges.append(self.headers.get("Range", ""))
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", f'"{SHA256}"')
        self.send_header("X-Repo-Commit", "c0ffee" * 6 + "c0ff")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(kind.body) - first))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{len(kind.body) - 1}/{len(kind.body)}")
        self.end_headers()
        if not body:
            return
        if kind.breaks_after:
            self.wfile.write(kind.body[first : first + kind.breaks_after])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(kind.body[first:])


@pytest.fixture
def hub() -> Iterator[type[Hub]]:
    kind = type("OneHub", (Hub,), {"ranges": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kind.url = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    yield kind
    server.shutdown()
    server.server_close()


def fetch(hub: Any, cache: Path) -> tuple[int, list[dict[str, Any]]]:
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-P", "-m", "pipeline.models.fetching", "dinov2-s-14", MODEL]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert "Traceback" not in answer.stderr, answer.stderr
    return answer.returncode, [json.loads(line) for line in answer.stdout.splitlines()]


def test_a_download_tells_its_progress_and_is_checked(hub: Any, tmp_path: Path) -> None:
    code, events = fetch(hub, tmp_path)
    assert code == 0
    assert events[0]["event"] == "started"
    assert events[-2] == {"event": "progress", "done_bytes": len(WEIGHTS), "size_bytes": len(WEIGHTS)}
    assert (events[-1]["event"], events[-1]["sha256"]) == ("fetched", SHA256)
    assert Path(events[-1]["path"]).read_bytes() == WEIGHTS
    assert fetch(hub, tmp_path)[1][-1]["downloaded"] is False


def test_a_download_that_broke_off_is_gone_on_with(hub: Any, tmp_path: Path) -> None:
    part = tmp_path / PLACE.partition("/resolve")[0].replace("/", "--").replace("--timm", "models--timm", 1)
    (part / "blobs").mkdir(parents=True)
    (part / "blobs" / f"{SHA256}.part").write_bytes(WEIGHTS[:5_000_000])
    code, events = fetch(hub, tmp_path)
    assert code == 0
    assert Path(events[-1]["path"]).read_bytes() == WEIGHTS
    assert hub.ranges == ["bytes=5000000-"]
    assert fetch(hub, tmp_path)[1][-1]["downloaded"] is False


def test_a_connection_that_is_cut_leaves_what_came(hub: Any, tmp_path: Path) -> None:
    hub.breaks_after = 12_000_000
    hub.body = WEIGHTS * 3
    code, events = fetch(hub, tmp_path)
    assert (code, events[-1]["event"]) == (1, "failed")
    assert not list(tmp_path.rglob("model.safetensors"))


def test_a_file_that_is_not_what_the_hub_promised_is_refused(hub: Any, tmp_path: Path) -> None:
    hub.body = bytes(len(WEIGHTS))
    code, events = fetch(hub, tmp_path)
    assert code == 1
    assert "is damaged or not the expected file" in events[-1]["message"]
