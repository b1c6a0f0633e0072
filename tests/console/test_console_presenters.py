"""What the screen says, as plain strings and with no app."""

from dataclasses import replace

import pytest
from console_script import HOSTILE, MACHINE, NAMES, PLAN, busy, failure, interrupted_before, job, run_view, stage_views
from rich.cells import cell_len

from pipeline.engine.faults import Fault, Trouble
from pipeline.machine import GpuView, HostView, ModelView
from pipeline.model import STAGES, FailureClass, JobState, RunKind, RunState, Stage
from pipeline.snapshot import Notice, Snapshot, StageView, WorkerView
from pipeline.text import clock
from screens.presenters.devices import devices
from screens.presenters.failures import failure_row, failures_empty
from screens.presenters.header import header
from screens.presenters.keys import key_labels
from screens.presenters.queue import queue_empty, queue_heading, queue_row, queue_title
from screens.presenters.stages import stages
from screens.presenters.words import JOB_SIGNS, RUN_SIGNS, about, bar, graph, size, spark
from screens.widgets.keyline import key_line
from screens.widgets.outside import Line, fit, line_width, wrap

WIDTHS = (31, 43, 58, 79, 85, 138)


def text(line: Line) -> str:
    return "".join(part.text for part in line)


def page(lines: tuple[Line, ...]) -> str:
    return "\n".join(text(line) for line in lines)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (75.4, "1:15"), (3671, "1:01:11"), (400_000, "4 d 15 h"), (-5, "0:00")]
)
def test_a_clock_is_short_and_never_negative(seconds: float, said: str) -> None:
    assert clock(seconds) == said


@pytest.mark.parametrize(("seconds", "said"), [(12, "12 s"), (830, "14 min"), (9000, "2.5 h"), (300_000, "3.5 days")])
def test_a_guess_of_time_has_no_false_precision(seconds: float, said: str) -> None:
    assert about(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (1023, "1.0 KiB"), (2**30, "1.0 GiB"), (250 * 2**30, "250 GiB")]
)
def test_bytes_have_about_three_figures(count: int, said: str) -> None:
    assert size(count) == said


def test_a_bar_moves_in_half_cells_and_reads_without_colour() -> None:
    assert text(bar(0.0, 4)) == "────"
    assert text(bar(0.5, 4)) == "━━──"
    assert text(bar(0.62, 4)) == "━━╸─"
    assert text(bar(7.0, 4)) == "━━━━"


def test_a_graph_shows_the_newest_values_to_scale() -> None:
    assert spark((0.0, 0.5, 1.0), 3, top=1.0) == "▁▄█"
    assert spark((9.0, 0.0, 9.0), 2) == "▁█"
    assert graph((0.25, 1.0), 2, 2, top=1.0) == [" █", "▄█"]


def test_a_long_name_keeps_both_ends_and_its_width() -> None:
    assert fit("archive/interview_part_two.mov", 17) == "archi…art_two.mov"
    assert cell_len(fit("動画動画動画動画.mp4", 11)) == 11


def test_wrapping_breaks_at_spaces_and_cuts_only_words_that_do_not_fit() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("abcdefghij kl", 4) == ["abcd", "efgh", "ij", "kl"]


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("width", WIDTHS)
def test_each_state_is_told_by_sign_and_word(state: JobState, width: int) -> None:
    row = queue_row(job(1, state, stage=None), width)
    assert text(row).startswith(f"{JOB_SIGNS[state][0]} ")
    assert state.value in text(row)
    assert line_width(row) == width


def test_signs_differ_between_states() -> None:
    assert len({sign for sign, _ in JOB_SIGNS.values()}) == len(JobState) == len(JOB_SIGNS)
    assert len({sign for sign, _ in RUN_SIGNS.values()}) == len(RunState) == len(RUN_SIGNS)


def test_a_running_row_names_its_stage_and_share() -> None:
    row = text(queue_row(job(1, JobState.RUNNING, stage=Stage.SCENES, progress=0.62, rate=18.2), 85))
    assert "scenes" in row
    assert "62%" in row
    assert "18.2×" in row


def test_a_row_says_why_it_was_skipped_or_failed() -> None:
    assert "duplicate of a.mp4" in text(queue_row(job(1, JobState.SKIPPED, note="duplicate of a.mp4"), 85))
    failed = job(1, JobState.FAILED, failure=FailureClass.OUT_OF_MEMORY)
    assert "out of" in text(queue_row(failed, 43))


def test_the_heading_stands_over_its_columns() -> None:
    heading = queue_heading(85)
    assert heading is not None
    row = text(queue_row(job(1, JobState.RUNNING, stage=Stage.PROBE, name="a.mp4"), 85))
    assert text(heading).index("video") == row.index("a.mp4")
    assert queue_heading(43) is None


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_names_never_change_the_width_or_hide(name: str, width: int) -> None:
    for row in (queue_row(job(1, name=name), width), failure_row(failure(1, name=name, message=name), width)):
        assert line_width(row) == width
        assert all(part.text.isprintable() for part in row)


def test_the_header_tells_state_progress_counts_and_times() -> None:
    said = page(header(busy(), 138))
    for word in ("running", "extract · standard", "/data/videos", "elapsed 20:34", "20% of 59", "8 done", "1 partial"):
        assert word in said
    for word in ("1 quarantined", "1 skipped", "ETA 14 min (11 to 19 min)", "18.2× real time", "read 41.0 GiB"):
        assert word in said
    assert "scenes holds the run up" in said


@pytest.mark.parametrize("width", WIDTHS[1:])
def test_the_header_is_four_lines_that_fit(width: int) -> None:
    for snapshot in (busy(), interrupted_before(), Snapshot()):
        lines = header(snapshot, width)
        assert len(lines) == 4
        if width >= 58:
            assert all(line_width(line) <= width for line in lines)


def test_a_narrow_header_counts_quarantined_as_failed_and_partial_as_done() -> None:
    said = text(header(busy(), 79)[1])
    assert "✓ 9 done" in said
    assert "✗ 2 failed" in said


def test_a_pause_by_the_surroundings_says_why() -> None:
    snapshot = busy()
    run = run_view(snapshot.jobs, state=RunState.PAUSED, paused_because="the output volume is full")
    assert "‖ the output volume is full" in page(header(replace(snapshot, run=run), 79))


@pytest.mark.parametrize("fault", [Fault.OUT_GONE, Fault.OUT_REFUSES, Fault.GPU, Fault.PROCESSES])
def test_why_a_run_is_held_up_is_told_whole_at_80_columns(fault: Fault) -> None:
    trouble = str(Trouble(fault, b"/mnt/archive/features"))
    run = run_view(busy().jobs, state=RunState.PAUSED, paused_because=trouble)
    lines = header(replace(busy(), run=run), 79)
    assert len(lines) == 4
    assert " ".join(text(line).strip() for line in lines[2:]) == f"‖ {trouble}"


def test_a_fresh_warning_is_shown_and_an_old_one_is_not() -> None:
    note = Notice(at_s=1_763_700_095.0, level="warning", text="worker 1 died and was replaced")
    assert "! worker 1 died" in page(header(replace(busy(), notices=(note,)), 79))
    old = replace(note, at_s=1_763_690_000.0)
    assert "worker 1 died" not in page(header(replace(busy(), notices=(old,)), 79))


def test_a_fatal_engine_is_told_before_anything_else() -> None:
    assert "✗ the engine can go no further: disk gone" in page(header(replace(busy(), fatal="disk gone"), 79))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (RunState.DONE, "finished; outputs in /data/videos-features"),
        (RunState.CANCELLED, "cancelled; outputs in /data/videos-features"),
        (RunState.INTERRUPTED, "go on with this run"),
    ],
)
def test_the_end_of_a_run_says_so_and_where_the_outputs_are(state: RunState, said: str) -> None:
    snapshot = busy()
    lines = page(header(replace(snapshot, run=run_view(snapshot.jobs, state=state)), 79))
    assert said in lines
    assert "ETA" not in lines


def test_no_eta_is_made_up() -> None:
    jobs = busy().jobs
    unknown = replace(busy(), run=run_view(jobs, eta_s=None))
    assert "ETA not known yet" in page(header(unknown, 79))
    looking = replace(busy(), run=run_view(jobs, discovering=True))
    assert "looking for videos: 59 so far" in page(header(looking, 79))


def test_leaving_says_what_is_waited_for() -> None:
    assert "leaving once what runs now is done (2 videos)" in page(header(busy(), 79, leaving=True))


def test_an_empty_queue_invites_and_offers_to_resume() -> None:
    assert "new run" in page(queue_empty(Snapshot(), ""))
    assert "go on with run 6" in page(queue_empty(interrupted_before(), ""))
    assert "Run 6 was interrupted" in page(header(interrupted_before(), 79))
    over = replace(interrupted_before(), runs=(replace(interrupted_before().runs[0], state=RunState.DONE),))
    assert "Run 6 was the last and is done: extract · quick, 655 videos, 3 failed" in page(header(over, 79))
    assert "the runs there have been" in page(queue_empty(over, ""))
    assert "No run yet." in page(header(Snapshot(), 79))
    assert "No video contains “abc”" in page(queue_empty(busy(), "abc"))


def test_the_queue_title_counts() -> None:
    assert queue_title(busy(), 59, "") == "2 running, 45 to do"
    assert queue_title(busy(), 4, "abc") == "/abc: 4 of 59"


@pytest.mark.parametrize("width", WIDTHS)
def test_stages_fit_and_show_the_essentials(width: int) -> None:
    lines = stages(busy(), width, 8)
    assert len(lines) == 1 + len(stage_views())
    assert all(line_width(line) <= width for line in lines)
    assert "412" in text(lines[3])
    assert "92%" in text(lines[3])
    assert ("p95" in text(lines[0])) == (width >= 44)


def test_the_stages_of_a_transcode_have_their_whole_names_on_a_small_screen() -> None:
    views = tuple(StageView(stage, 3, 1.5, 2.0, 0.1, 0.2, 4, 0.4, 0) for stage in STAGES[RunKind.TRANSCODE])
    lines = stages(Snapshot(stages=views), 31, 8)
    assert [text(line).split()[0] for line in lines[1:]] == ["probe", "transcode", "verify"]
    assert all(line_width(line) <= 31 for line in lines)


def test_without_a_gpu_the_cpu_is_large() -> None:
    said = page(devices(busy(), 50, 28))
    assert said.count("█") > 50
    assert "94%" in said
    assert "3.4/8.0 GiB" in said
    assert "no GPU: NVML is not on this machine" in said
    assert PLAN.sentence in said


def test_gauges_before_the_first_measurement_are_not_zero() -> None:
    assert "0%" not in page(devices(Snapshot(), 50, 28))


def test_a_card_shows_its_sensors_and_a_dash_for_a_missing_one() -> None:
    card = GpuView(0, "NVIDIA H100", 0.31, 22 * 2**30, 80 * 2**30, None, 0.45, 61.0, None)
    said = page(devices(replace(busy(), machine=replace(MACHINE, gpus=(card,))), 50, 28))
    for word in ("GPU 0  NVIDIA H100", "31%", "22.0/80.0 GiB", "decoder 45%", "encoder –", "61 °C"):
        assert word in said


def test_a_card_tells_what_holds_its_clocks_down_and_for_whom_it_works() -> None:
    card = GpuView(0, "NVIDIA H100", 0.31, 22 * 2**30, 80 * 2**30, 0.0, 0.45, 61.0, 700.0, history=(0.2, 0.9))
    idle = replace(busy(), machine=replace(MACHINE, gpus=(card,)))
    assert [text(line) for line in devices(idle, 50, 28)[4:6]] == ["     clocks –".ljust(50), "for  –".ljust(50)]
    workers = (
        WorkerView(0, 11, "busy", job_id=13, stage=Stage.SCENES),
        WorkerView(1, 12, "waiting", job_id=14, stage=Stage.EMBED),
    )
    host = HostView(device="cuda:0", state="ready", busy_share=0.4)
    held = replace(card, throttle="power limit")
    said = page(devices(replace(idle, machine=replace(MACHINE, gpus=(held,)), workers=workers, hosts=(host,)), 60, 28))
    assert "held down: power limit" in said
    assert f"embed: {NAMES[4]}" in said
    assert NAMES[3] not in said
    elsewhere = replace(host, device="cuda:1")
    assert "embed:" not in page(devices(replace(idle, workers=workers, hosts=(elsewhere,)), 60, 28))


@pytest.mark.parametrize("cores", [2, 16, 192])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("gpus", [0, 1, 8])
def test_devices_fit_and_show_every_core(gpus: int, width: int, cores: int) -> None:
    card = GpuView(0, "NVIDIA H100", 0.31, 22 * 2**30, 80 * 2**30, 0.0, 0.45, 61.0, 700.0, history=(0.2, 0.9))
    machine = replace(MACHINE, gpus=(card,) * gpus, cpu_per_core=(0.5,) * cores)
    lines = devices(replace(busy(), machine=machine), width, 400)
    assert all(line_width(line) <= width for line in lines)
    said = page(lines)
    columns = [line for line in map(text, lines) if set(line) == {" ", "▄"}]
    assert said.count(" 50%") == cores or sum(line.count("▄") for line in columns) >= cores


def test_stages_take_the_room_there_is_for_graphs() -> None:
    lines = stages(busy(), 140, 40)
    assert 30 < len(lines) <= 40
    assert all(line_width(line) <= 140 for line in lines)


def test_a_lost_card_is_told_in_words() -> None:
    card = GpuView(1, "NVIDIA H100", None, None, None, None, None, None, None, fault="fell off the bus")
    assert "✗ fell off the bus" in page(devices(replace(busy(), machine=replace(MACHINE, gpus=(card,))), 31, 7))


def test_a_host_in_trouble_says_so() -> None:
    host = HostView(device="cuda:0", state="restarting", restarts=2, note="the device was poisoned")
    said = page(devices(replace(busy(), hosts=(host,)), 50, 28))
    assert "cuda:0 restarting · 2 restarts" in said
    assert "the device was poisoned" in said


def test_a_host_tells_its_queue_and_how_it_spends_its_time() -> None:
    model = ModelView("clip-vit-b-32", "cuda:0", "bf16", 64, 1.0, pictures_done=9000)
    host = HostView(
        "cuda:0", "ready", queue_pictures=1234, busy_share=0.6, copying_share=0.1, pictures_per_s=250.0, served=(model,)
    )
    gone = HostView("cuda:1", "out", note="its device failed")
    said = page(devices(replace(busy(), hosts=(host, gone)), 50, 28))
    assert "cuda:0 ready · 250/s · queue 1,234" in said
    assert "computes 50% · waits 40% · copies 10%" in said
    assert "clip-vit-b-32 · bf16 · batch 64 · 9,000 done" in said
    assert "cuda:1 taken out" in said and "its device failed" in said


def test_models_that_take_turns_say_so_and_which_one_is_there() -> None:
    models = (
        ModelView("clip-vit-b-32", "cpu", "fp32", 16, 1.0, 900, "loaded", 605_000_000),
        ModelView("dinov2-small", "cpu", "int8", 8, 1.0, 880, "resting", 88_000_000, unloads=7, compiled=True),
        ModelView("rapidocr", "cpu", "fp32", 8, 1.0, 5, memory_bytes=None),
    )
    host = HostView("cpu", "ready", served=models, budget_bytes=640_000_000, unloads=13)
    said = page(devices(replace(busy(), hosts=(host,)), 60, 28))
    assert "cpu ready · models in turn · queue 0" in said
    assert "models take turns in 610 MiB: 13 changes" in said
    assert "clip-vit-b-32 · loaded · 577 MiB · fp32 · batch 16" in said
    assert "dinov2-small · resting · 83.9 MiB · int8 · compiled" in said
    assert "rapidocr · loaded · memory unknown · fp32 · batch 8" in said, "what nobody counts is not nothing"
    assert "dinov2-small · resting" in page(devices(replace(busy(), hosts=(host,)), 31, 7))
    alone = replace(host, unloads=0)
    assert "turn" not in page(devices(replace(busy(), hosts=(alone,)), 60, 28))


def test_no_failure_is_said_only_of_a_run() -> None:
    assert "Nothing has failed" in page(failures_empty(busy()))
    assert "Nothing has failed" not in page(failures_empty(Snapshot()))


@pytest.mark.parametrize(
    ("state", "hidden", "pause"),
    [(RunState.RUNNING, False, None), (RunState.PAUSED, False, "go on"), (RunState.DONE, True, "")],
)
def test_the_key_line_offers_only_what_would_do_something(state: RunState, hidden: bool, pause: str | None) -> None:
    labels = key_labels(replace(busy(), run=run_view(busy().jobs, state=state)))
    assert (labels.get("run.cancel") == "") == hidden
    assert labels.get("run.pause") == pause
    assert key_labels(Snapshot())["run.retry"] == ""


@pytest.mark.parametrize("width", [20, 60, 80, 140])
def test_the_key_line_fits_and_keeps_help_and_quit(width: int) -> None:
    line = key_line(("monitor", "anywhere"), width, {})
    assert line_width(line) <= width + 2
    if width >= 60:
        assert "? help" in text(line)
        assert "q quit" in text(line)
