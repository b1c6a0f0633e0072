"""HTTP extractor services as subjects: what a configuration says of them, and real uploads that are timed."""

import asyncio
import json
import math
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import httpx2
from pydantic import Field, TypeAdapter, ValidationError

from pipeline.benchmark.measure import Told
from pipeline.benchmark.reference import TEXTS
from pipeline.benchmark.report import Method
from pipeline.benchmark.request import Request
from pipeline.errors import SettingsError
from pipeline.section import Section

ATTEMPTS = 3
BACKOFF_S = 0.1
"""Pause before the second attempt; doubled for the third, and up to half as much again by chance."""
GIVE_UP_AFTER = 5
"""Requests that fail one after another before a service is left alone."""
RETRIED = frozenset({429, 500, 502, 503, 504})
NAMES = ("vectors", "embeddings", "features", "vector", "embedding")
"""Where an answer in JSON may hold its vectors."""
MOST_ANSWER_BYTES = 64 << 20


class Service(Section):
    """One service of `--service-config`."""

    url: str = Field(pattern=r"^https?://", description="Where it listens, without the endpoint.")
    type: Literal["video", "image", "text"]
    endpoint: str = Field(description="Path that takes an upload.")
    health: str = Field("/health", description="Path that answers 200 while it can serve; empty = do not ask.")
    headers: dict[str, str] = Field(default_factory=dict)
    timeout_s: Annotated[float, Field(gt=0)] = Field(30.0, description="Longest wait for one answer.")
    payload: Literal["multipart", "raw", "json"] = Field(
        "multipart", description="How a file is sent; a text is always JSON: {field: [text]}."
    )
    field: str = Field("", description="Name of the form field or key; empty = file, for a text texts.")
    dim: Annotated[int, Field(ge=0)] = Field(0, description="Length of a vector; 0 = that of the first answer.")


def read_services(path: str) -> dict[str, dict[str, object]]:
    """Return the services of a JSON file by name. Raises SettingsError."""
    try:
        with open(path, "rb") as file:
            found = TypeAdapter(dict[str, Service]).validate_json(file.read())
    except OSError as error:
        raise SettingsError(f"--service-config {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise SettingsError(f"--service-config {path}: {place}: {first['msg']}") from error
    return {name: service.model_dump() for name, service in found.items()}


class _AnswerError(Exception):
    """An answer that is none; the message is how it is counted."""


@dataclass(slots=True)
class _Found:
    """What came of the requests so far."""

    times_s: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    failed_in_a_row: int = 0
    dim: int = 0
    sent_bytes: int = 0


class Calls:
    """Uploads to one service, timed from the first attempt to the whole answer."""

    def __init__(self, request: Request, client: httpx2.AsyncClient) -> None:
        self._service = Service.model_validate(request.subject.description)
        self._inputs = request.subject.inputs
        self._client = client
        self.found = _Found(dim=self._service.dim)

    async def healthy(self) -> None:
        """Ask for health. Raises SettingsError if the service cannot serve."""
        if not self._service.health:
            return
        url = self._service.url.rstrip("/") + self._service.health
        try:
            status = (await self._client.get(url)).status_code
        except httpx2.HTTPError as error:
            raise SettingsError(f"{url}: {_named(error)}", remedy="Start the service, or correct its url.") from error
        if status != httpx2.codes.OK:
            raise SettingsError(f"{url} answered {status}", remedy="See the service's own log.")

    async def one(self, number: int) -> float:
        """Send request `number` and return how long it took, its failure counted. Repeats what may pass by itself."""
        arguments, size = self._payload(number)
        url = self._service.url.rstrip("/") + self._service.endpoint
        began = time.perf_counter()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with asyncio.timeout(self._service.timeout_s):
                    answer = await self._client.post(url, **arguments)
                if answer.status_code not in RETRIED or attempt == ATTEMPTS:
                    self._checked(answer)
                    self.found.failed_in_a_row = 0
                    self.found.sent_bytes += size
                    return time.perf_counter() - began
            except TimeoutError:
                problem = f"no answer within {self._service.timeout_s:g} s"
                break
            except _AnswerError as error:
                problem = str(error)
                break
            except httpx2.TransportError as error:
                problem = _named(error)
                if attempt == ATTEMPTS:
                    break
            self.found.retries += 1
            await asyncio.sleep(BACKOFF_S * 2 ** (attempt - 1) * random.uniform(1, 1.5))  # noqa: S311 - no secret
        self.found.errors[problem] += 1
        self.found.failed_in_a_row += 1
        return math.nan

    def _payload(self, number: int) -> tuple[dict[str, Any], int]:
        service = self._service
        if service.type == "text":
            text = f"{TEXTS[number % len(TEXTS)]}, number {number}"
            return {"json": {service.field or "texts": [text]}}, len(text)
        path = self._inputs[number % len(self._inputs)]
        with open(path, "rb") as file:
            data = file.read()
        if service.payload == "raw":
            return {"content": data, "headers": {"content-type": "application/octet-stream"}}, len(data)
        if service.payload == "json":
            import base64

            return {"json": {service.field or "file": base64.b64encode(data).decode()}}, len(data)
        return {"files": {service.field or "file": (os.path.basename(path), data)}}, len(data)

    def _checked(self, answer: httpx2.Response) -> None:
        if answer.status_code != httpx2.codes.OK:
            raise _AnswerError(f"status {answer.status_code}")
        rows = _vectors(answer.content)
        wanted = self.found.dim = self.found.dim or len(rows[0])
        if self._service.type == "text" and len(rows) != 1:
            raise _AnswerError(f"{len(rows)} vectors for one text")
        if any(len(row) != wanted for row in rows):
            raise _AnswerError(f"a vector has not the size {wanted}")
        if not all(math.isfinite(value) for row in rows for value in row):
            raise _AnswerError("a vector is not finite")


def _vectors(content: bytes) -> list[list[float]]:
    """Return the vectors of an answer in JSON. Raises _AnswerError."""
    if len(content) > MOST_ANSWER_BYTES:
        raise _AnswerError("an answer is too large")
    try:
        found = json.loads(content)
    except ValueError as error:
        raise _AnswerError("an answer is no JSON") from error
    if isinstance(found, dict):
        found = next((found[name] for name in NAMES if name in found), None)
    if isinstance(found, list) and found and not isinstance(found[0], list):
        found = [found]
    if not isinstance(found, list) or not found or not all(map(_is_vector, found)):
        raise _AnswerError("an answer holds no vectors")
    return found


def _is_vector(row: object) -> bool:
    return isinstance(row, list) and bool(row) and all(isinstance(value, int | float) for value in row)


def _named(error: Exception) -> str:
    return {
        "ConnectError": "no connection",
        "ReadError": "connection reset",
        "RemoteProtocolError": "connection ended without an answer",
        "ReadTimeout": "no answer in time",
    }.get(type(error).__name__, type(error).__name__)


async def measure_service(request: Request, told: Told, phase: Callable[[str], None]) -> dict[str, Any]:
    """Measure a service at one level of concurrency and return what a child tells. Raises SettingsError."""
    method, level = request.method, int(request.subject.parameters["concurrency"])
    service = Service.model_validate(request.subject.description)
    limits = httpx2.Limits(max_connections=level, max_keepalive_connections=level)
    began = time.perf_counter()
    async with httpx2.AsyncClient(
        headers=service.headers, timeout=httpx2.Timeout(service.timeout_s), limits=limits, trust_env=False
    ) as client:
        calls = Calls(request, client)
        await calls.healthy()
        load_s = time.perf_counter() - began
        phase("warming")
        first_s = await calls.one(0)
        warmup_s = [await calls.one(1 + number) for number in range(method.warmup_iterations)]
        calls.found.errors.clear()
        calls.found.retries = calls.found.sent_bytes = calls.found.failed_in_a_row = 0
        phase("measuring")
        wall_s = await _all(calls, method, level, told)
        phase("over")
    found = calls.found
    if not found.times_s:
        told_errors = ", ".join(f"{count} x {what}" for what, count in found.errors.items())
        raise SettingsError(f"no request was answered: {told_errors}", remedy="See the service's own log.")
    wrong = [what for what in found.errors if what.startswith(("a vector", "an answer")) or "vectors for" in what]
    return {
        "load_s": load_s,
        "first_s": 0.0 if math.isnan(first_s) else first_s,
        "warmup_s": [seconds for seconds in warmup_s if not math.isnan(seconds)],
        "times_s": found.times_s,
        "wall_s": wall_s,
        "unit": request.subject.input,
        "items": [1] * len(found.times_s),
        "video_s": 0.0,
        "size_bytes": found.sent_bytes,
        "stages": {},
        "vectors": [],
        "problem": "; ".join(wrong),
        "errors": dict(found.errors),
        "retries": found.retries,
    }


async def _all(calls: Calls, method: Method, level: int, told: Told) -> float:
    """Keep `level` requests under way until there are enough answers; return the seconds that took."""
    began, number, found = time.perf_counter(), 1 + method.warmup_iterations, calls.found

    def enough() -> bool:
        passed_s = time.perf_counter() - began
        asked = len(found.times_s) + sum(found.errors.values())
        many = asked >= method.iterations and passed_s >= method.min_seconds
        return many or passed_s >= method.max_seconds or found.failed_in_a_row >= GIVE_UP_AFTER

    async def work() -> None:
        nonlocal number
        while not enough():
            mine, number = number, number + 1
            seconds = await calls.one(mine)
            if not math.isnan(seconds):
                found.times_s.append(seconds)
                told(len(found.times_s), seconds)

    async with asyncio.TaskGroup() as group:
        for _ in range(level):
            group.create_task(work())
    return time.perf_counter() - began
