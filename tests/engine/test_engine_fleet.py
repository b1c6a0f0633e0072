"""Several model hosts: which devices get one, which of them a video goes to, and what becomes of one that fails."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_harness import FAKE_WORKER, Bench, Driven
from fake_nvml import FakeNvmlError, nvml
from test_engine_host import host, pids, with_vectors

from pipeline.engine.devices import Device, devices
from pipeline.engine.gpus import GpuReader
from pipeline.engine.preflight import check_device
from pipeline.engine.readings import Readings
from pipeline.errors import SettingsError
from pipeline.machine import GpuView
from pipeline.model import JobState, RunState
from pipeline.settings import Settings
from pipeline.snapshot import Snapshot
from pipeline.visible_gpus import shown_to_cuda

MIGS = ("MIG-a", "MIG-b")


def gpu(index: int, **facts: object) -> GpuView:
    return GpuView(index, "Fake", None, None, None, None, None, None, None, uuid=f"GPU-{index}", **facts)  # type: ignore[arg-type]


TWO = (gpu(0), gpu(1))


@pytest.mark.parametrize(
    ("wanted", "gpus", "shown", "expected"),
    [
        ("auto", (), None, [("auto", "", -1)]),
        ("auto", (), "0,1", [("auto", "", -1)]),
        ("auto", TWO[:1], None, [("auto", "", 0)]),
        ("auto", TWO, None, [("cuda:0", "GPU-0", 0), ("cuda:1", "GPU-1", 1)]),
        ("auto", TWO, "1", [("auto", "", 1)]),
        ("auto", TWO, "1,0", [("cuda:0", "GPU-1", 1), ("cuda:1", "GPU-0", 0)]),
        ("auto", TWO, "GPU-1,GPU-0", [("cuda:0", "GPU-1", 1), ("cuda:1", "GPU-0", 0)]),
        ("auto", TWO, "0,-1,1", [("auto", "", 0)]),
        ("auto", TWO, "", [("auto", "", -1)]),
        ("auto", (gpu(0, mig=MIGS),), None, [("cuda:0", "MIG-a", 0), ("cuda:1", "MIG-b", 0)]),
        ("auto", (gpu(0, mig=MIGS),), "MIG-b", [("auto", "", 0)]),
        ("cuda:1", (gpu(0, mig=MIGS), gpu(1)), None, [("cuda:1", "MIG-b", 0)]),
        ("cuda:1,cuda:0", TWO, None, [("cuda:1", "GPU-1", 1), ("cuda:0", "GPU-0", 0)]),
        ("cuda:3", TWO, None, [("cuda:3", "", -1)]),
        ("cpu,cpu", TWO, None, [("cpu", "", -1), ("cpu", "", -1)]),
        ("cuda:0,cuda:1", (), None, [("cuda:0", "", -1), ("cuda:1", "", -1)]),
    ],
)
def test_a_host_is_planned_for_each_device(
    wanted: str, gpus: tuple[GpuView, ...], shown: str | None, expected: list[tuple[str, str, int]]
) -> None:
    names = Settings.model_validate({"host": {"device": wanted}}).host.devices
    environment = {} if shown is None else {"CUDA_VISIBLE_DEVICES": shown}
    assert devices(names, gpus, environment) == tuple(Device(*one) for one in expected)


def test_cuda_reads_its_list_up_to_the_first_that_is_none() -> None:
    assert shown_to_cuda({"CUDA_VISIBLE_DEVICES": "0, MIG-a ,NoDevFiles,1"}) == ("0", "MIG-a")


def test_a_device_that_is_not_shown_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    two = nvml(nvmlDeviceGetCount=lambda: 2)
    check_device("cuda:0", two)
    with pytest.raises(SettingsError, match="CUDA_VISIBLE_DEVICES shows 1 device"):
        check_device("cuda:1", two)


def test_a_gpu_that_nvml_calls_lost_is_told_as_lost_and_keeps_its_name() -> None:
    fallen = False

    class LostError(FakeNvmlError):
        value = nvml().NVML_ERROR_GPU_IS_LOST

    def memory(_: object) -> object:
        if fallen:
            raise LostError("GPU is lost")
        raise FakeNvmlError("Not Supported")

    driver = nvml(nvmlDeviceGetMemoryInfo=memory)
    reader = GpuReader(1.0, 1.0, lambda: Readings(1.0, 4), driver)
    reader._publish(*reader._read())
    assert not reader.view()[0][0].lost
    fallen = True
    reader._publish(*reader._read())
    found = reader.view()[0][0]
    assert (found.lost, found.name, found.fault) == (True, "Fake GPU", "GPU is lost")


def two(script: Path, **engine: object) -> tuple[Settings, tuple[str, ...]]:
    plain = with_vectors(**engine).model_dump()
    plain["host"] |= {"device": "cpu,cpu"}
    return Settings.model_validate(plain), host(script)


def both_ready(snapshot: Snapshot) -> bool:
    return [view.state for view in snapshot.hosts] == ["ready", "ready"]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script"
    path.write_text("")
    return path


@contextmanager
def under_way(bench: Bench, script: Path, tmp_path: Path) -> Iterator[tuple[Driven, Path]]:
    """Run a video that ends when the file which is given is there, with two hosts; one that is out stays so."""
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options, program = two(script, retry_pause_s=1000.0, retry_pause_max_s=1000.0)
    with bench.engine(options, FAKE_WORKER, program) as driven:
        driven.engine.send(bench.start(options))
        driven.until(both_ready)
        yield driven, gate


def test_a_host_that_is_shown_its_gpu_alone_calls_it_what_the_operator_does(
    bench: Bench, script: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    options, program = with_vectors(), host(script)
    with bench.engine(options, FAKE_WORKER, program) as driven:
        orders = driven.engine._orders
        assert orders is not None
        orders._core.hosts._gpus = lambda: TWO
        driven.engine.send(bench.start(options))
        seen = driven.until(both_ready)
        assert [view.device for view in seen.hosts] == ["cuda:0", "cuda:1"]
        assert [model.device for view in seen.hosts for model in view.served] == ["cuda:0", "cuda:1"]
        gate.touch()
        driven.until_done()
    assert json.loads((bench.out / "run.json").read_text())["machine"]["device"] == "cuda:0, cuda:1"


def test_each_device_has_a_host_and_one_that_fails_for_good_is_taken_out(
    bench: Bench, script: Path, tmp_path: Path
) -> None:
    with under_way(bench, script, tmp_path) as (driven, gate):
        assert len(pids(script)) == 2
        script.write_text("dead\n" * 3)
        os.kill(pids(script)[0], signal.SIGKILL)
        out = driven.until(lambda seen: "out" in {view.state for view in seen.hosts})
        assert sorted(view.state for view in out.hosts) == ["out", "ready"]
        assert out.run and out.run.state is RunState.RUNNING, "the other does its work"
        told = [note.text for note in out.notices if "is taken out, its work goes to cpu (host " in note.text]
        assert len(told) == 1 and "CUDA is not there" in told[0]
        gate.touch()
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)


def test_the_run_is_held_up_when_all_are_out_and_goes_on_with_the_first_that_is_back(
    bench: Bench, script: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    bench.video("a.mp4", f"gate {gate}")
    script.write_text("dead\n" * 7)
    options, program = two(script, retry_pause_s=0.3)
    with bench.engine(options, FAKE_WORKER, program) as driven:
        driven.engine.send(bench.start(options))
        driven.until(lambda seen: seen.run and seen.run.state is RunState.PAUSED)
        again = driven.until(both_ready)
        texts = [note.text for note in again.notices]
        assert any("model host is back" in text for text in texts)
        assert any("is back and is given work again" in text for text in texts)
        gate.touch()
        done = driven.until_done()
    assert (done.jobs[0].state, done.jobs[0].attempts) == (JobState.DONE, 1)


def test_a_gpu_that_nvml_says_is_gone_is_taken_out_without_the_usual_restarts(
    bench: Bench, script: Path, tmp_path: Path
) -> None:
    with under_way(bench, script, tmp_path) as (driven, gate):
        orders = driven.engine._orders
        assert orders is not None
        hosts = orders._core.hosts
        hosts._members[1].device = Device("cuda:1", "GPU-1", 1)
        hosts._gpus = lambda: (gpu(0), gpu(1, lost=True))
        out = driven.until(lambda seen: [view.state for view in seen.hosts] == ["ready", "out"])
        assert "NVML says that the GPU has fallen off the bus" in out.hosts[1].note
        assert len(pids(script)) == 2, "it is not started again at once"
        gate.touch()
        driven.until_done()


def test_a_video_goes_to_the_host_with_the_fewest_under_way(bench: Bench, script: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    for name in "abcd":
        bench.video(f"{name}.mp4", f"gate {gate}")
    options, program = two(script, workers=4)
    with bench.engine(options, FAKE_WORKER, program) as driven:
        driven.engine.send(bench.start(options))
        driven.until(lambda seen: seen.run and dict(seen.run.counts).get(JobState.RUNNING) == 4)
        orders = driven.engine._orders
        assert orders is not None
        taken = [worker.running.host for worker in orders._core.pool.running() if worker.running]
        assert sorted(taken) == [0, 0, 1, 1]
        gate.touch()
        driven.until_done()
