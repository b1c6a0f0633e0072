"""The settings for a screen: who says what each of them is, and the file that edits are saved to."""

import hashlib
import os
import shutil
import stat
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
from pydantic.fields import FieldInfo

from pipeline.errors import SettingsError, VconsoleError
from pipeline.model import RunKind
from pipeline.outputs.atomic import atomic_file
from pipeline.settings import DEFAULT_PRESETS, MODELS, READ_AT_START, Preset, Settings
from pipeline.text import visible
from screens.ports import Refusal
from screens.sheet import Effect, Key, Layer, Origin, Saved, Setting, Sheet
from vconsole.config import combine, over_file, problem
from vconsole.expected import expected
from vconsole.keymap import checked
from vconsole.layers import read_toml, text_entry
from vconsole.options import NO_OPTIONS, Entry, Options
from vconsole.places import APP, config_path
from vconsole.schema import leaves, locate
from vconsole.toml_text import NEW_FILE, changed

TYPED = "typed"
"""Where an entry comes from that the operator just typed."""

TOP_OF_FILE = "Above all sections of the file."


@dataclass(frozen=True, slots=True)
class _Read:
    """Everything that says something, as it stood at one moment."""

    content: bytes | None
    from_file: list[Entry]
    from_environment: list[Entry]
    from_options: list[Entry]

    @property
    def over(self) -> list[Entry]:
        """What wins over the file."""
        return [*self.from_environment, *self.from_options]

    @property
    def settings(self) -> Settings:
        """What all of it together comes to."""
        return combine(self.from_file, self.over)

    @property
    def own_presets(self) -> dict[str, Preset]:
        """Every preset with what it says itself, without what environment and command line lay over each."""
        return combine(self.from_file, [entry for entry in self.over if entry.key[0] == "presets"]).presets


class SettingsFile:
    """Reads the settings in all their layers and saves edits; `read` and `save` look at the disk."""

    def __init__(
        self,
        options: Options | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        current: Settings | None = None,
    ) -> None:
        self._current = current
        self._options = options or NO_OPTIONS
        self._environ = dict(os.environ if environ is None else environ)
        self._path = config_path(self._options, self._environ) or platformdirs.user_config_path(APP) / "config.toml"

    def read(self) -> Sheet | Refusal:
        """Return the settings as they stand now, or why they cannot be read."""
        try:
            return self._sheet(self._read())
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)

    def settings(self) -> Settings:
        """Return what a run that begins now goes by: what was read last, without looking at the disk again."""
        return self._current or self._read().settings

    def check(self, key: Key, text: str) -> str:
        """Return what is wrong with `text` as the value of a setting; empty if nothing is. An empty text unsets."""
        try:
            if key[0] == "keys" and text.strip():
                checked({".".join(key[1:]): _parts(text)})
        except SettingsError as error:
            return str(error)
        return problem(_entry(key, text)) if text.strip() else ""

    def save(self, sheet: Sheet, edits: Mapping[Key, str]) -> Saved | Refusal:
        """Write `edits`, an empty text for what is taken out, into the file that `sheet` was read from.

        The file keeps its comments and its order, and what it held before is kept beside it. It is refused if the
        file is not as it was read, or would not be right afterwards.
        """
        try:
            return self._save(sheet, edits)
        except VconsoleError as error:
            return Refusal(str(error), error.remedy)
        except OSError as error:
            told = f"{visible(str(self._path))}: cannot be written: {error.strerror}. Nothing was saved."
            return Refusal(told, "Mend that, or name another file with --config.")

    def _save(self, sheet: Sheet, edits: Mapping[Key, str]) -> Saved | Refusal:
        before = self._read()
        if _digest(before.content) != sheet.digest:
            told = (
                f"{visible(str(self._path))} was changed by something else since it was read here. Nothing was saved."
            )
            return Refusal(told, "Read it again; what you edited here is kept.")
        text = NEW_FILE if before.content is None else before.content.decode("utf-8")
        new = changed(text, self._values(edits)).encode("utf-8")
        checked(combine(read_toml(new, self._path), before.over).keys)
        backup = self._write(new, keep=before.content is not None)
        return Saved(self._sheet(self._read()), backup)

    def _values(self, edits: Mapping[Key, str]) -> dict[Key, object]:
        for key, text in edits.items():
            if wrong := self.check(key, text):
                raise SettingsError(f"{'.'.join(key)} = {visible(text)}: {wrong}")
        return {key: _entry(key, text).value if text.strip() else None for key, text in edits.items()}

    def _write(self, content: bytes, *, keep: bool) -> str:
        """Put `content` in the place of the file, a link's target where it is one, and return where the old one is."""
        target = os.fsencode(self._path.resolve())
        backup = target + b".bak" if keep else b""
        if keep:
            with atomic_file(backup) as part:
                shutil.copyfile(target, part)
                shutil.copymode(target, part)
        with atomic_file(target) as part:
            Path(os.fsdecode(part)).write_bytes(content)
            if keep:
                Path(os.fsdecode(part)).chmod(stat.S_IMODE(Path(os.fsdecode(target)).stat().st_mode))
        return Path(os.fsdecode(backup)).name

    def _read(self) -> _Read:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            content = None
        except OSError as error:
            raise SettingsError(f"{visible(str(self._path))}: cannot be read: {error.strerror}") from error
        from_file = [] if content is None else read_toml(content, self._path)
        return _Read(content, from_file, *over_file(self._options, self._environ, from_file))

    def _sheet(self, found: _Read) -> Sheet:
        self._current = found.settings
        said: dict[Key, list[Layer]] = {key: [] for key, _ in leaves()}
        for origin, entry in _said(found):
            said.setdefault(entry.key, []).append(Layer(origin, _shown(entry.value), entry.where))
        known = [key for key in said if locate(key).field is not None]
        return Sheet(
            path=str(self._path),
            digest=_digest(found.content),
            settings=tuple(_setting(key, said[key]) for key in known),
            sections=tuple(_sections(known)),
            presets=tuple(found.own_presets),
            preset=DEFAULT_PRESETS[RunKind.EXTRACT],
        )


def _said(found: _Read) -> Iterator[tuple[Origin, Entry]]:
    """Yield who says what, the weakest first; of two entries of one origin for one key only the later, which wins."""
    yield from (("file", entry) for entry in _last(found.from_file))
    for name, preset in found.own_presets.items():
        for section, values in preset.settings.items():
            yield from (("preset", Entry((section, key), value, name)) for key, value in values.items())
    yield from (("environment", entry) for entry in _last(found.from_environment))
    yield from (("command line", entry) for entry in _last(found.from_options))


def _last(entries: Sequence[Entry]) -> list[Entry]:
    return list({entry.key: entry for entry in entries}.values())


def _setting(key: Key, layers: Sequence[Layer]) -> Setting:
    field = locate(key).field
    assert field is not None
    default = Layer("default", _shown(_default(key, field)))
    allowed = expected(field) or "a key, or several with commas between them"
    return Setting(key, field.description or "", allowed, _effect(key), (default, *layers))


def _default(key: Key, field: FieldInfo) -> object:
    if key[0] == "models" and key[1] in MODELS:
        return getattr(MODELS[key[1]], key[2])
    if locate(key).free or field.is_required():
        return None
    return field.get_default(call_default_factory=True)


def _effect(key: Key) -> Effect:
    if key == ("console", "theme"):
        return "now"
    return "start" if key in READ_AT_START or key[0] == "keys" else "run"


def _shown(value: object) -> str:
    """Return a value as an operator would type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _entry(key: Key, text: str) -> Entry:
    """Return what `text` says of a setting, in the type that the file is to have; a list may be typed with commas."""
    entry = text_entry(key, text.strip(), TYPED)
    field = locate(key).field
    if field is not None and typing.get_origin(field.annotation) is tuple and isinstance(entry.value, str):
        return replace(entry, value=_parts(text))
    return entry if key[0] != "keys" else replace(entry, value=_parts(text))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _sections(keys: Iterable[Key]) -> Iterator[tuple[str, str]]:
    """Yield each section with its explanation, in the order of `keys`."""
    for section in dict.fromkeys(key[:-1] for key in keys):
        model = locate(section).model
        told = TOP_OF_FILE if not section else " ".join(((model and model.__doc__) or "").split())
        yield ".".join(section), told


def _digest(content: bytes | None) -> str:
    return "" if content is None else hashlib.sha256(content).hexdigest()
