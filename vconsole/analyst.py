"""Analyses for the console: what lies in an output folder, and a child process that makes one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from pipeline.analysis_report import Analysis, AnalysisStep
from pipeline.settings import Settings
from screens.ports import Refusal

REPORT = "analysis.json"


class Analyst:
    """Reads analyses, and makes them by the settings as they were read last."""

    def __init__(self, settings: Callable[[], Settings], state_dir: Path) -> None:
        self._settings = settings
        self._state_dir = state_dir

    def known(self, out: str) -> Analysis | Refusal | None:
        """Return the analysis that lies in an output folder, None if there is none."""
        path = Path(out) / REPORT
        try:
            return Analysis.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            return Refusal(f"{path} cannot be read: {error.strerror}.")
        except ValidationError:
            return Refusal(f"{path} is no analysis of this version.", "Analyse again.")

    def analyse(self, run_id: int) -> "Analysing":
        """Begin to analyse the outputs of a run."""
        settings = self._settings()
        sets = [f"analysis.{name}={value}" for name, value in settings.analysis.model_dump().items()]
        sets.append(f"engine.workers={settings.engine.workers}")
        return Analysing(run_id, self._state_dir, sets)


class Analysing:
    """One `vconsole analysis` in a process of its own: reading thousands of files must not slow the console."""

    def __init__(self, run_id: int, state_dir: Path, sets: list[str]) -> None:
        words = [word for one in sets for word in ("--set", one)]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "vconsole", "analysis", "--run", str(run_id), "--json", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True, env={**os.environ, "VCONSOLE_STATE_DIR": str(state_dir)},
        )  # fmt: skip
        self._closed = False

    def steps(self) -> Iterator[AnalysisStep]:
        """Yield how far it is, last that it is over; blocks in between."""
        assert self._process.stdout is not None
        failure = ""
        with self._process.stdout as lines:
            for event in map(json.loads, lines):
                if event["event"] == "progress":
                    yield AnalysisStep(int(event["done"]), int(event["of"]))
                elif "error" in event:
                    failure = f"{event['error']} {event['remedy']}".strip()
        code = self._process.wait()
        if code not in (0, 1) and not failure:
            failure = "It was stopped." if self._closed else f"It ended ({code})."
        yield AnalysisStep(failure=failure, over=True)

    def close(self) -> None:
        """End it, from any thread; the reports stay as they were."""
        self._closed = True
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
