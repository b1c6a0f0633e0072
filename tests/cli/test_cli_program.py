"""The program as an operator, a log and a script meet it: real processes, real files, exit codes."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import pytest

from pipeline.engine.folder import FolderLock
from pipeline.media.samples import make
from pipeline.media.shapes import Combination, Look, draw
from pipeline.media.truth import read_truth
from pipeline.outputs.manifest import read_manifest

README = Path(__file__).parents[2] / "README.md"
CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
QUICK = ("--set", "engine.settle_s=0", "--preset", "scenes", "--workers", "1")
HOSTILE = (
    b"\x1b]0;owned\x07.mp4",
    b"[/].mp4",
    b"new\nline.mp4",
    b"not utf-8 \xff\xfe.mp4",
    b"-first.mp4",
    b"\xe2\x80\xae.mp4",
)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    make(folder)
    return folder


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes a worker two seconds, long enough to be stopped in; made quickly, for nothing moves."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    picture = draw(Combination("red", "circle"), Look(), width=1280, height=720)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        for number in range(2000):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def start(*arguments: str | bytes | Path, **environ: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "vconsole", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ},
    )


def vconsole(*arguments: str | bytes | Path, **environ: str) -> "subprocess.CompletedProcess[bytes]":
    process = start(*arguments, **environ)
    out, err = process.communicate(timeout=150)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def objects(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def statuses(out: Path) -> dict[str, str]:
    return {entry["source"]: entry["status"] for entry in read_manifest(os.fsencode(out))}


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Path, subprocess.CompletedProcess[bytes]]":
    """The folder of a demo, called demo, and what it said."""
    home = tmp_path_factory.mktemp("home of the demo")
    return home / "demo", vconsole("demo", "--dir", home / "demo", HOME=str(home), HF_HUB_OFFLINE="1")


def test_the_demo_extracts_its_samples_as_they_were_made_and_finds_one_by_words(
    demo: "tuple[Path, subprocess.CompletedProcess[bytes]]",
) -> None:
    folder, first = demo
    assert (first.returncode, first.stderr) == (0, b"")
    assert b'"a red circle": shapes.mp4, the scene at 0.0 to 1.6 s' in first.stdout
    assert b"Nothing to do" not in first.stdout
    assert next(line for line in first.stdout.splitlines() if b"(broken on purpose)" in line).startswith(b"broken.mp4")
    assert b"skipped" not in first.stdout
    for sample in read_truth(folder / "videos"):
        if sample.kind == "broken":
            continue
        with h5py.File(folder / "out" / "features" / f"{sample.name}.h5") as file:
            assert file["scenes/start_frame"][()].tolist() == [scene.start_frame for scene in sample.scenes]
            assert sorted(set(file["frames/scene"][()].tolist())) == list(range(len(sample.scenes)))
            assert file["embeddings/tiny-shapes/vectors"].shape[0] == len(file["frames/time_s"])
            assert file.attrs["rotation_deg"] % 180 == sample.rotation_deg % 180
            if not sample.rotation_deg:
                assert np.abs(file.attrs["crop_xywh"] - np.array(sample.crop_xywh)).max() <= 4
    again = vconsole("demo", "--dir", folder)
    assert again.returncode == 0
    assert b"Nothing to do" in again.stdout
    assert vconsole("verify", folder / "out", "--deep", VCONSOLE_STATE_DIR=str(folder / "state")).returncode == 0


def test_the_readme_s_python_runs_on_what_the_demo_leaves(
    demo: "tuple[Path, subprocess.CompletedProcess[bytes]]",
) -> None:
    home = demo[0].parent
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    told = [
        subprocess.run([sys.executable, "-c", block], cwd=home, capture_output=True, timeout=120, check=True).stdout
        for block in blocks
    ]
    assert told[0].startswith(b"6.4 ")
    assert told[1].startswith(b"0.0 1.6 0.8")


def test_json_is_all_that_stdout_holds_and_the_summary_comes_last(samples: Path, tmp_path: Path) -> None:
    done = vconsole("extract", samples, "--out", tmp_path / "out", *QUICK, "--json")
    assert (done.returncode, done.stderr) == (1, b"")
    events = objects(done.stdout)
    assert [entry["event"] for entry in events].count("summary") == 1
    assert (events[-1]["exit_code"], events[-1]["counts"]) == (1, {"done": 5, "failed": 1})
    assert {entry["name"] for entry in events if entry.get("state") == "failed"} == {"broken.mp4"}
    media = {entry["name"]: entry["media"] for entry in events if entry["event"] == "job" and entry["media"]}
    assert (len(media), media["picture.jpg"]["is_picture"], media["rotated.mp4"]["rotation_deg"] % 180) == (5, True, 90)
    manifest = {entry["source"]: entry for entry in read_manifest(os.fsencode(tmp_path / "out"))}
    assert manifest["shapes.mp4"]["media"]["video_codec"] == "h264"
    again = objects(vconsole("extract", samples, "--out", tmp_path / "out", *QUICK, "--json").stdout)
    assert again[-1]["reused"] == 5


def test_a_saved_picture_that_is_gone_is_found_and_made_again(samples: Path, tmp_path: Path) -> None:
    out, saving = tmp_path / "out", (*QUICK, "--set", "frames.save=jpeg")
    assert vconsole("extract", samples / "shapes.mp4", "--out", out, *saving).returncode == 0
    assert vconsole("verify", out).returncode == 0
    pictures = sorted((out / "frames" / "shapes.mp4").iterdir())
    pictures[0].unlink()
    told = vconsole("verify", out)
    assert (told.returncode, pictures[0].name.encode() in told.stdout) == (1, True)
    assert vconsole("extract", samples / "shapes.mp4", "--out", out, *saving).returncode == 0
    assert sorted((out / "frames" / "shapes.mp4").iterdir()) == pictures


def test_plain_output_has_no_control_bytes_whatever_files_are_called(samples: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for number, name in enumerate(HOSTILE):
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not a video %d" % number)
    shutil.copy(samples / "rotated.mp4", folder / os.fsdecode(HOSTILE[0]))
    done = vconsole("extract", folder, "--out", out, *QUICK)
    assert not CONTROL.search(done.stdout + done.stderr)
    assert {os.fsencode(name) for name in statuses(out)} == set(HOSTILE)
    dry = vconsole("extract", folder, "--out", out, *QUICK, "--dry-run")
    assert dry.returncode == 0
    assert not CONTROL.search(dry.stdout + dry.stderr)
    assert len(dry.stdout.splitlines()) == len(HOSTILE) + 2
    for arguments in (("verify", out), ("runs",)):
        told = vconsole(*arguments)
        assert not CONTROL.search(told.stdout + told.stderr)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copy(samples / "shapes.mp4", tmp_path / "a.mp4")
    shutil.copy(samples / "shapes.mp4", tmp_path / "b.mp4")
    told = vconsole("extract", tmp_path / "a.mp4", tmp_path / "b.mp4", "--out", out, *QUICK, "--dry-run", "--json")
    events = objects(told.stdout)
    assert [entry.get("verdict") for entry in events] == ["to do", "duplicate", None]
    assert events[0]["output"] == "features/a.mp4.h5"
    assert events[-1]["weights"] == []
    assert not out.exists()
    assert not Path(os.environ["VCONSOLE_STATE_DIR"]).exists()


def test_a_signal_stops_a_run_and_resume_ends_it(samples: Path, long_video: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name, source in (("1.mp4", samples / "shapes.mp4"), ("2.mp4", long_video), ("3.mp4", samples / "rotated.mp4")):
        shutil.copy(source, folder / name)
    process = start("extract", folder, "--out", out, *QUICK, "--json")
    next(entry for entry in _events(process) if (entry.get("name"), entry.get("state")) == ("2.mp4", "running"))
    process.send_signal(signal.SIGTERM)
    rest, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, b"")
    summary = objects(rest)[-1]
    assert (summary["event"], summary["interrupted"], summary["counts"]["done"]) == ("summary", True, 1)
    away = folder.rename(tmp_path / "away")  # as when its volume is not mounted yet
    resumed = start("resume", "--json")
    events = list(_events_until_paused(resumed))
    away.rename(folder)
    events += objects(resumed.communicate(timeout=60)[0])
    assert resumed.returncode == 0
    assert events[-1]["counts"] == {"done": 3}
    assert events[-1]["run_id"] == summary["run_id"]
    assert "1.mp4" not in {entry["name"] for entry in events if entry["event"] == "job"}
    assert vconsole("verify", out, "--deep").returncode == 0
    assert b"Nothing to resume" in vconsole("resume").stdout


def _events_until_paused(process: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    for event in _events(process):
        yield event
        if event["event"] == "run" and event["state"] == "paused":
            assert "is gone. Mount it again" in event["paused_because"]
            return


def _events(process: "subprocess.Popen[bytes]") -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["extract", "none.mp4", "--out", "o"], "none.mp4 does not exist"),
        (["extract", ".", "--out", "o", "--preset", "standart"], "standard"),
        (["extract", ".", "--out", "o", "--model", "tiny-shape"], "Did you mean tiny-shapes"),
        (["extract", ".", "--out", "o", "--set", "scene.threshold=3"], "did you mean scenes.threshold?"),
        (["extract", ".", "--out", "o", "--workers", "none"], "--workers: engine.workers = 'none'"),
        (["extract", ".", "--out", "o", "--device", "gpu"], "--device: host.device = 'gpu'"),
        (["extract", ".", "--out", "o", "--config", "none.toml"], "none.toml: cannot be read"),
        (["extract", ".", "--out", "/dev/null/o"], "/dev/null is not a folder"),
        (["extract", "."], "--out"),
        (["extract", ".", "--out", "o", "--\x1b]0;owned\x07"], "owned"),
        (["resume", "7"], "no ledger"),
        (["verify", "."], "ledger"),
        (["models", "fetch", "none"], "none"),
        ([], "console needs a terminal"),
        (["export", "/nowhere", "--to", "x"], "/nowhere is no folder"),
    ],
)
def test_what_cannot_work_exits_with_2_before_any_work(arguments: list[str], told: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vconsole", *arguments], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert told in done.stderr.decode()
    assert not CONTROL.search(done.stderr)
    assert (done.stdout, list(tmp_path.iterdir())) == (b"", [])


def test_missing_weights_exit_with_2_and_name_three_ways_on(samples: Path, tmp_path: Path) -> None:
    done = vconsole("extract", samples, "--out", tmp_path / "out", "--json", HF_HOME=str(tmp_path / "hub"))
    assert done.returncode == 2
    for way in (b"vconsole models fetch clip-vit-b-32", b"path =", b"--preset scenes", b"605 MB"):
        assert way in done.stderr
    assert objects(done.stdout)[-1]["exit_code"] == 2
    assert not (tmp_path / "out").exists()


def test_a_second_engine_is_refused_naming_the_holder(long_video: Path, tmp_path: Path) -> None:
    first = start("extract", long_video, "--out", tmp_path / "out", *QUICK, "--json")
    next(entry for entry in _events(first) if entry.get("state") == "running")
    second = vconsole("extract", long_video, "--out", tmp_path / "out2", *QUICK)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=20)
    assert second.returncode == 2
    assert str(first.pid).encode() in second.stderr


def test_a_run_whose_engine_was_killed_is_listed_as_interrupted(long_video: Path, tmp_path: Path) -> None:
    process = start("extract", long_video, "--out", tmp_path / "out", *QUICK, "--json")
    next(entry for entry in _events(process) if entry.get("state") == "running" and entry["event"] == "job")
    process.kill()
    process.communicate()
    assert objects(vconsole("runs", "--json").stdout)[0]["state"] == "interrupted"
    lock = FolderLock(Path(os.environ["VCONSOLE_STATE_DIR"]))
    assert objects(vconsole("runs", "--json").stdout)[0]["state"] == "running"
    lock.release()


def on_a_terminal(*arguments: str | Path) -> tuple[int, int]:
    """Start the program with a terminal of its own; return its process id and our end of the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-m", "vconsole", *(str(part) for part in arguments)])
    return pid, terminal


def read_until(terminal: int, what: bytes = b"") -> bytes:
    """Return what the terminal shows until `what` is in it, or until its program has ended."""
    seen = b""
    while not what or what not in seen:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    return seen


def test_progress_on_a_terminal_leaves_it_as_it_was(samples: Path, tmp_path: Path) -> None:
    pid, terminal = on_a_terminal("extract", samples, "--out", tmp_path / "out", *QUICK)
    seen = read_until(terminal)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") > 0
    assert b"run 1 done" in seen
    assert b"of 6 videos" in seen


def test_a_lost_connection_checkpoints_and_the_run_can_go_on(long_video: Path, tmp_path: Path) -> None:
    pid, terminal = on_a_terminal("extract", long_video, "--out", tmp_path / "out", *QUICK)
    read_until(terminal, b"long.mp4")
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert vconsole("resume").returncode == 0


def test_a_second_interrupt_ends_at_once_and_shows_the_cursor_again(long_video: Path, tmp_path: Path) -> None:
    pid, terminal = on_a_terminal("extract", long_video, "--out", tmp_path / "out", *QUICK)
    read_until(terminal, b"long.mp4")
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGINT)
    seen = read_until(terminal)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert b"\x1b[?25h" in seen
    assert vconsole("resume").returncode == 0
