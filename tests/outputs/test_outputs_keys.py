"""A changed setting changes the keys of what depends on it, and of nothing else."""

from typing import Any

import pytest

from pipeline.settings import PipelineSettings
from pipeline.stages.keys import settings_hash, stage_keys

PRINTS = {"one": "f1", "two": "f2"}
MEDIA = ("probe", "crop", "scenes", "frames", "dedupe")
ALL = {*MEDIA, "embed:one", "embed:two", "write"}


def keys(content_id: str = "c", prints: dict[str, str] = PRINTS, **sections: Any) -> dict[str, str]:
    embed = {"models": ("one", "two"), **sections.pop("embed", {})}
    return stage_keys(PipelineSettings.model_validate({"embed": embed, **sections}), content_id, prints)


def changed(**settings: Any) -> set[str]:
    before, after = keys(), keys(**settings)
    return {name for name in before if before[name] != after.get(name)}


def test_every_stage_has_a_key() -> None:
    assert set(keys()) == ALL
    assert set(keys(embed={"enabled": False})) == {*MEDIA, "write"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"content_id": "d"}, ALL),
        ({"crop": {"enabled": False}}, ALL - {"probe"}),
        ({"probe": {"max_frames": 100}}, ALL - {"probe", "crop"}),
        ({"scenes": {"threshold": 20}}, ALL - {"probe", "crop"}),
        ({"frames": {"frames_per_scene": 1}}, ALL - {"probe", "crop", "scenes"}),
        ({"dedupe": {"max_distance": 3}}, {"dedupe", "embed:one", "embed:two", "write"}),
        ({"embed": {"augment": True}}, {"embed:one", "embed:two", "write"}),
        ({"host": {"precision": "fp16"}}, {"embed:one", "embed:two", "write"}),
        ({"prints": {"one": "new", "two": "f2"}}, {"embed:one", "write"}),
        ({"embed": {"models": ("two",)}}, {"embed:one", "write"}),
        ({"embed": {"scene_vectors": False}}, {"write"}),
        ({"write": {"compression": "gzip"}}, {"write"}),
        ({"frames": {"save": "jpeg"}}, {"write"}),
        ({"engine": {"workers": 7}, "host": {"batch_size": 3, "device": "cpu"}}, set()),
        ({"probe": {"max_pixels": 1000, "keep_partial": False}, "write": {"deep_verify": False}}, set()),
    ],
)
def test_a_change_reaches_what_depends_on_it(settings: dict[str, Any], expected: set[str]) -> None:
    assert changed(**settings) == expected


def test_settings_of_a_stage_that_is_off_do_not_count() -> None:
    assert keys(crop={"enabled": False}) == keys(crop={"enabled": False, "threshold": 99})
    assert keys(embed={"enabled": False, "augment": True}) == keys(embed={"enabled": False})


def test_keys_do_not_depend_on_the_order_of_models() -> None:
    assert keys(embed={"models": ("two", "one")})["write"] == keys()["write"]


def test_settings_hash_tells_settings_apart_but_not_bounds() -> None:
    base = settings_hash(PipelineSettings())
    assert settings_hash(PipelineSettings.model_validate({"engine": {"workers": 9}})) == base
    assert settings_hash(PipelineSettings.model_validate({"scenes": {"threshold": 9}})) != base
