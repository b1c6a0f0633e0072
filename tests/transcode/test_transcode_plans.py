"""The pure parts: rates, pace, the clock of a file, what becomes of a picture and of a whole file."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcode_make import settings

from pipeline.errors import JobError
from pipeline.transcode import formats
from pipeline.transcode.account import joined
from pipeline.transcode.facts import AudioFacts, ClockFacts, DamageFacts, Decoded, MediaFacts, SubtitleFacts, VideoFacts
from pipeline.transcode.pace import ConstantPace, SourcePace
from pipeline.transcode.picture import plan_picture
from pipeline.transcode.problems import problems_of
from pipeline.transcode.rates import constant_rate
from pipeline.transcode.recipe import recipe
from pipeline.transcode.timeline import Timeline

VIDEO = VideoFacts(
    index=0,
    codec="h264",
    profile="High",
    tag="avc1",
    width=1920,
    height=1080,
    rotation_deg=0,
    mirrored=False,
    sar="1:1",
    pixel_format="yuv420p",
    bit_depth=8,
    range="tv",
    matrix="bt709",
    primaries="bt709",
    transfer="bt709",
    interlaced=False,
    field_order="",
    fps=25.0,
    header_fps=25.0,
    rate="25",
    variable=False,
    frames=250,
    hidden=0,
    keyframe_gap_s=2.0,
    start_s=0.0,
    duration_s=10.0,
    bit_rate=0,
    language="",
)
SOUND = AudioFacts(1, "aac", "LC", 2, "stereo", 48_000, "eng", "", True, 0.0, 10.0, 470, 128_000, True, -1)
WHOLE = DamageFacts(0, (), 0, 0, 0.0)
FACTS = MediaFacts(
    container="mov,mp4,m4a,3gp,3g2,mj2",
    format="mp4",
    size_bytes=1_000_000,
    header_duration_s=10.0,
    duration_s=10.0,
    start_s=0.0,
    video=VIDEO,
    other_videos=0,
    covers=0,
    audio=(SOUND,),
    subtitles=(),
    data=(),
    attachments=0,
    chapters=0,
    timecode="",
    title="",
    tags=(),
    index="front",
    is_picture=False,
    mark="",
    clock=ClockFacts(0, 0, 0, 0),
    damage=WHOLE,
)


def film(**video: Any) -> MediaFacts:
    return replace(FACTS, video=replace(VIDEO, **video))


def test_a_film_that_is_as_asked_conforms():
    plan = recipe(FACTS, settings())
    assert (plan.action, plan.reasons, plan.dropped) == ("conforms", (), ())


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (film(codec="hevc"), "it is hevc, not h264"),
        (film(variable=True), "its frame rate varies"),
        (film(rotation_deg=90), "its picture is turned by a flag"),
        (film(mirrored=True), "its picture is turned by a flag"),
        (film(sar="4:3"), "its pixels are not square (4:3)"),
        (film(interlaced=True), "it is interlaced"),
        (film(pixel_format="yuv422p10le", bit_depth=10), "its pixel format is yuv422p10le, not yuv420p"),
        (film(width=1919), "its size 1919 x 1080 is odd"),
        (film(keyframe_gap_s=5.0), "its keyframes are up to 5.0 s apart"),
        (film(hidden=3), "an edit list hides pictures of it"),
        (replace(FACTS, clock=ClockFacts(1, 0, 0, 0)), "its times go back, jump, repeat or are missing"),
        (replace(FACTS, damage=DamageFacts(1, (), 0, 0, 0.0)), "it is damaged"),
    ],
)
def test_what_makes_an_encode_necessary_is_told(facts: MediaFacts, reason: str):
    plan = recipe(facts, settings())
    assert plan.action == "encode" and reason in plan.video.reasons


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(FACTS, format="mkv", index=""), "it is mkv, not mp4"),
        (replace(FACTS, index="end"), "its index is at the end"),
        (replace(FACTS, index="fragments"), "it is in fragments"),
        (replace(FACTS, audio=(SOUND, replace(SOUND, index=2))), "it has 2 sound tracks, not 1"),
        (replace(FACTS, audio=(replace(SOUND, codec="mp3"),)), "its sound is mp3, not aac"),
        (replace(FACTS, audio=(replace(SOUND, channels=6),)), "its sound has 6 channels, not 2"),
        (replace(FACTS, audio=(replace(SOUND, lone_channel=0),)), "only one channel of its sound is heard"),
        (replace(FACTS, damage=replace(WHOLE, short_s=3.0)), "its header gives a wrong duration"),
    ],
)
def test_the_video_is_copied_where_only_something_else_is_wrong(facts: MediaFacts, reason: str):
    plan = recipe(facts, settings())
    assert plan.action == "remux" and plan.video.picture is None and reason in plan.reasons


def test_what_the_container_cannot_hold_is_named_as_dropped():
    facts = replace(
        FACTS,
        subtitles=(SubtitleFacts(2, "hdmv_pgs_subtitle", "eng", False), SubtitleFacts(3, "subrip", "eng", True)),
        data=("bin_data",),
        covers=1,
        attachments=2,
        other_videos=1,
    )
    plan = recipe(facts, settings())
    assert [subtitle.codec for subtitle in plan.subtitles] == ["mov_text"]
    assert plan.dropped == (
        "a second picture",
        "the cover",
        "subtitles (hdmv_pgs_subtitle), which mp4 cannot hold",
        "a data track (bin_data)",
        "attachments",
    )


def test_a_copy_without_times_or_into_the_wrong_container_is_refused():
    with pytest.raises(JobError, match="webm cannot hold h264"):
        recipe(FACTS, settings("remux", output_format="webm"))
    with pytest.raises(JobError, match="encode it"):
        recipe(replace(FACTS, clock=ClockFacts(0, 0, 5, 0)), settings("remux"))


@pytest.mark.parametrize(
    ("video", "values", "size"),
    [
        ({}, {"resolution": "854x480"}, (854, 480)),
        ({"width": 1080, "height": 1920}, {"resolution": "854x480"}, (270, 480)),
        ({"width": 640, "height": 360}, {"resolution": "854x480"}, (640, 360)),
        ({"width": 640, "height": 360}, {"resolution": "1280x720", "upscale": True}, (1280, 720)),
        ({"width": 720, "height": 576, "sar": "64:45"}, {}, (1024, 576)),
        ({"width": 720, "height": 480, "sar": "8:9"}, {}, (720, 540)),
        ({"width": 160, "height": 240, "sar": "1:2", "rotation_deg": 90}, {}, (480, 160)),
        ({"rotation_deg": 270}, {}, (1080, 1920)),
        ({"width": 1, "height": 1}, {}, (2, 2)),
        ({}, {"crop": "800:600:100:50"}, (800, 600)),
        ({}, {"crop": "9000:9000:1900:1000"}, (20, 80)),
    ],
)
def test_the_size_that_comes_out(video: dict[str, Any], values: dict[str, Any], size: tuple[int, int]):
    plan = plan_picture(replace(VIDEO, **video), settings(**values), None)
    assert (plan.width, plan.height) == size


@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    sar=st.sampled_from(["1:1", "4:3", "1:2", "64:45", "100:99", "2:1"]),
    turn=st.sampled_from([0, 90, 180, 270]),
    resolution=st.sampled_from(["", "854x480", "1x1", "9999x2"]),
)
def test_whatever_the_source_the_output_is_even_and_within_the_box(
    width: int, height: int, sar: str, turn: int, resolution: str
):
    found = replace(VIDEO, width=width, height=height, sar=sar, rotation_deg=turn)
    plan = plan_picture(found, settings(resolution=resolution), None)
    assert plan.width % 2 == 0 and plan.height % 2 == 0 and min(plan.width, plan.height) >= 2
    if resolution == "854x480":
        assert plan.width <= 854 and plan.height <= 480


def test_hdr_becomes_sdr_only_where_the_output_has_8_bits():
    hdr = replace(
        VIDEO, pixel_format="yuv420p10le", bit_depth=10, matrix="bt2020nc", primaries="bt2020", transfer="smpte2084"
    )
    plan = plan_picture(hdr, settings(), None)
    assert plan.to_sdr and (plan.matrix, plan.primaries, plan.transfer) == ("bt709", "bt709", "bt709")
    assert any("intent=perceptual" in arguments for name, arguments in plan.chain if name == "scale")
    kept = plan_picture(hdr, settings("archive"), None)
    assert not kept.to_sdr and (kept.pixel_format, kept.transfer) == ("yuv420p10le", "smpte2084")


def test_a_matrix_that_players_guess_by_the_size_is_written_down_where_the_size_class_changes():
    untold = replace(VIDEO, matrix="", primaries="", transfer="", range="")
    assert plan_picture(untold, settings(), None).matrix == ""
    assert plan_picture(untold, settings("proxy-480p"), None).matrix == "bt709"


@pytest.mark.parametrize(
    ("source", "encoder", "nearest"),
    [
        ("yuvj420p", "libx264", "yuv420p"),
        ("nv12", "libx264", "yuv420p"),
        ("rgb24", "libx264", "yuv444p"),
        ("yuv422p10le", "libsvtav1", "yuv420p10le"),
        ("yuv420p", "prores_ks", "yuv422p10le"),
        ("yuva444p10le", "prores_ks", "yuva444p10le"),
        ("yuv444p12le", "prores_ks", "yuv444p10le"),
        ("yuv420p10le", "hevc_nvenc", "p010le"),
    ],
)
def test_the_nearest_pixel_format_that_an_encoder_takes(source: str, encoder: str, nearest: str):
    assert formats.nearest(source, encoder) == nearest


@pytest.mark.parametrize(
    ("fps", "step_s", "variable", "rate"),
    [
        (29.97, 0.033, False, Fraction(30000, 1001)),
        (30.0, 0.033, False, Fraction(30)),
        (23.976, 0.042, False, Fraction(24000, 1001)),
        (12.34, 0.081, False, Fraction(617, 50)),
        (16.7, 0.04, True, Fraction(25)),
        (29.2, 1 / 30, True, Fraction(30)),
        (500.0, 0.002, True, Fraction(60)),
        (0.0, 0.0, False, Fraction(25)),
    ],
)
def test_the_constant_rate_nearest_to_a_video(fps: float, step_s: float, variable: bool, rate: Fraction):
    assert constant_rate(fps, step_s, [], variable=variable) == rate


def test_a_steady_film_passes_picture_by_picture_with_its_start_kept():
    pace = ConstantPace(Fraction(25), Fraction(1, 10_000))
    pace.first(0.02)
    ticks = [tick for number in range(1, 10) for tick in pace.shown(0.02 + number / 25)] + pace.last(0.42)
    assert ticks == [200 + 400 * number for number in range(10)]
    assert (pace.repeated, pace.left_out) == (0, 0)


@given(st.lists(st.floats(0.001, 0.4), min_size=1, max_size=100), st.sampled_from([10, 25, 60]))
def test_any_times_become_equal_steps_over_the_same_span(steps: list[float], rate: int):
    pace = ConstantPace(Fraction(rate), Fraction(1, 600 * rate))
    now = 0.0
    pace.first(now)
    ticks: list[int] = []
    for step in steps:
        now += step
        ticks += pace.shown(now)
    ticks += pace.last(now + 1 / rate)
    assert ticks == [600 * number for number in range(len(ticks))]
    assert len(ticks) / rate == pytest.approx(now + 1 / rate, abs=1.7 / rate)


def test_times_that_tremble_around_half_a_step_neither_repeat_nor_drop():
    pace = ConstantPace(Fraction(25), Fraction(1, 10_000))
    pace.first(0.0)
    for number in range(1, 200):
        pace.shown(number * 0.04 + 0.012 * (-1) ** number)
    assert (pace.repeated, pace.left_out) == (0, 0)


def test_kept_times_grow():
    pace = SourcePace(Fraction(1, 1000))
    pace.first(0.0)
    ticks = [tick for time_s in (0.01, 0.02, 0.02, 0.05) for tick in pace.shown(time_s)] + pace.last(0.06)
    assert ticks == [0, 10, 20, 50] and pace.left_out == 1


def test_a_clock_that_goes_back_or_leaps_is_joined():
    clock = Timeline("mpegts")
    shown = []
    for at in (100.0, 100.04, 100.08, 3.0, 3.04, 500.0, 500.04):
        shown.append(round(at + clock.moved(0, at, 0.04), 3))
    assert shown == [100.0, 100.04, 100.08, 100.12, 100.16, 100.2, 100.24]
    assert (clock.backward, clock.jumps) == (1, 1)


def test_a_picture_that_is_held_and_a_gap_that_sound_fills_are_no_faults():
    clock = Timeline("mov,mp4,m4a,3gp,3g2,mj2")
    clock.moved(0, 0.0, 600.0)
    assert clock.moved(0, 600.0, 0.04) == 0.0
    other = Timeline("mpegts")
    other.moved(0, 0.0, 0.04)
    for number in range(1000):
        other.moved(1, number * 0.02, 0.02)
    assert other.moved(0, 20.0, 0.04) == 0.0 and other.jumps == 0


def test_losses_next_to_each_other_are_one_part():
    parts = joined([(1.0, "a"), (1.04, "a"), (2.0, "a"), (2.04, "b")], 0.04)
    assert [(round(start, 2), round(end, 2), reason) for start, end, reason in parts] == [
        (1.0, 1.08, "a"),
        (2.0, 2.04, "a"),
        (2.04, 2.08, "b"),
    ]


@pytest.mark.parametrize(
    ("facts", "code", "will"),
    [
        (film(codec="cinepak"), "rare_codec", "encoded as h264"),
        (film(variable=True), "variable_frame_rate", "made constant at 25 frames a second"),
        (film(rotation_deg=90), "rotation_flag", "turned upright"),
        (film(sar="4:3"), "pixels_not_square", "made square"),
        (film(interlaced=True), "interlaced", "deinterlaced"),
        (film(pixel_format="yuv420p10le", bit_depth=10), "high_bit_depth", "reduced to 8 bits"),
        (film(transfer="arib-std-b67", bit_depth=10), "hdr", "converted to SDR (BT.709)"),
        (film(width=1919), "odd_size", "made even by a pixel"),
        (replace(FACTS, audio=()), "no_audio", "the output has none either"),
        (replace(FACTS, audio=(SOUND, SOUND)), "several_audio", "one is kept"),
        (replace(FACTS, audio=(replace(SOUND, channels=6),)), "many_channels", "mixed to 2 channels"),
        (replace(FACTS, audio=(replace(SOUND, lone_channel=1),)), "audio_one_channel", "put on all channels"),
        (replace(FACTS, index="end"), "index_at_end", "put at the front"),
        (replace(FACTS, damage=replace(WHOLE, short_s=2.0)), "wrong_duration", "the output's says the true one"),
        (replace(FACTS, clock=ClockFacts(2, 0, 0, 0)), "times_back", "the parts are joined without a gap"),
        (replace(FACTS, clock=ClockFacts(0, 1, 0, 0)), "times_jump", "the parts are joined without a gap"),
        (replace(FACTS, damage=replace(WHOLE, missing_frames=9)), "truncated", "the job fails, unless salvage is on"),
        (replace(FACTS, damage=replace(WHOLE, marked=9)), "corrupt", "the job fails, unless salvage is on"),
        (replace(FACTS, decoded=Decoded(90, 10, 0, 0)), "undecodable", "the job fails, unless salvage is on"),
    ],
)
def test_each_problem_has_a_code_a_sentence_and_what_is_done(facts: MediaFacts, code: str, will: str):
    (problem,) = [problem for problem in problems_of(facts, settings()) if problem.code == code]
    assert problem.will == will and problem.sentence.endswith(".")


def test_a_film_without_fault_has_no_problem():
    assert problems_of(FACTS, settings()) == ()
