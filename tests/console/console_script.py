"""A scripted engine: it shows the snapshots a test gives it and keeps the commands it was sent."""

import html
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from pipeline.commands import Command, StartRun
from pipeline.health import Check, Grade, Health
from pipeline.history import History, PastRun, RunDetails, SettingValue, StageTime
from pipeline.job_facts import AttemptFacts, JobFacts
from pipeline.job_pictures import Album as JobAlbum
from pipeline.machine import HostView, MachineView
from pipeline.model import STAGES, FailureClass, JobState, RunKind, RunState, Stage
from pipeline.settings import PRESETS, Settings, with_preset
from pipeline.snapshot import FailureRow, JobRow, Notice, RunSummary, RunView, Snapshot, StageView, WorkerPlan
from screens.ports import Album, Exported, FailedVideos, JobReader, Planning, Ports, Refusal
from screens.ports import Analyst as AnalystPort
from screens.ports import Classes as ClassesPort
from screens.ports import Lab as LabPort
from screens.ports import Shelf as ShelfPort
from screens.widgets.lines import LineView
from vconsole.analyst import Analyst
from vconsole.app import ConsoleApp
from vconsole.classes import ClassDesk
from vconsole.house import Building, House
from vconsole.keymap import checked
from vconsole.lab import LabDesk
from vconsole.looks import looks
from vconsole.planning import Planner
from vconsole.settings_file import SettingsFile
from vconsole.shelf import Shelf

SMALL, LARGE = (80, 24), (140, 45)

HOSTILE = (
    "[/]",
    "[/",
    "[red]warm[/red].mp4",
    "[@click=app.quit]press.mp4",
    "esc\x1b[2J\x1b]52;c;aGk=\x07.mp4",
    "two\nlines\ttab.mp4",
    "left\u202etxt.4pm",
    "c1\x9b31m.mp4",
    "not-utf8-\udcff\udcfe.mp4",
    "nul\x00.mp4",
    "wide-動画-映像.mp4",
    "x" * 250,
)
"""Names that would harm a terminal or a markup parser."""


class ScriptedEngine:
    """Gives `snapshot`, keeps `sent`, and counts how it was closed."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or Snapshot(serial=1, machine=MACHINE)
        self.sent: list[Command] = []
        self.closed: list[bool] = []
        self.may_close = threading.Event()
        self.may_close.set()

    def latest(self) -> Snapshot:
        return self.snapshot

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def close(self, *, now: bool = False) -> None:
        self.closed.append(now)
        if not now:
            self.may_close.wait(20)

    def change(self, **parts: Any) -> None:
        """Publish a newer snapshot that differs in these parts."""
        self.snapshot = replace(self.snapshot, serial=self.snapshot.serial + 1, **parts)


class ScriptedExamination:
    """Gives the reports of a test, one each time it is let."""

    def __init__(self, *reports: Health) -> None:
        self._reports = reports or (HEALTH,)
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.closed = False

    def steps(self) -> Iterator[Health]:
        for report in self._reports:
            yield report
            self.may_go_on.wait(20)

    def close(self) -> None:
        self.closed = True
        self.may_go_on.set()


class ScriptedHistory:
    """Remembers the runs and details that a test gives it; the checks of a run pass unless a refusal is given."""

    def __init__(self, *facts: RunDetails, refusal: Refusal | None = None) -> None:
        self.facts = {one.run.run_id: one for one in facts}
        self.refusal = refusal
        self.listed = 0

    def runs(self) -> History | Refusal:
        self.listed += 1
        runs = tuple(one.run for one in sorted(self.facts.values(), key=lambda one: -one.run.run_id))
        return History(runs, len(runs))

    def details(self, run_id: int) -> RunDetails | Refusal:
        return self.facts[run_id]

    def again(self, run_id: int) -> StartRun | Refusal:
        run = self.facts[run_id].run
        settings = with_preset(Settings(), "standard")
        inputs = tuple(map(os.fsencode, run.inputs))
        return self.refusal or StartRun(run.kind, inputs, os.fsencode(run.out), run.preset, settings)


def app_over(
    engine: ScriptedEngine,
    *,
    planning: Planning | None = None,
    theme: str = "vconsole-dark",
    settings: Settings | None = None,
    own_themes: Path | None = None,
    examine: Callable[[], ScriptedExamination] = ScriptedExamination,
    failed: FailedVideos | None = None,
    job_facts: JobReader | None = None,
    keep: Callable[[str], str] = str,
    store: SettingsFile | None = None,
    history: ScriptedHistory | None = None,
    album: Callable[[], Album] = JobAlbum,
    shelf: ShelfPort | None = None,
    lab: LabPort | None = None,
    analyst: AnalystPort | None = None,
    classes: ClassesPort | None = None,
) -> ConsoleApp:
    """Return the console over a scripted engine; new runs are really planned, with no ledger."""
    settings = settings or Settings.model_validate({"console": {"theme": theme, "refresh_hz": 20}})

    ports = Ports(
        source=engine,
        planning=planning or Planner(lambda: settings, Path("/nowhere")),
        presets={**PRESETS, **settings.presets},
        settings=store or SettingsFile(environ={}),
        history=history or ScriptedHistory(),
        refresh_hz=settings.console.refresh_hz,
        job_facts=job_facts or partial(facts_of, engine),
        album=album,
        keep=keep,
        examine=examine,
        failed=failed or ScriptedLedger(engine),
        shelf=shelf or Shelf(lambda: settings, Path("/nowhere")),
        lab=lab or LabDesk(lambda: settings, Path("/nowhere")),
        analyst=analyst or Analyst(lambda: settings, Path("/nowhere")),
        classes=classes or ClassDesk(lambda: settings),
    )
    house = House(engine, settings, ports, checked(settings.keys))
    return ConsoleApp(Building(house), settings.console.theme, looks(own_themes))


def facts_of(engine: ScriptedEngine, job_id: int) -> JobFacts | Refusal:
    """Return what a ledger would tell of a job of the snapshot; of its outputs it knows nothing."""
    row = next((row for row in engine.snapshot.jobs if row.job_id == job_id), None)
    if row is None:
        return Refusal(f"the ledger has no video with number {job_id}")
    failure = next((failure for failure in engine.snapshot.failures if failure.job_id == job_id), None)
    began_s = 1_763_699_900.0
    attempts = tuple(
        AttemptFacts(number + 1, str(row.state), row.failure, row.note, began_s, began_s + 12.5)
        for number in range(row.attempts)
    )
    return JobFacts(
        job_id=job_id,
        run_id=7,
        kind=RunKind.EXTRACT,
        preset="standard",
        state=row.state,
        source=f"/data/videos/{row.name}",
        name=row.name,
        size_bytes=80 << 20,
        attempts_charged=row.attempts,
        reused=False,
        failure=row.failure,
        stage=failure.stage if failure else None,
        message=failure.message if failure else row.note,
        remedy=failure.remedy if failure else "",
        detail=failure.detail if failure else "",
        reason="",
        ended_s=0.0,
        streams=None,
        seconds=(),
        attempts=attempts,
        outputs=(),
        timeline=None,
        timeline_note="There are no features yet.",
        saved_as="",
        pictures_folder="/data/videos-features/frames",
    )


HEALTH = Health(
    (
        Check("terminal", "size", Grade.OK, "80 x 24"),
        Check("libraries", "torch", Grade.OK, "2.13.0+cpu, built for the CPU"),
        Check("codecs", "H.264", Grade.OK, "libx264 encodes, h264 decodes"),
        Check("codecs", "AV1", Grade.FAULT, "The check failed: its process crashed (SIGSEGV).", "Install av again."),
        Check(
            "models",
            "clip-vit-b-32",
            Grade.WARNING,
            "the weights of model clip-vit-b-32 are not on this machine; looked in /home/me/.cache/huggingface/hub",
            "Either fetch them: `vconsole models fetch clip-vit-b-32`; or do without vectors: `--preset scenes`.",
        ),
    ),
    elapsed_s=21.0,
)


class ScriptedLedger:
    """Has an engine's videos in `folder`, and keeps in memory what is asked of it."""

    def __init__(self, engine: ScriptedEngine, folder: Path = Path("/data/videos")) -> None:
        self._engine = engine
        self._folder = folder
        self.kept: dict[int, frozenset[int]] = {}
        self.exported: list[tuple[int, bytes, frozenset[int]]] = []

    def sources(self, job_ids: Iterable[int]) -> tuple[bytes, ...] | Refusal:
        names = {row.job_id: row.name for row in self._engine.snapshot.jobs}
        return tuple(os.fsencode(self._folder / names[job_id]) for job_id in job_ids)

    def export(self, run_id: int, folder: bytes, dismissed: frozenset[int]) -> Exported | Refusal:
        self.exported.append((run_id, folder, dismissed))
        return Exported(3, (folder + b"/failed.json", folder + b"/failed.csv"))

    def dismissed(self, run_id: int) -> frozenset[int]:
        return self.kept.get(run_id, frozenset())

    def dismiss(self, run_id: int, job_ids: frozenset[int]) -> Refusal | None:
        self.kept[run_id] = job_ids
        return None


MACHINE = MachineView(
    cpu_share=0.91,
    cpu_per_core=(0.94, 0.88),
    memory_used_bytes=int(3.4 * 2**30),
    memory_total_bytes=8 * 2**30,
    disk_free_bytes=121 * 2**30,
    disk_total_bytes=250 * 2**30,
    disk_read_bytes_per_s=14.2 * 2**20,
    disk_write_bytes_per_s=0.8 * 2**20,
    cpu_history=tuple(0.5 + 0.45 * ((i * 7) % 11) / 11 for i in range(120)),
    gpu_note="no GPU: NVML is not on this machine",
)

PLAN = WorkerPlan(
    workers=1,
    decode_threads=2,
    by_cores=1,
    by_memory=5,
    by_gpu=None,
    sentence="workers 1: cores allow 1, memory 5",
    cores=2,
    free_memory_bytes=21 * 2**30,
)

NAMES = (
    "2019/holiday-in-the-alps.mp4",
    "2019/rope-swing.mkv",
    "archive/interview_part_one.mov",
    "archive/interview_part_two.mov",
    "drone/field-0001.mp4",
    "drone/field-0002.mp4",
    "drone/field-0003.mp4",
    "lectures/week-03-optimisation.webm",
    "lectures/week-04-convexity.webm",
    "phone/VID_20240312_101112.mp4",
)

_MESSAGES = {
    FailureClass.CORRUPT: "the file ends in the middle of its index: moov atom not found",
    FailureClass.STALLED: "no progress for 60 s; its worker was ended",
    FailureClass.TOO_LARGE: "a picture has 67,108,864 pixels, 50,000,000 are allowed",
}


def job(job_id: int, state: JobState = JobState.QUEUED, **parts: Any) -> JobRow:
    """Return a row with a likely name and length."""
    known: dict[str, Any] = {"name": NAMES[job_id % len(NAMES)], "duration_s": 61.0 + 137 * (job_id % 9)}
    return JobRow(job_id=job_id, state=state, **(known | parts))


def failure(job_id: int, kind: FailureClass = FailureClass.CORRUPT, **parts: Any) -> FailureRow:
    """Return a failure with its sentence."""
    known: dict[str, Any] = {
        "name": NAMES[job_id % len(NAMES)],
        "state": JobState.QUARANTINED if kind is FailureClass.STALLED else JobState.FAILED,
        "failure": kind,
        "stage": Stage.PROBE,
        "message": _MESSAGES[kind],
        "remedy": "Copy or download the file again, or repair it with a transcode.",
        "attempts": 2,
        "at_s": 1_763_700_000.0,
        "detail": "av.error.InvalidDataError: [Errno 1094995529] Invalid data found when processing input",
    }
    return FailureRow(job_id=job_id, **(known | parts))


STANDARD = tuple(stage for stage in STAGES[RunKind.EXTRACT] if stage not in {Stage.TEXT, Stage.SPEECH})
"""The stages of a run with the preset standard."""


def stage_views() -> tuple[StageView, ...]:
    """Return what the stages of an extraction look like in mid-run."""
    busy = {"scenes": 0.92, "embed": 0.41, "frames": 0.05, "probe": 0.01}
    return tuple(
        StageView(
            stage=stage,
            done=380 + 3 * (7 - index),
            items_per_s=(1.2, 0.4, 412.0, 11.3, 11.1, 10.9, 0.4)[index],
            video_s_per_s=(0.0, 0.0, 18.2, 18.2, 18.2, 17.9, 18.0)[index],
            p50_s=(0.012, 0.18, 21.0, 0.4, 0.003, 3.1, 0.06)[index],
            p95_s=(0.05, 0.4, 96.0, 1.1, 0.01, 9.4, 0.11)[index],
            queue_depth=(0, 0, 251, 0, 0, 2, 0)[index],
            busy_share=busy.get(stage, 0.0),
            bytes_waiting=(0, 0, 0, 0, 0, 4_816_896, 0)[index],
            history=tuple(1.0 + ((i * 5 + index) % 9) for i in range(90)),
        )
        for index, stage in enumerate(STANDARD)
    )


def counts_of(jobs: tuple[JobRow, ...]) -> tuple[tuple[JobState, int], ...]:
    """Count jobs by state."""
    states = [row.state for row in jobs]
    return tuple((state, states.count(state)) for state in JobState if state in states)


def run_view(jobs: tuple[JobRow, ...], **parts: Any) -> RunView:
    """Return a run in mid-way over these jobs."""
    known: dict[str, Any] = {
        "run_id": 7,
        "kind": RunKind.EXTRACT,
        "state": RunState.RUNNING,
        "preset": "standard",
        "inputs": ("/data/videos",),
        "out": "/data/videos-features",
        "started_s": 1_763_699_000.0,
        "elapsed_s": 1234.0,
        "total": len(jobs),
        "counts": counts_of(jobs),
        "eta_s": 830.0,
        "eta_low_s": 660.0,
        "eta_high_s": 1140.0,
        "video_s_per_s": 18.2,
        "bytes_read": 41 * 2**30,
        "bytes_written": int(1.2 * 2**30),
        "bottleneck": "scenes holds the run up: 1 of 1 workers decode, the model host is 41 % busy",
    }
    return RunView(**(known | parts))


def busy() -> Snapshot:
    """Return a snapshot of a run in mid-way, with a bit of everything."""
    jobs = (
        *(job(i, JobState.DONE, scenes=12 + i, frames=31 + i, attempts=1) for i in range(1, 9)),
        job(9, JobState.FAILED, failure=FailureClass.CORRUPT, note=_MESSAGES[FailureClass.CORRUPT], attempts=1),
        job(10, JobState.QUARANTINED, failure=FailureClass.STALLED, note="no progress for 60 s, twice", attempts=2),
        job(11, JobState.PARTIAL, failure=FailureClass.CORRUPT, note="4.2 s lost at 0:31", frames=8, attempts=1),
        job(12, JobState.SKIPPED, note="duplicate of 2019/rope-swing.mkv"),
        job(13, JobState.RUNNING, stage=Stage.SCENES, progress=0.62, rate=18.2, attempts=1, worker=0),
        job(14, JobState.RUNNING, stage=Stage.EMBED, progress=0.91, attempts=1, worker=1, waiting_for="model host"),
        job(15, JobState.WAITING, attempts=1, waiting_for="try 2 in 8 s"),
        job(16, JobState.SETTLING, note="still being copied"),
        *(job(i) for i in range(17, 60)),
    )
    return Snapshot(
        serial=1,
        taken_s=1_763_700_100.0,
        run=run_view(jobs),
        jobs=jobs,
        failures=(failure(10, FailureClass.STALLED), failure(9)),
        stages=stage_views(),
        worker_plan=PLAN,
        hosts=(HostView(device="cpu", state="ready", models=("clip-vit-b-32",), batch_size=16, busy_share=0.41),),
        machine=MACHINE,
        notices=(Notice(at_s=1_763_699_900.0, level="info", text="worker 1 was replaced after 500 videos"),),
    )


def past_run(run_id: int, state: RunState = RunState.DONE, **parts: Any) -> PastRun:
    """Return a run of the history."""
    known: dict[str, Any] = {
        "kind": RunKind.EXTRACT,
        "preset": "standard",
        "inputs": ("/data/videos",),
        "out": "/data/videos-features",
        "force": False,
        "created_s": 1_763_600_000.0 + 9000 * run_id,
        "started_s": 1_763_600_001.0 + 9000 * run_id,
        "elapsed_s": 4000.0 + 60 * run_id,
        "counts": ((JobState.DONE, 640), (JobState.FAILED, 3), (JobState.SKIPPED, 12)),
    }
    return PastRun(run_id=run_id, state=state, **(known | parts))


def past_details(run: PastRun, **parts: Any) -> RunDetails:
    """Return what is remembered of a run: stages with times, one unusual setting, versions and a machine."""
    seconds = (8.0, 120.0, 2900.0, 240.0, 2.0, 1900.0, 40.0)
    known: dict[str, Any] = {
        "read_s": 1_763_700_000.0,
        "reused": 0,
        "at_work_s": 3600.0,
        "made_video_s": 14_600.0,
        "scenes": 7_440,
        "frames": 19_820,
        "source_bytes": 41 * 2**30,
        "output_bytes": int(1.2 * 2**30),
        "stages": tuple(
            StageTime(stage, 640, time_s, 14_600.0) for stage, time_s in zip(STANDARD, seconds, strict=True)
        ),
        "settings": (
            SettingValue("frames.frames_per_scene", "5", "3"),
            SettingValue("write.compression", "none", "none"),
        ),
        "versions": (("python", "3.11.7"), ("av", "18.1.0")),
        "machine": (("cores", "2"), ("memory_bytes", str(8 * 2**30))),
        "untold": "",
    }
    return RunDetails(run=run, **(known | parts))


def remembered() -> ScriptedHistory:
    """Return a history of runs in several states, of which 8 and 7 differ in a setting, a version and a rate."""
    eight = past_details(
        past_run(8, inputs=("/data/lectures", "/data/archive")),
        settings=(
            SettingValue("frames.frames_per_scene", "3", "3"),
            SettingValue("write.compression", "gzip", "none"),
        ),
        versions=(("python", "3.11.7"), ("av", "17.0.0")),
        stages=(StageTime(Stage.SCENES, 640, 1450.0, 14_600.0),),
    )
    six = past_run(6, RunState.INTERRUPTED, counts=((JobState.QUEUED, 400), (JobState.DONE, 255)))
    five = past_run(5, RunState.CANCELLED, inputs=(), counts=((JobState.CANCELLED, 9),), preset="quick")
    return ScriptedHistory(
        eight,
        past_details(past_run(7)),
        past_details(six),
        past_details(five, untold="There is no run.json in its output folder.", versions=(), machine=(), stages=()),
    )


def interrupted_before() -> Snapshot:
    """Return what a start finds after a run was interrupted."""
    earlier = RunSummary(
        run_id=6,
        kind=RunKind.EXTRACT,
        state=RunState.INTERRUPTED,
        preset="quick",
        out="/data/videos-features",
        created_s=1_763_600_000.0,
        total=655,
        failed=3,
    )
    return Snapshot(serial=1, machine=MACHINE, worker_plan=PLAN, runs=(earlier,))


async def until(pilot: Pilot[Any], reached: Callable[[], bool], limit_s: float = 20.0, told: str = "") -> None:
    """Let the app work until a condition holds."""
    deadline = time.monotonic() + limit_s
    while not reached():
        assert time.monotonic() < deadline, f"the condition never came to hold {told}"
        await pilot.pause(0.03)


def picture(app: ConsoleApp) -> str:
    """Return the words on the screen, with those of the screens below it."""
    strips = [strip for screen in app.screen_stack for strip in screen._compositor.render_strips()]
    return "\n".join(strip.text for strip in strips)


def words_of(svg: str) -> str:
    """Return the text of a screenshot, as a reader sees it."""
    return html.unescape(re.sub(r"<[^>]*>", "", svg)).replace("\xa0", " ")


def row_texts(view: LineView) -> list[str]:
    """Return what each row of a pane shows, as drawn."""
    return [view.render_line(y).text for y in range(view.size.height)]
