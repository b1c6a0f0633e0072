"""A real HTTP service is measured by real uploads; whatever it does wrong is in the report, and all ends in time."""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from report_make import report

from pipeline.benchmark.assemble import result_of
from pipeline.benchmark.markdown import markdown
from pipeline.benchmark.plan import Kind, Subject
from pipeline.benchmark.report import Method, Result, read_report
from pipeline.benchmark.request import Request
from pipeline.benchmark.services import measure_service
from pipeline.errors import SettingsError
from pipeline.settings import PipelineSettings
from vconsole.__main__ import main

DIM = 4
QUICK = Method(iterations=9, warmup_iterations=1, min_seconds=0.0, max_seconds=5.0)
VECTOR = [0.5] * DIM
ANSWERS = {"sizes": [0.5] * (DIM + 1), "nan": [float("nan")] * DIM, "words": "no vectors"}
PAUSE_S = 0.3


class Handler(BaseHTTPRequestHandler):
    """Answers a vector for each upload, or does what its path says."""

    protocol_version = "HTTP/1.1"
    release = threading.Event()
    uploads: list[tuple[str, bytes]]
    asked = 0

    def do_GET(self) -> None:
        self._answer(503 if self.path == "/sick" else 200, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).asked += 1
        type(self).uploads.append((self.path, body))
        mode = self.path.strip("/")
        if mode == "error" or (mode == "flaky" and self.asked % 2):
            self._answer(500, {})
        elif mode == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif mode == "hang":
            self.release.wait(20)
            self.close_connection = True
        else:
            if mode in {"slow", "slower"}:
                time.sleep(PAUSE_S if mode == "slow" else 0.04 * self.asked)
            self._answer(200, {"vectors": [ANSWERS.get(mode, VECTOR)]})

    def _answer(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Handler.uploads, Handler.asked = [], 0
    Handler.release.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Handler.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


def measured(
    url: str, endpoint: str, kind: str = "text", level: int = 1, inputs: tuple[str, ...] = (), **more: Any
) -> Result:
    service = {"url": url, "type": kind, "endpoint": endpoint, "timeout_s": 5.0, "dim": DIM, **more}
    subject = Subject(Kind.SERVICE, "remote", kind, inputs, {"concurrency": str(level)}, service)
    request = Request(subject, QUICK, PipelineSettings(), "")
    told = asyncio.run(measure_service(request, lambda *_: None, lambda _: None))
    return result_of(request, told, (), 2, None)


@pytest.mark.parametrize("level", [1, 2, 8])
@pytest.mark.parametrize("kind", ["text", "image", "video"])
def test_each_kind_is_measured_at_each_level(url: str, kind: str, level: int, tmp_path: Path) -> None:
    (tmp_path / "input.bin").write_bytes(b"content" * 1000)
    found = measured(url, "/good", kind, level, (str(tmp_path / "input.bin"),))
    assert found.statistics.count >= 8
    assert (found.errors, found.retries) == ({}, 0)
    assert "errors" not in {reason.code for reason in found.reasons}
    assert all((b"content" * 1000 in body) == (kind != "text") for _, body in Handler.uploads)


def test_requests_are_under_way_at_once(url: str) -> None:
    one, eight = (measured(url, "/slow", level=level).rates.items_per_s for level in (1, 8))
    assert one < 1.05 / PAUSE_S
    assert eight > 2 * one


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("/error", "status 500"),
        ("/reset", "connection reset|connection ended"),
        ("/hang", "no answer within 0.2 s"),
        ("/sizes", "not the size 4"),
        ("/nan", "not finite"),
        ("/words", "no vectors"),
    ],
)
@pytest.mark.parametrize("level", [1, 2, 8])
def test_a_service_that_never_answers_well_is_not_measured_and_that_is_said_in_time(
    url: str, endpoint: str, told: str, level: int
) -> None:
    began = time.monotonic()
    with pytest.raises(SettingsError, match=told):
        measured(url, endpoint, level=level, timeout_s=0.2 if endpoint == "/hang" else 5.0)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("endpoint", "timeout_s", "told"),
    [
        ("/slow", 0.5, "answers took more than 250 ms, 50% of the timeout of 500 ms"),
        ("/slower", 5.0, "longer and longer"),
    ],
)
def test_a_slow_service_is_measured_and_the_report_says_that_it_is_slow(
    url: str, endpoint: str, timeout_s: float, told: str
) -> None:
    found = measured(url, endpoint, timeout_s=timeout_s)
    assert found.statistics.count >= 5
    (reason,) = (reason for reason in found.reasons if reason.code == "slow")
    assert told in reason.text
    said = markdown(report(found))
    assert told.partition(",")[0] in said
    assert reason.recommendation in said.replace("\\_", "_")


def test_a_service_that_answers_evenly_and_in_time_is_not_slow(url: str) -> None:
    assert "slow" not in {reason.code for reason in measured(url, "/slow", timeout_s=5.0).reasons}


def test_what_passes_by_itself_is_tried_again_and_counted(url: str) -> None:
    found = measured(url, "/flaky")
    assert found.retries > 0
    assert found.errors == {}


def test_a_service_that_is_sick_or_absent_is_not_asked_for_more(url: str) -> None:
    with pytest.raises(SettingsError, match="answered 503"):
        measured(url, "/good", health="/sick")
    assert Handler.uploads == []
    with pytest.raises(SettingsError, match="no connection"):
        measured("http://127.0.0.1:9", "/good")


def test_services_are_measured_from_the_command_line(url: str, tmp_path: Path) -> None:
    described = {
        "good": {"url": url, "type": "text", "endpoint": "/good"},
        "broken": {"url": url, "type": "text", "endpoint": "/nan"},
    }
    (tmp_path / "services.json").write_text(json.dumps(described))
    typed = ["benchmark", "--service-config", str(tmp_path / "services.json"), "--sweep", "concurrency=2"]
    quick = ["--iterations", "8", "--warmup-iterations", "0", "--min-seconds", "0"]
    assert main([*typed, *quick, "--output-report-prefix", str(tmp_path / "P")]) == 1
    made = read_report(tmp_path / "P.json")
    assert [one.name for one in made.results] == ["service good text concurrency=2"]
    assert "not finite" in made.missing[0].message


@pytest.mark.parametrize("damage", [{"url": "ftp://x"}, {"type": "sound"}, {"timeout_s": 0}, {"colour": "red"}])
def test_a_description_that_cannot_be_is_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    described = {"one": {"url": "http://x", "type": "text", "endpoint": "/v", **damage}}
    (tmp_path / "services.json").write_text(json.dumps(described))
    assert main(["benchmark", "--service-config", str(tmp_path / "services.json")]) == 2
