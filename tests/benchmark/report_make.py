"""Reports made up for the tests."""

from collections.abc import Sequence
from typing import Any

from pipeline.benchmark.report import Gpu, GpuFacts, Machine, Method, Output, Rates, Report, Result, Sample
from pipeline.benchmark.statistics import outliers, stable, statistics_of, windows

STEADY = (0.1, 0.11, 0.1, 0.1, 0.1)


def result(name: str = "extractor toy image", times_s: Sequence[float] = STEADY, **fields: Any) -> Result:
    kind, target, kind_of_input, *_ = name.split()
    values = {
        "name": name,
        "kind": kind,
        "target": target,
        "input": kind_of_input,
        "parameters": {},
        "unit": "picture",
        "items": 1,
        "load_s": 1.5,
        "first_s": 0.3,
        "warmup_s": (0.2,),
        "times_s": tuple(times_s),
        "outliers": outliers(times_s),
        "statistics": statistics_of(times_s),
        "rates": Rates(items_per_s=len(times_s) / sum(times_s)),
        "stable": stable(windows(times_s)),
        "windows_s": windows(times_s),
        "stages": {},
        "floor": None,
        "samples": (),
        "output": Output(),
        "errors": {},
        "reasons": (),
    }
    return Result(**{**values, **fields})


def sample(at_s: float = 0.2, other_cores: float = 0.0, **gpu: Any) -> Sample:
    card = {"index": 0, "utilisation": 0.5, "memory_bytes": 10**9, "power_w": 300.0, "clock_mhz": 1980, "throttle": ""}
    return Sample(
        at_s=at_s, client_bytes=10**8, worker_bytes=0, host_bytes=2 * 10**8, cpu_cores=1.0, other_cores=other_cores,
        gpus=(Gpu(**{**card, **gpu}),),
    )  # fmt: skip


def report(*results: Result, **fields: Any) -> Report:
    here = Machine(
        host="box",
        system="Linux 6",
        cpu="a CPU",
        cores=2,
        memory_bytes=2**33,
        gpus=(GpuFacts(name="a GPU", memory_bytes=2**34),),
        driver="570.1",
        versions={"python": "3.11"},
        commit="abc",
    )
    values = {
        "created_utc": "2026-11-21T12:00:00+00:00",
        "elapsed_s": 12.0,
        "complete": True,
        "command": ("vconsole", "benchmark"),
        "method": Method(),
        "settings": {"host.device": "cpu"},
        "machine": here,
        "results": results,
        "missing": (),
    }
    return Report(**{**values, **fields})


def report_without_gpu(*results: Result, **fields: Any) -> Report:
    made = report(*results, **fields)
    return made.model_copy(update={"machine": made.machine.model_copy(update={"gpus": ()})})
