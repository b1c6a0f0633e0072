"""`vconsole models`: lists what there is, fetches nothing twice, and says plainly why a fetch failed."""

import json
from pathlib import Path
from typing import Any

import pytest

from vconsole.cli import run
from vconsole.models import HEADINGS


def test_the_list_is_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t") == list(HEADINGS)
    toy = next(line for line in lines if line.startswith("tiny-shapes\t"))
    assert "\tyes\t" in toy
    assert all(cell.isprintable() for line in lines for cell in line.split("\t"))


def test_the_list_as_json_has_an_object_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list", "--json"]) == 0
    objects = {entry["key"]: entry for entry in map(json.loads, capsys.readouterr().out.splitlines())}
    assert objects["tiny-shapes"]["here"] is True
    assert objects["clip-vit-b-32"]["size_bytes"] == 605_000_000
    assert objects["clip-vit-b-32"]["here"] is False


def test_a_hostile_model_entry_reaches_the_list_as_visible_symbols(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[models.evil]\narchitecture = "ViT-B-32"\npath = "/tmp/\\u001b]52;c;x\\u0007"\n')
    assert run(["models", "list", "--config", str(config)]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\u241b" in text


def test_a_model_that_is_here_is_not_fetched_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "fetch", "tiny-shapes"]) == 0
    assert "here already" in capsys.readouterr().out


def test_a_fetch_without_network_says_so_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "fetch", "clip-vit-b-32"]) == 2
    complaint = capsys.readouterr().err
    assert "clip-vit-b-32 could not be fetched from https://huggingface.co/laion" in complaint
    assert "[models.clip-vit-b-32] path" in complaint


def test_an_unknown_model_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "fetch", "nobody"]) == 2
    assert "tiny-shapes" in capsys.readouterr().err


def test_verify_tells_a_fault_by_its_exit_code(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    config = tmp_path / "c.toml"
    config.write_text(f'[models.cut]\narchitecture = "ViT-B-32"\npath = "{tmp_path / "cut.safetensors"}"\n')
    assert run(["models", "verify", "--config", str(config), "--json"]) == 1
    found = {entry["key"]: entry for entry in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (found["cut"]["verdict"], found["tiny-shapes"]["verdict"]) == ("bad", "ok")
    assert (found["perceptual"]["verdict"], found["clip-vit-b-32"]["verdict"]) == ("ok", "missing")
    assert run(["models", "verify", "tiny-shapes"]) == 0


def test_verify_refuses_a_pickle_that_wants_to_run_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model_folder: Any
) -> None:
    config = tmp_path / "c.toml"
    path = model_folder.models["zipped.pt"].path
    config.write_text(f'[models.evil]\narchitecture = "ViT-B-32"\npath = "{path}"\n')
    assert run(["models", "verify", "evil", "--config", str(config)]) == 1
    assert "wants to run code" in capsys.readouterr().out
    assert not model_folder.marker.exists()


def test_where_names_the_file_or_where_it_was_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "where", "--json"]) == 0
    found = {entry["key"]: entry for entry in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["tiny-shapes"]["where"].endswith("tiny-shapes.safetensors")
    assert "models--laion" in found["clip-vit-b-32"]["where"]
    assert run(["models", "where", "nobody"]) == 2
