"""The lines of the models room: a row a model, and all that is known of the selected one."""

from collections.abc import Mapping

from pipeline.shelf import FetchStep, ShelvedModel, Verified
from screens.actions import key_of
from screens.presenters.words import NONE, bar, number, percent, size
from screens.widgets.outside import Cell, Line, Tone, cell, line_width, sentence, wrap

_KEY, _FAMILY, _SIZE, _STATE = 20, 11, 9, 14
_LABEL = 10
_ROOMY = 68
"""Width from which on a row tells family and size, too."""

VERDICTS: dict[str, tuple[str, Tone]] = {"ok": ("✓", "good"), "missing": ("!", "warn"), "bad": ("✗", "bad")}


def models_heading(width: int) -> Line:
    """Return the titles of the columns."""
    return _row("model", "family", "size", "here", "licence", width, "quiet")


def model_row(model: ShelvedModel, step: FetchStep | None, width: int) -> Line:
    """Return one model."""
    total = size(model.size_bytes) if model.size_bytes else NONE
    return _row(model.key, model.family, total, _state(model, step), model.licence or NONE, width, "")


def model_details(
    model: ShelvedModel, step: FetchStep | None, verified: Verified | str | None, width: int
) -> tuple[Line, ...]:
    """Return all that is known of a model; `verified` is a text while its weights are read."""
    facts = {
        "model": f"{model.architecture} {model.weights}".strip(),
        "family": model.family,
        "licence": model.licence or "not known",
        "size": size(model.size_bytes) if model.size_bytes else "not known",
        "where": model.where,
        "sha256": model.expected_sha256 or "not known",
    }
    if not model.needed:
        facts = {name: facts[name] for name in ("model", "family", "licence", "where")}
    lines = [line for name, text in facts.items() for line in _fact(name, text, width)]
    lines += _fact("loaded", _loaded(model), width)
    if step is not None:
        lines += [(), *_progress(step, width)]
    if isinstance(verified, Verified):
        sign, tone = VERDICTS[verified.verdict]
        first, *rest = wrap(f"{sign} {verified.sentence}", width)
        lines += [(), (Cell(first, tone),), *((Cell(row, tone),) for row in rest)]
    elif verified:
        lines += [(), (Cell(verified, "quiet"),)]
    if not model.here and step is None:
        lines += [(), *((Cell(row, "quiet"),) for row in wrap(f"{key_of('models.fetch')} {_NOT_HERE}", width))]
    return tuple(lines)


_NOT_HERE = "downloads it. Or name a file of yours (path) in the settings, or a folder of copies (host.weights_dir)."


def _row(key: str, family: str, total: str, state: str, licence: str, width: int, tone: Tone) -> Line:
    parts: list[Cell] = [cell(key, min(_KEY, width - _STATE), tone or "strong")]
    if width >= _ROOMY:
        parts += [cell(family, _FAMILY, tone), cell(total, _SIZE, tone, right=True), Cell("  ")]
    parts.append(cell(state, _STATE, tone or _TONES.get(state, "accent")))
    rest = width - line_width(tuple(parts))
    return (*parts, sentence(licence, rest, tone or "quiet")) if rest > 0 else tuple(parts)


_TONES: Mapping[str, Tone] = {"✓ here": "good", "✓ none needed": "good", "– not here": "quiet", "✗ not fetched": "bad"}


def _state(model: ShelvedModel, step: FetchStep | None) -> str:
    if step is not None and not step.over:
        share = step.done_bytes / step.size_bytes if step.size_bytes else 0.0
        return f"↓ {percent(share)}"
    if step is not None and step.failure and not model.here:
        return "✗ not fetched"
    if not model.needed:
        return "✓ none needed"
    return "✓ here" if model.here else "– not here"


def _loaded(model: ShelvedModel) -> str:
    if not model.device:
        return "never on this machine"
    how = f"{model.precision}, compiled" if model.compiled else model.precision
    told = f"last on {model.device} in {how}, in {model.load_s:.1f} s"
    if model.batch_size:
        told += f"; quickest in batches of {model.batch_size}: {number(model.pictures_per_s)} pictures a second"
    return told


def _progress(step: FetchStep, width: int) -> list[Line]:
    if step.failure:
        return [(Cell(row, "bad"),) for row in wrap(f"✗ {step.failure}", width)]
    if step.over:
        return [(Cell("✓ ", "good"), Cell("It is here, and its checksum is right."))]
    share = step.done_bytes / step.size_bytes if step.size_bytes else 0.0
    done, rest = bar(share, max(4, min(40, width - 30)), "bar")
    return [(Cell("fetching  ", "accent"), done, rest, Cell(f" {size(step.done_bytes)} of {size(step.size_bytes)}"))]


def _fact(name: str, text: str, width: int) -> list[Line]:
    first, *rest = wrap(text, max(10, width - _LABEL))
    lines: list[Line] = [(cell(name, _LABEL, "quiet"), Cell(first))]
    return [*lines, *((Cell(" " * _LABEL), Cell(row)) for row in rest)]
