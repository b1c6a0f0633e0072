"""What a setting may be, in words for an operator, read from the schema."""

import types
import typing
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic.fields import FieldInfo


def expected(field: FieldInfo) -> str:
    """Return what a value of `field` must be, e.g. `auto or a whole number from 1 to 256`."""
    return " or ".join(dict.fromkeys(_kinds(field.annotation, field.metadata)))


def _kinds(annotation: Any, metadata: Iterable[Any]) -> Iterator[str]:
    """Yield each kind of value that `annotation` allows within the bounds of `metadata`."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        yield from _kinds(parts[0], [*metadata, *_flat(parts[1:])])
    elif origin in (typing.Union, types.UnionType):
        for part in parts:
            yield from _kinds(part, metadata)
    elif origin is Literal:
        yield from (str(part) for part in parts)
    elif origin is tuple:
        yield "a list of texts"
    elif origin is dict:
        yield "a table"
    elif isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield from (str(choice) for choice in annotation)
    elif annotation is bool:
        yield "true or false"
    elif annotation in (int, float):
        yield ("a whole number" if annotation is int else "a number") + _bounds(metadata)
    elif annotation is str:
        yield "a text"


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else (item,)


def _bounds(metadata: Iterable[Any]) -> str:
    found: dict[str, Any] = {}
    for item in metadata:
        found |= {name: getattr(item, name) for name in ("ge", "gt", "le") if getattr(item, name, None) is not None}
    low, above, high = (f"{found[name]:g}" if name in found else "" for name in ("ge", "gt", "le"))
    if low and high:
        return f" from {low} to {high}"
    told = f" of at least {low}" if low else f" above {above}" if above else ""
    upper = f"{' and' if told else ''} of at most {high}" if high else ""
    return told + upper
