"""The floors beneath files: writing to the volume of the outputs, reading from it, copying to a GPU."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.benchmark.measure import Call, Opened, Work
from pipeline.benchmark.request import Request

SIZE_BYTES = 32 << 20
CHUNK_BYTES = 4 << 20


@contextmanager
def write(request: Request) -> Iterator[Opened]:
    """Yield calls that write a file and flush it to the disk."""
    path, chunk = os.path.join(request.scratch, "write"), os.urandom(CHUNK_BYTES)

    def call() -> Work:
        _write(path, chunk)
        return Work(1, size_bytes=SIZE_BYTES)

    yield Opened(lambda _: call, "file")


@contextmanager
def read(request: Request) -> Iterator[Opened]:
    """Yield calls that read a file which the kernel was asked to forget."""
    path = os.path.join(request.scratch, "read")
    _write(path, os.urandom(CHUNK_BYTES))

    def make(_: int) -> Call:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

        def call() -> Work:
            try:
                while os.read(descriptor, CHUNK_BYTES):
                    pass
            finally:
                os.close(descriptor)
            return Work(1, size_bytes=SIZE_BYTES)

        return call

    yield Opened(make, "file")


@contextmanager
def copy(request: Request) -> Iterator[Opened]:
    """Yield calls that copy memory to the GPU and wait until it is there."""
    import torch

    block = torch.zeros(SIZE_BYTES, dtype=torch.uint8).pin_memory()

    def call() -> Work:
        block.to("cuda", non_blocking=True)
        torch.cuda.synchronize()
        return Work(1, size_bytes=SIZE_BYTES)

    yield Opened(lambda _: call, "block")


def _write(path: str, chunk: bytes) -> None:
    with open(path, "wb") as file:
        for _ in range(SIZE_BYTES // len(chunk)):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
