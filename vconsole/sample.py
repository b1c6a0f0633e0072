"""Writes sample_config.toml from the schema, so that what it says about each setting cannot grow old.

python -m vconsole.sample > sample_config.toml
"""

import json
import sys
import textwrap
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.sections import ModelSettings
from pipeline.settings import MODELS, PRESETS, Settings
from vconsole.schema import ROOT

WIDTH = 100

HEAD = """\
# Every setting of vconsole, with its explanation and its default.
#
# Copy this file to ~/.config/vconsole/config.toml (or name it with --config, or in VCONSOLE_CONFIG) and take the # away
# in front of what you change. Later wins:
#   defaults < this file < preset < environment < command line
#
# In the environment a setting is called VCONSOLE_<SECTION>__<KEY>, e.g. VCONSOLE_HOST__BATCH_SIZE=32; on the command
# line it is --set host.batch_size=32. An unknown key is an error that names the nearest known one.
"""

KEYS_HEAD = """\
# ---- keys ----
# Keys of the console, one or a list for an action; the help (?) ends with the names of all actions. A key that means
# something else on the same screen already, or that terminals do not pass on, is refused. Example:
#   [keys]
#   run.pause = "p"
#   queue.filter = ["/", "ctrl+f"]
"""

MODELS_HEAD = """\
# ---- models ----
# The model catalogue; `vconsole models list` shows all of it. A key that is built in needs only what you change, e.g.
# a checkpoint file on this machine:
#   [models.clip-vit-b-32]
#   path = "/data/weights/vit-b-32.safetensors"
# Built in:
"""

PRESETS_HEAD = """\
# ---- presets ----
# A preset is a named set of settings for --preset; one of your own with a built-in name replaces that one. Of which
# kind of runs it is says its kind: extract (if it says none) or transcode. Example:
#   [presets.dense]
#   description = "A frame every half second, and CLIP vectors."
#   [presets.dense.settings.frames]
#   method = "interval"
#   interval_s = 0.5
# Built in:
"""


def text() -> str:
    """Return the whole file."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield HEAD
    for name, field in Settings.model_fields.items():
        node = ROOT.child(name)
        if node is not None and node.field is not None and not node.free:
            yield from _setting(name, field)
            yield ""
    for name in Settings.model_fields:
        node = ROOT.child(name)
        if node is not None and node.model is not None:
            yield from _section(name, node.model)
    yield KEYS_HEAD
    yield MODELS_HEAD.rstrip()
    for key, model in MODELS.items():
        yield f"#   {key}: {_described(model)}"
    yield "# What an entry holds:"
    for name, field in ModelSettings.model_fields.items():
        yield from textwrap.wrap(
            f"{name}: {field.description}", WIDTH, initial_indent="#   ", subsequent_indent="#       "
        )
    yield ""
    yield PRESETS_HEAD.rstrip()
    for name, preset in PRESETS.items():
        yield f"#   {name} ({preset.kind}): {preset.description}"


def _described(model: ModelSettings) -> str:
    return " ".join(part for part in (model.architecture, model.weights or model.path) if part)


def _section(name: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"# ---- {' '.join((model.__doc__ or '').split())}"
    yield f"[{name}]"
    for key, field in model.model_fields.items():
        yield from _setting(key, field)
    yield ""


def _setting(key: str, field: FieldInfo) -> Iterator[str]:
    choices = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is typing.Literal else ()
    told = (field.description or "") + (f" One of: {', '.join(choices)}." if choices else "")
    yield from textwrap.wrap(told, WIDTH, initial_indent="# ", subsequent_indent="# ")
    default = field.get_default(call_default_factory=True)
    yield f"#{key} = {_toml(default)}" if default is not None else f"# {key} = ...  (unset by default)"


def _toml(value: Any) -> str:
    """Return a default as TOML writes it: JSON's spelling of texts, numbers, booleans and lists is TOML's too."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(text())
