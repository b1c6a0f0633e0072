"""Messages over a stream socket: a capped JSON head, then an optional capped binary payload.

Layout: 4 bytes big-endian head length, 4 bytes payload length, head (UTF-8 JSON object), payload.
No pickle: a message from a broken or hostile peer can only be data.
"""

import json
import socket
import struct
from typing import TYPE_CHECKING, Any

from pipeline.errors import WireError

if TYPE_CHECKING:
    import asyncio

HEADER = struct.Struct(">II")
MAX_HEAD_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 64 << 20
MAX_NUMBER = (1 << 63) - 1
"""What SQLite can hold; no number that is told is larger."""

Message = dict[str, Any]


def encode(head: Message, payload_bytes: int = 0) -> bytes:
    """Return the header and head of a message whose payload of `payload_bytes` the caller sends next.

    Raises WireError if the message is above the cap.
    """
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode("ascii")
    _check(len(text), payload_bytes)
    return HEADER.pack(len(text), payload_bytes) + text


def decode_head(data: bytes) -> Message:
    """Return the head of a message. Raises WireError if it is not a JSON object."""
    try:
        head = _DECODER.decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise WireError(f"not a message: {error}") from error
    if not isinstance(head, dict):
        raise WireError("not a message: the head is not an object")
    return head


def number(head: Message, name: str) -> float:
    """Return a field that must be a number. Raises WireError if it is none, has no end or is above MAX_NUMBER."""
    value = head.get(name)
    if not isinstance(value, int | float) or not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise WireError(f"{name} is not a number that can be: {value!r:.80}")
    return float(value)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _check(head_bytes: int, payload_bytes: int, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
    if head_bytes > MAX_HEAD_BYTES or payload_bytes > max_payload_bytes:
        raise WireError(f"message above the cap: head {head_bytes} bytes, payload {payload_bytes} bytes")


async def read(reader: "asyncio.StreamReader", *, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> tuple[Message, bytes]:
    """Return the next message. Raises WireError, or EOFError when the peer is gone."""
    try:
        head_bytes, payload_bytes = HEADER.unpack(await reader.readexactly(HEADER.size))
        _check(head_bytes, payload_bytes, max_payload_bytes)
        head = decode_head(await reader.readexactly(head_bytes))
        payload = await reader.readexactly(payload_bytes) if payload_bytes else b""
    except (EOFError, ConnectionError) as error:
        raise EOFError("the peer is gone") from error
    return head, payload


def receive(sock: socket.socket) -> tuple[Message, bytearray]:
    """Return the next message from a blocking socket. Raises WireError, or EOFError when the peer is gone."""
    head_bytes, payload_bytes = HEADER.unpack(_receive_exactly(sock, HEADER.size))
    _check(head_bytes, payload_bytes)
    head = decode_head(bytes(_receive_exactly(sock, head_bytes)))
    return head, _receive_exactly(sock, payload_bytes)


def send(sock: socket.socket, head: Message, payload: bytes | memoryview = b"") -> None:
    """Send a message on a blocking socket. Raises OSError when the peer is gone."""
    size = memoryview(payload).nbytes
    sock.sendall(encode(head, size))
    if size:
        sock.sendall(payload)


def _receive_exactly(sock: socket.socket, count: int) -> bytearray:
    data = bytearray(count)
    view = memoryview(data)
    got = 0
    while got < count:
        try:
            size = sock.recv_into(view[got:])
        except ConnectionError as error:
            raise EOFError("the peer is gone") from error
        if not size:
            raise EOFError("the peer is gone")
        got += size
    return data
