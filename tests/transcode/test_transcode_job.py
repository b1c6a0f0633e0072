"""What becomes of odd videos: made on the spot, transcoded, and every output decoded to its end."""

import os
import random
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from transcode_make import Film, Report, clockwise, decode_all, make, run, settings

from pipeline.model import FailureClass, JobState, Stage
from pipeline.outcome import Outcome
from pipeline.transcode import encode as transcode_encode
from pipeline.transcode import hardware, lines
from pipeline.transcode.graph import picture_graph
from pipeline.transcode.order import Made
from pipeline.transcode.output import EncodingError, add_video

FAST = {"speed": "ultrafast"}
STEREO = (("eng", (0.5, 0.5)),)


def codes(outcome: Outcome) -> set[str]:
    return {problem["code"] for problem in outcome.result["problems"]}


def done(outcome: Outcome) -> dict:
    assert outcome.failure is None, f"{outcome.failure}: {outcome.failure.detail if outcome.failure else ''}"
    assert outcome.state is JobState.DONE, outcome.result.get("reason")
    return outcome.result


def test_a_plain_video_becomes_what_standardize_promises(tmp_path: Path):
    film = Film(codec="mpeg4", options={"b": "2M"}, sounds=STEREO, sound_codec="mp2", tags={"title": "Böe"})
    report = Report()
    outcome = run(make(tmp_path / "a.avi", film), tmp_path / "out", report=report)
    result = done(outcome)
    facts = result["facts_out"]
    assert (facts["format"], facts["index"]) == ("mp4", "front")
    video = facts["video"]
    assert (video["codec"], video["pixel_format"], video["rate"], video["frames"]) == ("h264", "yuv420p", "25", 50)
    assert not video["variable"] and video["keyframe_gap_s"] <= 2.0
    assert [(track["codec"], track["channels"]) for track in facts["audio"]] == [("aac", 2)]
    assert facts["title"] == "Böe"
    assert (result["action"], result["encoder"]) == ("encoded", "libx264")
    assert report.stages == ["probe", "transcode", "verify"] and report.shares == sorted(report.shares)
    pictures, sounds = decode_all(tmp_path / "out" / "a.mp4")
    assert len(pictures) == 50
    assert sum(frame.samples for frame in sounds) / 48_000 == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotation_flag_is_turned_into_upright_pictures(tmp_path: Path, rotation: int):
    source = make(tmp_path / "a.mp4", Film(rotation=rotation))
    outcome = run(source, tmp_path / "out")
    result = done(outcome)
    assert "rotation_flag" in codes(outcome)
    with av.open(str(source)) as container:
        turns = -next(container.decode(video=0)).rotation // 90 % 4
    pictures, _ = decode_all(tmp_path / "out" / "a.mp4")
    whole = ["red", "green", "blue", "white"]
    assert clockwise(pictures[0]) == whole[-turns:] + whole[:-turns]
    assert result["facts_out"]["video"]["rotation_deg"] == 0 and pictures[0].rotation == 0


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path):
    outcome = run(make(tmp_path / "a.mp4", Film(width=360, height=288, sar=Fraction(16, 15))), tmp_path / "out")
    video = done(outcome)["facts_out"]["video"]
    assert (video["width"], video["height"], video["sar"]) == (384, 288, "1:1")
    assert "pixels_not_square" in codes(outcome)


def test_odd_sizes_and_all_colours_become_even_and_4_2_0(tmp_path: Path):
    film = Film(width=321, height=181, pixel_format="yuv444p10le")
    outcome = run(make(tmp_path / "a.mkv", film), tmp_path / "out")
    video = done(outcome)["facts_out"]["video"]
    assert (video["width"], video["height"], video["pixel_format"]) == (320, 180, "yuv420p")
    assert {"odd_size", "high_bit_depth"} <= codes(outcome)


def test_a_variable_rate_becomes_a_constant_one_of_the_same_length(tmp_path: Path):
    film = Film(frames=60, times=lambda number: number * 40 + (number // 20) * 400)
    outcome = run(make(tmp_path / "a.mkv", film), tmp_path / "out")
    result = done(outcome)
    video = result["facts_out"]["video"]
    assert "variable_frame_rate" in codes(outcome)
    assert not video["variable"] and video["rate"] == "25"
    assert video["duration_s"] == pytest.approx(result["duration_s"], abs=0.05)
    assert result["repeated"] == 20


def test_sound_in_one_channel_is_put_on_both(tmp_path: Path):
    film = Film(frames=100, sounds=(("eng", (0.0, 0.5)),), sound_codec="pcm_s16le")
    outcome = run(make(tmp_path / "a.mkv", film), tmp_path / "out")
    done(outcome)
    assert "audio_one_channel" in codes(outcome)
    _, sounds = decode_all(tmp_path / "out" / "a.mp4")
    middle = sounds[len(sounds) // 2].to_ndarray()
    assert np.abs(middle[0]).max() == pytest.approx(np.abs(middle[1]).max(), rel=0.05)
    assert np.abs(middle[0]).max() > 0.2


def test_the_sound_of_the_wanted_language_is_taken_and_the_other_is_told_as_dropped(tmp_path: Path):
    film = Film(sounds=(("eng", (0.5, 0.5)), ("deu", (0.1, 0.1))), sound_codec="ac3")
    outcome = run(make(tmp_path / "a.mkv", film), tmp_path / "out", settings(audio_stream="deu", **FAST))
    result = done(outcome)
    assert [track["language"] for track in result["facts_out"]["audio"]] == ["deu"]
    assert result["dropped"] == ["sound track 0 (ac3, eng)"]


def test_many_channels_are_mixed_to_two(tmp_path: Path):
    film = Film(sounds=(("eng", (0.3,) * 6),), sound_codec="ac3")
    outcome = run(make(tmp_path / "a.mkv", film), tmp_path / "out")
    assert [track["channels"] for track in done(outcome)["facts_out"]["audio"]] == [2]
    assert "many_channels" in codes(outcome)


def test_what_conforms_is_not_encoded_again(tmp_path: Path):
    source = make(tmp_path / "a.mp4", Film(sounds=STEREO))
    outcome = run(source, tmp_path / "out")
    assert (outcome.state, outcome.result["action"]) == (JobState.SKIPPED, "conforms")
    assert not any((tmp_path / "out").iterdir())


def test_only_the_container_is_written_anew_where_only_that_is_wrong(tmp_path: Path):
    source = make(tmp_path / "a.mkv", Film(sounds=STEREO, chapters=((0, 1000, "one"), (1000, 2000, "two"))))
    result = done(run(source, tmp_path / "out"))
    assert result["action"] == "remuxed" and result["encoder"] == ""
    assert result["facts_out"]["chapters"] == 2 and not result["facts_out"]["subtitles"]
    before, after = decode_all(source)[0], decode_all(tmp_path / "out" / "a.mp4")[0]
    assert all(np.array_equal(a.to_ndarray(), b.to_ndarray()) for a, b in zip(before, after, strict=True))


def test_a_stream_that_the_container_cannot_hold_is_a_fault_of_the_settings(tmp_path: Path):
    source = make(tmp_path / "a.avi", Film(codec="mpeg4", options={}))
    outcome = run(source, tmp_path / "out", settings("remux", output_format="webm"))
    assert outcome.failure is not None and outcome.failure.failure is FailureClass.SETTINGS
    assert "webm cannot hold mpeg4" in str(outcome.failure)


@pytest.mark.parametrize("preset", ["proxy-480p", "archive", "edit", "remux"])
def test_every_preset_gives_a_video_that_decodes(tmp_path: Path, preset: str):
    name = "a.mp4" if preset == "remux" else "a.mkv"
    source = make(tmp_path / name, Film(width=1280, height=720, frames=30, sounds=STEREO, tags={"title": "T"}))
    wanted = settings(preset, **({"speed": "10"} if preset == "archive" else {}))
    result = done(run(source, tmp_path / "out", wanted))
    (made,) = (tmp_path / "out").iterdir()
    pictures, sounds = decode_all(made)
    assert len(pictures) == 30 and sounds
    facts = result["facts_out"]
    expected = {"proxy-480p": "h264", "archive": "av1", "edit": "prores", "remux": "h264"}[preset]
    assert facts["video"]["codec"] == expected
    assert (pictures[0].width, pictures[0].height) == ((854, 480) if preset == "proxy-480p" else (1280, 720))
    assert facts["title"] == "T" and facts["mark"] == "vconsole 0123456789abcdef0123"


def test_a_cut_file_fails_with_how_much_decodes_and_salvage_keeps_that(tmp_path: Path):
    whole = make(tmp_path / "a.mp4", Film(frames=100, gop=10, sounds=STEREO))
    data = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: int(len(data) * 0.93)])
    outcome = run(cut, tmp_path / "out")
    assert outcome.failure is not None and outcome.failure.failure is FailureClass.CORRUPT
    assert "% of its pictures decode" in str(outcome.failure)
    assert not any((tmp_path / "out").iterdir())
    kept = run(cut, tmp_path / "out", settings(salvage=True, **FAST))
    assert kept.state is JobState.PARTIAL and kept.result["lost_frames"] > 0 and kept.result["loss"]
    pictures, _ = decode_all(tmp_path / "out" / "cut.mp4")
    assert len(pictures) + kept.result["lost_frames"] == pytest.approx(100, abs=2)


def test_a_finished_output_is_adopted_and_not_encoded_again(tmp_path: Path):
    source = make(tmp_path / "a.mkv", Film())
    first = done(run(source, tmp_path / "out"))
    made = tmp_path / "out" / "a.mp4"
    before = made.stat().st_mtime_ns
    again = done(run(source, tmp_path / "out"))
    assert again["adopted"] and again["output_sha256"] == first["output_sha256"] and again["bytes_written"] == 0
    assert made.stat().st_mtime_ns == before
    assert not done(run(source, tmp_path / "out", key="another00000000000000"))["adopted"]
    assert not done(run(source, tmp_path / "out", force=True))["adopted"]


def test_neither_the_source_nor_a_file_of_someone_else_is_written_over(tmp_path: Path):
    source = make(tmp_path / "a.mp4", Film(rotation=90))
    data = source.read_bytes()
    outcome = run(source, tmp_path)
    assert outcome.failure is not None and "place of its source" in str(outcome.failure)
    assert source.read_bytes() == data
    other = tmp_path / "out" / "a.mp4"
    other.parent.mkdir()
    other.write_bytes(b"mine")
    outcome = run(source, tmp_path / "out", force=True)
    assert outcome.failure is not None and outcome.failure.failure is FailureClass.SETTINGS
    assert other.read_bytes() == b"mine"


def test_a_file_that_changes_while_it_is_read_is_told_as_changed_and_leaves_nothing(tmp_path: Path):
    source = make(tmp_path / "a.mkv", Film(codec="mpeg4", options={}))

    class Touch(Report):
        def passed(self, stage: object, seconds: float, items: int, *, reused: bool = False) -> None:
            os.utime(source, ns=(1, 1))

    outcome = run(source, tmp_path / "out", report=Touch())
    assert outcome.failure is not None and outcome.failure.failure is FailureClass.CHANGED
    assert not any((tmp_path / "out").iterdir())


def test_sound_alone_is_skipped_with_a_reason(tmp_path: Path):
    source = tmp_path / "a.mka"
    with av.open(str(source), "w", format="matroska") as output:
        stream = output.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    outcome = run(source, tmp_path / "out")
    assert outcome.state is JobState.SKIPPED and "no video" in outcome.result["reason"]


def test_a_hardware_encoder_that_is_not_here_gives_way_to_software_and_that_is_told(tmp_path: Path):
    source = make(tmp_path / "a.mkv", Film(codec="mpeg4", options={}))
    result = done(run(source, tmp_path / "out", settings(video_codec="h264_nvenc")))
    if result["encoder"] == "libx264":
        assert result["fallback"].startswith("h264_nvenc cannot be used here")
    assert result["facts_out"]["video"]["codec"] == "h264"


def test_where_the_hardware_has_to_be_used_its_absence_is_a_fault_of_the_settings(tmp_path: Path):
    source = make(tmp_path / "a.mkv", Film(codec="mpeg4", options={}))
    outcome = run(source, tmp_path / "out", settings(video_codec="h264_nvenc", hwaccel="cuda"))
    if outcome.failure is not None:
        assert outcome.failure.failure is FailureClass.SETTINGS


class _Stop(BaseException):
    pass


class _Stopping(Report):
    """Stops the job the second time it hears of a stage: the first word is told before anything is read."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage, self._heard = stage, 0

    def progress(self, stage: Stage, share: float, **told: Any) -> None:
        super().progress(stage, share, **told)
        self._heard += stage is self._stage
        if self._heard > 2:
            raise _Stop


@pytest.mark.parametrize("stage", [Stage.PROBE, Stage.VERIFY])
def test_reading_tells_that_it_moves_and_can_be_stopped(tmp_path: Path, stage: Stage):
    source = make(tmp_path / "a.avi", Film(codec="mpeg4", options={"b": "2M"}))
    with pytest.raises(_Stop):
        run(source, tmp_path / "out", report=_Stopping(stage))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_salvaged_output_that_is_adopted_still_tells_what_it_lacks(tmp_path: Path):
    whole = make(tmp_path / "a.mp4", Film(frames=100, gop=10))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.9)])
    wanted = settings(salvage=True, **FAST)
    first = run(cut, tmp_path / "out", wanted)
    again = run(cut, tmp_path / "out", wanted)
    assert again.result["adopted"] and again.state is JobState.PARTIAL
    assert again.result["lost_frames"] == first.result["lost_frames"] > 0
    sound = run(whole, tmp_path / "out2", settings(salvage=True, fps=30, **FAST))
    assert sound.state is JobState.DONE
    assert run(whole, tmp_path / "out2", settings(salvage=True, fps=30, **FAST)).state is JobState.DONE


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bytes_and_cuts_end_with_a_true_state_and_what_is_kept_decodes(tmp_path: Path, seed: int):
    name = ("a.mp4", "a.mkv", "a.ts")[seed % 3]
    film = Film(frames=100, gop=12, sounds=STEREO, options={"preset": "ultrafast", "crf": "30"})
    data = bytearray(make(tmp_path / name, film).read_bytes())
    chance = random.Random(seed)
    if seed < 3:
        for _ in range(8):
            data[chance.randrange(len(data) // 10, len(data))] ^= chance.randrange(1, 256)
    else:
        del data[int(len(data) * chance.uniform(0.5, 0.98)) :]
    damaged = tmp_path / f"damaged{Path(name).suffix}"
    damaged.write_bytes(bytes(data))
    outcome = run(damaged, tmp_path / "out", settings(salvage=True, **FAST))
    if outcome.failure is not None:
        assert outcome.failure.failure in (FailureClass.CORRUPT, FailureClass.UNSUPPORTED), outcome.failure
        return
    assert outcome.state in (JobState.DONE, JobState.PARTIAL)
    pictures, _ = decode_all(tmp_path / "out" / "damaged.mp4")
    assert len(pictures) == outcome.result["facts_out"]["video"]["frames"]


def test_a_missing_index_is_named(tmp_path: Path):
    whole = make(tmp_path / "a.mp4", Film(muxer={}))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:2000])
    outcome = run(cut, tmp_path / "out", settings(salvage=True))
    assert outcome.failure is not None and "index (moov) is missing" in str(outcome.failure)


def test_timecode_and_subtitles_are_carried_and_the_timecode_track_is_not_told_as_dropped(tmp_path: Path):
    source = make(tmp_path / "a.mov", Film(codec="mpeg4", options={}, tags={"timecode": "01:02:03:04"}))
    result = done(run(source, tmp_path / "out"))
    assert result["facts_out"]["timecode"] == "01:02:03:04" and not result["dropped"]


def test_hardware_that_fails_in_the_middle_gives_way_to_software_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    take, taken = lines.PictureEncoder.take, count()

    def failing(self: Any, timed: lines.Timed) -> None:
        if self._encoder == "h264_nvenc" and next(taken) == 20:
            raise EncodingError("h264_nvenc: the device is gone")
        take(self, timed)

    def software_in_disguise(output: Any, plan: Any, *arguments: Any, **keywords: Any) -> Any:
        return add_video(output, replace(plan, encoder="libx264"), *arguments, **keywords)

    monkeypatch.setattr(hardware, "refusal", lambda _: "")
    monkeypatch.setattr(transcode_encode, "add_video", software_in_disguise)
    monkeypatch.setattr(lines.PictureEncoder, "take", failing)
    source = make(tmp_path / "a.mkv", Film(width=640, height=360, codec="mpeg4", options={}))
    result = done(run(source, tmp_path / "out", settings(video_codec="h264_nvenc")))
    assert result["encoder"] == "libx264" and "the device is gone" in result["fallback"]
    assert len(decode_all(tmp_path / "out" / "a.mp4")[0]) == 50


def test_colours_that_mean_nothing_are_no_reason_to_fail():
    frame = av.VideoFrame(64, 48, "yuv422p10le")
    frame.color_primaries = frame.color_trc = 0
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    chain = (("scale", "out_color_matrix=bt709"), ("format", "yuv420p"))
    graph = picture_graph(chain, Fraction(1), 1)
    made = [*graph.through(frame), *graph.through(None)]
    assert [(one.format.name, int(one.color_trc)) for one in made] == [("yuv420p", 2)]


def test_a_film_of_full_range_without_a_matrix_becomes_prores(tmp_path: Path):
    source = make(tmp_path / "a.mkv", Film(codec="mjpeg", options={}, pixel_format="yuvj420p", range=2))
    assert done(run(source, tmp_path / "out", settings("edit")))["facts_out"]["video"]["range"] == "tv"


def test_an_output_in_another_format_stays_and_is_told(tmp_path: Path):
    source = make(tmp_path / "a.avi", Film(codec="mpeg4", options={}))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.mov").write_bytes(b"of somebody else")
    assert done(run(source, tmp_path / "out", settings(output_format="mkv", **FAST)))["notes"] == []
    assert done(run(source, tmp_path / "out"))["notes"] == ["a.mkv, made in another format before, stays beside it."]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.mkv", "a.mov", "a.mp4"}


def test_where_and_when_a_phone_filmed_goes_into_the_tags_that_mp4_has(tmp_path: Path):
    apple = "com.apple.quicktime."
    told = {"location.ISO6709": "+52.4597+013.3220+051.000/", "creationdate": "2023-09-22T18:34:05+0200", "make": "A"}
    film = Film(codec="mpeg4", options={}, muxer={"movflags": "use_metadata_tags"})
    source = make(tmp_path / "a.mov", replace(film, tags={apple + key: value for key, value in told.items()}))
    result = done(run(source, tmp_path / "out"))
    tags = dict(result["facts_out"]["tags"])
    assert (tags["location"], tags["date"]) == ("+52.4597+013.3220+51.000000/", told["creationdate"])
    assert result["dropped"] == [f"the tag {apple}make"]


def test_tags_that_the_container_has_no_place_for_are_told_and_others_are_not(tmp_path: Path):
    tags = {"title": "Dam", "camera_serial": "7", "maker_notes": "long", "creation_time": "2026-01-02 03:04:05"}
    source = make(tmp_path / "a.mkv", Film(codec="mpeg4", options={}, tags=tags))
    result = done(run(source, tmp_path / "out"))
    assert result["dropped"] == ["the tags camera_serial, maker_notes"]
    assert dict(result["facts_out"]["tags"])["title"] == "Dam"
    assert done(run(source, tmp_path / "kept", settings("archive", speed="12")))["dropped"] == []


def test_an_output_that_lost_its_subtitles_is_not_given_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipeline.transcode.encode.Made", lambda **given: Made(**(given | {"subtitles": 1})))
    outcome = run(make(tmp_path / "a.mkv", Film(codec="mpeg4", options={})), tmp_path / "out")
    assert outcome.failure is not None and "0 subtitle tracks, not 1" in str(outcome.failure)
    assert not list((tmp_path / "out").iterdir())


def test_copied_pictures_keep_their_order_and_times_though_matroska_tells_no_decoding_times(tmp_path: Path):
    options = {"preset": "medium", "bf": "3", "x264-params": "b-adapt=0:b-pyramid=normal"}
    source = make(tmp_path / "a.mkv", Film(options=options, fps=Fraction(30), sounds=STEREO, sound_codec="ac3"))
    with av.open(str(source)) as container:
        assert next(container.demux(video=0)).dts is None, "nothing is tested"
    result = done(run(source, tmp_path / "out"))
    assert result["action"] == "remuxed" and not result["facts_out"]["video"]["variable"]
    times = []
    for path in (source, tmp_path / "out" / "a.mp4"):
        shown = [float(frame.pts * frame.time_base) for frame in decode_all(path)[0]]
        times.append([time_s - shown[0] for time_s in shown])
    assert times[1] == pytest.approx(times[0], abs=0.002)
