"""The manifest has a line an input, in valid UTF-8 from which the exact bytes of a name can be had back."""

import gzip
import hashlib
import json
import os
from pathlib import Path

from pipeline.model import JobState
from pipeline.outputs.manifest import ManifestRow, read_manifest, write_failures, write_manifest, write_run

ODD = b"a/\xff\xfe\n\x1b[2J[/] \xc3\xa9.mp4"

ROWS = [
    ManifestRow(
        ODD,
        JobState.DONE,
        content_id="c1",
        features=b"features/" + ODD + b".h5",
        scenes=3,
        frames=7,
        seconds={"probe": 0.01},
        media={"container": "mp4", "hdr": "pq"},
        cut_off=True,
    ),
    ManifestRow(b"p.mp4", JobState.PARTIAL, content_id="c2", features=b"features/p.mp4.h5", lost_s=1.5, lost_frames=30),
    ManifestRow(
        b"f.mp4",
        JobState.FAILED,
        failure="corrupt",
        stage="probe",
        message="No picture.",
        attempts=1,
        remedy="Copy it again.",
        detail="InvalidDataError",
    ),
    ManifestRow(b"q.mp4", JobState.QUARANTINED, failure="worker_crashed", message="It crashed.", attempts=2),
    ManifestRow(b"d.mp4", JobState.SKIPPED, reason="duplicate of p.mp4", duplicate_of=b"p.mp4"),
]


def test_each_state_has_its_fields_and_no_others(tmp_path: Path) -> None:
    write_manifest(os.fsencode(tmp_path), ROWS)
    done, partial, failed, quarantined, skipped = read_manifest(os.fsencode(tmp_path))
    assert done == {
        "source": os.fsdecode(ODD),
        "status": "done",
        "content_id": "c1",
        "features": os.fsdecode(b"features/" + ODD + b".h5"),
        "scenes": 3,
        "frames": 7,
        "seconds": {"probe": 0.01},
        "media": {"container": "mp4", "hdr": "pq"},
        "cut_off": True,
    }
    assert (partial["status"], partial["lost_s"], partial["lost_frames"]) == ("partial", 1.5, 30)
    assert failed == {
        "source": "f.mp4",
        "status": "failed",
        "content_id": "",
        "class": "corrupt",
        "message": "No picture.",
        "attempts": 1,
    }
    assert (quarantined["status"], quarantined["class"]) == ("quarantined", "worker_crashed")
    assert (skipped["reason"], skipped["duplicate_of"]) == ("duplicate of p.mp4", "p.mp4")


def test_any_name_survives_as_ascii_json(tmp_path: Path) -> None:
    write_manifest(os.fsencode(tmp_path), ROWS)
    raw = gzip.decompress((tmp_path / "manifest.jsonl.gz").read_bytes())
    assert raw.isascii()
    assert raw.count(b"\n") == len(ROWS)
    assert b"\x1b" not in raw
    assert os.fsencode(json.loads(raw.splitlines()[0])["source"]) == ODD


def test_the_same_rows_make_the_same_file(tmp_path: Path) -> None:
    write_manifest(os.fsencode(tmp_path), ROWS)
    first = (tmp_path / "manifest.jsonl.gz").read_bytes()
    write_manifest(os.fsencode(tmp_path), iter(ROWS))
    assert (tmp_path / "manifest.jsonl.gz").read_bytes() == first


def test_failures_are_a_list_of_those_that_failed(tmp_path: Path) -> None:
    write_failures(os.fsencode(tmp_path), ROWS)
    failures = json.loads((tmp_path / "failures.json").read_bytes())
    assert [entry["source"] for entry in failures] == ["f.mp4", "q.mp4"]
    assert failures[0] == {
        "source": "f.mp4",
        "status": "failed",
        "class": "corrupt",
        "stage": "probe",
        "message": "No picture.",
        "attempts": 1,
        "remedy": "Copy it again.",
        "detail": "InvalidDataError",
    }
    write_failures(os.fsencode(tmp_path), [])
    assert json.loads((tmp_path / "failures.json").read_bytes()) == []


def test_the_run_record_is_one_object_that_vouches_for_the_reports(tmp_path: Path) -> None:
    out, info = os.fsencode(tmp_path), {"run": 1, "inputs": [os.fsdecode(b"/in/\xff")]}
    write_manifest(out, ROWS)
    write_run(out, info)
    told = json.loads((tmp_path / "run.json").read_bytes())
    assert told == info | {"reports": told["reports"], "sha256": told["sha256"]}
    manifest = (tmp_path / "manifest.jsonl.gz").read_bytes()
    summed = {"bytes": len(manifest), "sha256": hashlib.sha256(manifest).hexdigest()}
    assert told["reports"] == {"manifest.jsonl.gz": summed, "failures.json": {}}
