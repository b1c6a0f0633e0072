"""The examination as an operator and a script meet it: real children, some of which crash or hang."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import h5py
import pytest

from pipeline.doctor import hardware, machine
from pipeline.doctor.child import LOOKS
from pipeline.doctor.children import Children
from pipeline.doctor.codecs import CodecError, compare, pictures, sound, video
from pipeline.doctor.examination import Examination, Look
from pipeline.doctor.folders import disk, output, state
from pipeline.doctor.libraries import LIBRARIES, library
from pipeline.doctor.plan import plan
from pipeline.doctor.recipes import SOUND, VIDEO
from pipeline.doctor.weights import text, weights
from pipeline.engine.folder import FolderLock, prepare_folder
from pipeline.engine.store import LEDGER_NAME
from pipeline.health import Check, Grade, Health
from pipeline.settings import Settings
from vconsole.doctor import _settings
from vconsole.parsers import build_parser

GROUPS = ["terminal", "program", "machine", "state folder", "output folder", "libraries", "codecs", "GPU", "models"]
STUBS = ("torch", "torchvision", "open_clip", "easyocr", "whisper", "scenedetect")


def look(function: str, limit_s: float = 60, **arguments: Any) -> tuple[Check, ...]:
    return Children().look(function, arguments, limit_s, group="a group", name="a name")


def only(checks: list[Check] | tuple[Check, ...]) -> Check:
    (check,) = checks
    return check


def shadowed(folder: Path, **modules: str) -> None:
    """Put modules in the place of libraries, for every child that finds `folder` first on its path."""
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code)


@pytest.fixture
def first_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "first"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
    return folder


@pytest.mark.parametrize("name", VIDEO)
def test_each_video_codec_of_this_build_goes_there_and_back(name: str) -> None:
    check = only(video(name))
    assert (check.name, check.verdict) == (name, Grade.OK)
    assert check.found.startswith(f"{VIDEO[name].encoder} encodes, ")


@pytest.mark.parametrize("name", SOUND)
def test_each_sound_codec_of_this_build_goes_there_and_back(name: str) -> None:
    assert only(sound(name)).verdict is Grade.OK


def test_pictures_that_came_back_changed_or_too_few_are_found() -> None:
    whole = list(pictures())
    compare(whole)
    with pytest.raises(CodecError, match="7 of 8 frames"):
        compare(whole[:-1])
    with pytest.raises(CodecError, match="changed"):
        compare([255 - picture for picture in whole])


def test_a_library_that_crashes_the_process_is_one_fault_that_says_how(first_on_path: Path) -> None:
    shadowed(first_on_path, av="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    check = only(look("library", distribution="av"))
    assert (check.group, check.name, check.verdict) == ("a group", "a name", Grade.FAULT)
    assert "crashed (SIGSEGV)" in check.found
    assert check.fix


def test_a_look_that_hangs_is_killed_in_time_with_all_it_started(first_on_path: Path, tmp_path: Path) -> None:
    told = tmp_path / "pids"
    code = f"""
import os, subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(told)!r}, "w").write(f"{{os.getpid()}} {{other.pid}}")
time.sleep(600)
"""
    shadowed(first_on_path, av=code)
    began_s = time.monotonic()
    check = only(look("library", limit_s=3, distribution="av"))
    assert check.verdict is Grade.FAULT
    assert "did not end within 3 s" in check.found
    assert time.monotonic() - began_s < 20
    for pid in map(int, told.read_text().split()):
        gone_by_s = time.monotonic() + 20
        while is_running(pid):
            assert time.monotonic() < gone_by_s


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_library_that_chatters_on_stdout_spoils_no_answer(first_on_path: Path) -> None:
    shadowed(first_on_path, numpy="import os; print('hello'); os.write(1, b'hello')")
    assert only(look("library", distribution="numpy")).verdict is Grade.OK


def test_a_library_that_cannot_be_imported_is_a_fault_with_its_reason(first_on_path: Path) -> None:
    shadowed(first_on_path, h5py="raise ImportError('libhdf5.so.310: no such file')")
    check = only(look("library", distribution="h5py"))
    assert check.verdict is Grade.FAULT
    assert "libhdf5.so.310" in check.found
    assert "pip install" in check.fix


def test_a_library_that_is_not_there_is_a_fault() -> None:
    assert only(library("no-such-distribution")).found == "not installed"


def test_all_libraries_that_the_program_asks_for_are_looked_at() -> None:
    wanted = {line.partition(">")[0] for line in requires("vconsole") or () if "extra ==" not in line}
    assert wanted == set(LIBRARIES)


def test_closing_an_examination_from_another_thread_ends_it_and_its_children(first_on_path: Path) -> None:
    shadowed(first_on_path, av="import time; time.sleep(600)")
    examination = Examination(lambda: [Look("libraries", "av", "library", {"distribution": "av"}, 60.0)] * 9)
    reports: list[Health] = []
    looking = threading.Event()

    def follow() -> None:
        for health in examination.steps():
            reports.append(health)
            if health.looking_at == "libraries: av":
                looking.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert looking.wait(20)
    examination.close()
    thread.join(20)
    assert not thread.is_alive()
    assert all(report.looking_at for report in reports)


def test_every_planned_look_exists(tmp_path: Path) -> None:
    looks = plan(Settings(), tmp_path)
    assert {look.function for look in looks} <= set(LOOKS)
    assert [look.name for look in looks if look.group == "models"] == ["clip-vit-b-32", "whisper-base", "text"]


def test_the_plan_tries_each_engine_of_each_gpu_that_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.doctor.plan.gpu_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    names = [look.name for look in plan(Settings(), tmp_path) if look.group == "GPU"]
    assert len(names) == 3 + 2 * 8
    assert "decode AV1 on GPU 1" in names
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    names = [look.name for look in plan(Settings(), tmp_path) if look.group == "GPU"]
    assert len(names) == 3 + 8


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("OpenEncodeSessionEx failed: unsupported device (2): (no details)", "this GPU has no such encoder"),
        ("Codec not supported", "this GPU has no such engine"),
        ("Cannot load libnvidia-encode.so.1", "the driver's encoder library is not here"),
        ("something else", "something else"),
    ],
)
def test_a_gpu_without_an_encoder_is_a_warning_with_a_sentence(written: str, found: str) -> None:
    def attempt() -> None:
        raise CodecError(written)

    check = hardware._tried("encode AV1 on GPU 0", attempt, "works")
    assert check.verdict is Grade.WARNING
    assert check.found == found
    assert check.fix


@pytest.mark.parametrize("function", ["encode", "decode"])
def test_an_engine_that_is_not_there_ends_in_a_warning(function: str) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    assert only(look(function, name="H.264", index=0)).verdict is Grade.WARNING


def test_a_machine_without_a_driver_is_well_unless_it_has_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "PCI", tmp_path)
    assert hardware._no_driver("not found").verdict is Grade.OK
    card = tmp_path / "0000:01:00.0"
    card.mkdir()
    (card / "vendor").write_text("0x10de\n")
    (card / "class").write_text("0x030200\n")
    assert hardware._no_driver("not found").verdict is Grade.WARNING


def test_a_device_that_is_not_there_is_a_fault() -> None:
    check = only(look("device", device="cuda:77"))
    assert check.verdict is Grade.FAULT
    assert "cuda:77" in check.found


def test_weights_are_here_or_missing_or_damaged(tmp_path: Path) -> None:
    assert only(weights("tiny-shapes", {})).verdict is Grade.OK
    missing = only(weights("clip-vit-b-32", {}))
    assert missing.verdict is Grade.WARNING
    assert "vconsole models fetch clip-vit-b-32" in missing.fix
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"not a checkpoint")
    own = {"own": {"architecture": "tiny-shapes", "path": str(damaged)}}
    assert only(weights("own", own)).verdict is Grade.FAULT
    assert only(weights("unknown", {})).verdict is Grade.FAULT


def test_the_disk_of_a_folder_that_is_not_there_yet_is_tried_and_nothing_stays(tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    space, speed = disk("output folder", str(tmp_path / "not" / "yet"))
    assert "GiB free" in space.found
    assert "MB/s" in speed.found
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_is_a_fault_and_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.doctor.folders.FULL_BYTES", 1 << 60)
    assert [check.verdict for check in disk("state folder", str(tmp_path))] == [Grade.FAULT]


def test_the_state_folder_says_who_holds_it_and_that_its_ledger_opens(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert [check.verdict for check in state(str(folder))] == [Grade.OK] * 4
    assert not folder.exists()
    prepare_folder(folder)
    lock = FolderLock(folder)
    try:
        checks = {check.name: check for check in state(str(folder))}
    finally:
        lock.release()
    assert checks["lock"].found.startswith(f"held by process {os.getpid()} on ")
    (folder / LEDGER_NAME).write_bytes(b"this is no ledger" * 1000)
    assert {check.verdict for check in state(str(folder)) if check.name == "ledger"} == {Grade.FAULT}


def test_a_file_in_the_place_of_a_folder_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert only(state(str(tmp_path / "file"))).verdict is Grade.FAULT
    assert only(output(str(tmp_path / "file" / "out"), "")).verdict is Grade.FAULT


def test_without_an_output_folder_and_a_run_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    check = only(output("", str(tmp_path)))
    assert (check.verdict, check.name) == (Grade.OK, "place")
    assert "--out" in check.found


def test_limits_of_the_control_group_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_cgroup_values", {"cpu.max": ["50000 100000"], "memory.max": ["1073741824"]}.get)
    assert machine._cores().verdict is Grade.WARNING
    assert "time of 0.5" in machine._cores().found
    assert "allows 1.0 GiB" in machine._memory().found
    monkeypatch.setattr(machine, "_cgroup_values", {"pids.max": ["max", "64"]}.get)
    assert "at most 64" in machine._processes().found


def test_a_temporary_folder_where_no_socket_fits_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    check = machine._temporary_folder()
    assert check.verdict is Grade.FAULT
    assert "too long" in check.found


def test_a_key_that_cannot_be_typed_is_a_fault_of_the_configuration() -> None:
    args = build_parser().parse_args(["doctor", "--set", 'keys={"run.pause" = ["ctrl+m"]}'])
    check, settings = _settings(args)
    assert check.verdict is Grade.FAULT
    assert "cannot tell it from Enter" in check.found
    assert settings == Settings()


def vconsole(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "vconsole", "doctor", *arguments],
        capture_output=True, text=True, timeout=280, stdin=subprocess.DEVNULL, env={**os.environ, **environ},
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_the_whole_examination_as_json(tmp_path: Path) -> None:
    done = vconsole("--json", "--out", str(tmp_path / "out"))
    *checks, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.stderr == ""
    faults = [check for check in checks if check["verdict"] == "fault"]
    assert (faults, done.returncode) == ([], 0)
    for check in checks:
        assert {key: type(value) for key, value in check.items()} == dict.fromkeys(
            ("event", "group", "name", "verdict", "found", "fix"), str
        )
        assert check["event"] == "check"
        assert check["verdict"] in {"ok", "warning", "fault"}
        assert check["found"]
        assert check["verdict"] == "ok" or check["fix"]
    assert list(dict.fromkeys(check["group"] for check in checks)) == GROUPS
    counts = {verdict: sum(check["verdict"] == verdict for check in checks) for verdict in ("ok", "warning", "fault")}
    assert summary.items() >= {"event": "summary", "exit_code": 0, **counts}.items()
    found = {(check["group"], check["name"]): check["found"] for check in checks}
    assert f"HDF5 {h5py.version.hdf5_version}" in found["libraries", "h5py"]
    assert not (tmp_path / "out").exists()


@pytest.mark.timeout(300)
def test_a_broken_library_fails_its_own_lines_and_the_exit_code(first_on_path: Path) -> None:
    shadowed(first_on_path, av="import os; os.abort()", **dict.fromkeys(STUBS, "raise ImportError('left out')"))
    done = vconsole("--set", "nonsense.key=1")
    lines = [
        line.split(maxsplit=2) for line in done.stdout.splitlines() if line.startswith("  ") and "fix: " not in line
    ]
    verdicts = {line[1]: line[0] for line in lines}
    assert done.returncode == 1
    assert (verdicts["av"], verdicts["H.264"], verdicts["configuration"]) == ("fault", "fault", "fault")
    assert (verdicts["numpy"], verdicts["Python"], verdicts["lock"]) == ("ok", "ok", "ok")
    assert "crashed (SIGABRT)" in done.stdout
    assert "nonsense" in done.stdout


def test_an_interrupt_ends_it_at_once(first_on_path: Path) -> None:
    shadowed(first_on_path, numpy="import time; time.sleep(600)")
    process = subprocess.Popen(
        [sys.executable, "-m", "vconsole", "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while "libraries" not in (line := process.stdout.readline()) and "output folder" not in line:
        assert line
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=90)
    assert (process.returncode, told) == (130, "")


def test_what_is_missing_to_read_text_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(tmp_path))
    able = only(look("text", wanted={}))
    assert (able.name, able.verdict) == ("text", Grade.OK)
    assert able.found.startswith("rapidocr ")
    missing = only(text({"engine": "easyocr", "languages": ["en"]}))
    assert missing.verdict is Grade.WARNING
    files = f"craft_mlt_25k.pth, english_g2.pth not in {tmp_path / 'model'}"
    assert missing.found == f"the text in en cannot be read here: easyocr: {files}"
    assert missing.fix
