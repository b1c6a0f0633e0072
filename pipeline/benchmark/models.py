"""Extractors as subjects: pictures and texts through a model host, and the bare forward passes beneath."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.benchmark.measure import Call, Opened, Vectors, Work
from pipeline.benchmark.reference import TEXTS, checked, reference_pictures
from pipeline.benchmark.request import Request
from pipeline.engine.tuning import cores
from pipeline.models.client import HostClient, prepare
from pipeline.models.families.interface import Model, of_pictures
from pipeline.models.registry import catalogue
from pipeline.models.standalone import standalone_host

Picture = NDArray[np.uint8]

GENERATED = 32
"""Pictures made up where none are given."""
MOST_INPUTS = 256
"""Pictures read at most; calls go round among them."""
STAMP = 16
"""Side in pixels of the corner that tells one picture from the next, so that nothing on the way knows it already."""


@contextmanager
def pictures(request: Request) -> Iterator[Opened]:
    """Yield calls that prepare a batch of pictures, have the host embed them and wait for the vectors."""
    key, size = request.subject.target, request.batch_size
    given = _pictures_of(request.subject.inputs)
    with _client(request) as client:
        spec = client.spec(key)

        def make(number: int) -> Call:
            batch = [_stamped(given[(number * size + place) % len(given)], number, place) for place in range(size)]
            return lambda: _embed(client, key, [prepare(picture, spec) for picture in batch])

        def check() -> Vectors:
            return _vectors(client, key, reference_pictures(spec.height, spec.width))

        yield Opened(make, "picture", check)


@contextmanager
def texts(request: Request) -> Iterator[Opened]:
    """Yield calls that have the host embed a batch of texts."""
    key = request.subject.target
    with _client(request) as client:
        client.spec(key)
        yield _of_texts(partial(client.encode_texts, key), request.batch_size)


@contextmanager
def forward(request: Request) -> Iterator[Opened]:
    """Yield calls of the model itself in this process, on pictures that are prepared already."""
    model, size = _loaded(request), request.batch_size
    spec = model.spec
    ready = [prepare(picture, spec) for picture in _pictures_of(())]

    def make(number: int) -> Call:
        batch = [_stamped(ready[(number + place) % len(ready)], number, place) for place in range(size)]

        def call() -> Work:
            model.encode_pictures(batch)
            return Work(size, size_bytes=sum(picture.nbytes for picture in batch))

        return call

    yield Opened(
        make, "picture", lambda: checked(model.encode_pictures(reference_pictures(spec.height, spec.width)), 4)
    )


@contextmanager
def forward_texts(request: Request) -> Iterator[Opened]:
    """Yield calls of the model itself in this process, on texts."""
    model = _loaded(request)
    yield _of_texts(model.encode_texts, request.batch_size)


def _of_texts(encode: Callable[[Sequence[str]], Vectors], size: int) -> Opened:
    """Return calls of `encode` with a batch of texts, none of which it was given before."""

    def make(number: int) -> Call:
        batch = [f"{TEXTS[place % len(TEXTS)]}, number {number * size + place}" for place in range(size)]

        def call() -> Work:
            encode(batch)
            return Work(size, size_bytes=sum(len(text) for text in batch))

        return call

    return Opened(make, "text", lambda: checked(encode(TEXTS), len(TEXTS)))


def _loaded(request: Request) -> Model:
    """Return the model of a subject, loaded into this process."""
    os.environ["OMP_NUM_THREADS"] = str(request.host.threads or cores())  # as the model host has it, before torch
    from pipeline.models.load import load

    key = request.subject.target
    return of_pictures(load(key, catalogue(request.settings)[key], request.host, lambda _: None))


@contextmanager
def _client(request: Request) -> Iterator[HostClient]:
    key, host = request.subject.target, request.host
    with standalone_host(host, {key: catalogue(request.settings)[key]}, nice=0) as running:
        client = HostClient(running.socket_path, host.window_bytes, progress=lambda _: None)
        try:
            yield client
        finally:
            client.close()


def _embed(client: HostClient, key: str, batch: Sequence[Picture]) -> Work:
    _vectors(client, key, batch)
    return Work(len(batch), size_bytes=sum(picture.nbytes for picture in batch))


def _vectors(client: HostClient, key: str, batch: Sequence[Picture]) -> Vectors:
    for place, picture in enumerate(batch):
        client.submit(key, place, picture)
    rows = client.collect()
    return checked(np.stack([rows[key, place] for place in range(len(batch))]), len(batch))


def _stamped(picture: Picture, number: int, place: int) -> Picture:
    copy = picture.copy()
    copy[:STAMP, :STAMP] = (number % 251, number // 251 % 251, place % 251)
    return copy


def _pictures_of(paths: Sequence[str]) -> list[Picture]:
    if paths:
        return [_read(path) for path in paths[:MOST_INPUTS]]
    from pipeline.media.shapes import ALL, draw, random_look

    rng = np.random.default_rng(7)
    return [draw(ALL[number % len(ALL)], random_look(rng)) for number in range(GENERATED)]


def _read(path: str) -> Picture:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
