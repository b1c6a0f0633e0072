"""On a machine with a GPU: copying to it is a floor of its own."""

from pathlib import Path

import pytest

from pipeline.benchmark.report import read_report
from vconsole.__main__ import main

pytestmark = pytest.mark.gpu


def test_the_copy_to_the_gpu_is_a_floor_that_is_measured_and_shown(tmp_path: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    few = ["--iterations", "5", "--warmup-iterations", "1", "--min-seconds", "0"]
    assert main(["benchmark", "--floors", *few, "--output-report-prefix", str(tmp_path / "P")]) == 0
    (copied,) = (one for one in read_report(tmp_path / "P.json").results if one.kind == "copy")
    assert copied.rates.mb_per_s > 100
    assert copied.name in (tmp_path / "P.md").read_text()
