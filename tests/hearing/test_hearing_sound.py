"""The sound of odd files: none, several tracks, gaps, damage, a late start; and what it costs in memory."""

import itertools
import os
import resource
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from sound_make import make_video, silence

from pipeline.media.result import LostSpan
from pipeline.media.sound import DAMAGED, ENDS_EARLY, Sound, SoundTrack

PIXELS = 1 << 20


def tone(seconds: float, hertz: int) -> NDArray[np.int16]:
    return np.round(8000 * np.sin(np.arange(round(16_000 * seconds)) * hertz * 2 * np.pi / 16_000)).astype(np.int16)


def read(path: Path, wanted: str = "") -> tuple[list[Sound], list[LostSpan]]:
    track = SoundTrack(os.fsencode(path), wanted, PIXELS)
    return list(track.pieces()), track.lost


def pitch(sounds: list[Sound]) -> float:
    """Return the loudest frequency in hertz."""
    samples = np.concatenate([sound.samples for sound in sounds])
    return float(np.abs(np.fft.rfft(samples)).argmax() * 16_000 / len(samples))


def test_a_video_without_sound_gives_none_and_loses_none(tmp_path: Path) -> None:
    assert read(make_video(tmp_path / "mute.mp4", [])) == ([], [])


def test_samples_come_out_as_they_are_where_nothing_is_to_be_changed(tmp_path: Path) -> None:
    sounds, lost = read(make_video(tmp_path / "one.mkv", [tone(3, 440)], codec="flac"))
    assert np.array_equal(np.concatenate([sound.samples for sound in sounds]), tone(3, 440))
    assert (sounds[0].start_s, lost) == (0.0, [])
    for before, after in itertools.pairwise(sounds):
        assert after.start_s == pytest.approx(before.start_s + len(before.samples) / 16_000)


@pytest.mark.parametrize(("wanted", "hertz"), [("", 300), ("1", 600), ("deu", 600), ("7", 300), ("fra", 300)])
def test_the_track_that_is_wanted_is_read(tmp_path: Path, wanted: str, hertz: int) -> None:
    path = make_video(tmp_path / "two.mkv", [tone(2, 300), tone(2, 600)], codec="flac", languages=("eng", "deu"))
    assert pitch(read(path, wanted)[0]) == pytest.approx(hertz, abs=2)


def test_any_rate_and_number_of_channels_becomes_16_khz_mono(tmp_path: Path) -> None:
    path = tmp_path / "stereo.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
        times = np.arange(44_100 * 2)
        one = np.round(8000 * np.sin(times * 500 * 2 * np.pi / 44_100)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(one, 2)[None], format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 44_100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    sounds, _ = read(path)
    assert sum(len(sound.samples) for sound in sounds) == pytest.approx(32_000, abs=64)
    assert pitch(sounds) == pytest.approx(500, abs=2)


def test_a_gap_in_the_sound_is_one_in_time(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for first, samples in ((0, tone(1, 300)), (16_000 * 7, tone(1, 300))):
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    sounds, lost = read(path)
    breaks = [after.start_s for before, after in itertools.pairwise(sounds)
              if after.start_s > before.start_s + len(before.samples) / 16_000 + 0.01]  # fmt: skip
    assert breaks == [pytest.approx(7.0, abs=0.01)]
    assert lost == []


def test_a_sound_that_is_cut_off_is_told(tmp_path: Path) -> None:
    path = make_video(tmp_path / "whole.mp4", [tone(20, 300)])
    data = bytearray(path.read_bytes())
    middle = data.find(b"mdat") + (len(data) - data.find(b"mdat")) // 3
    cut = tmp_path / "cut.mp4"
    data[middle : middle + 20_000] = bytes(20_000)
    cut.write_bytes(data)
    sounds, lost = read(cut)
    assert sounds
    assert {span.reason for span in lost} <= {DAMAGED, ENDS_EARLY}
    assert sum(span.end_s - span.start_s for span in lost) > 0.5
    for span in lost:
        assert 0 <= span.start_s <= span.end_s <= 20.2


def test_an_hour_of_sound_takes_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "hour.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono")
        for minute in range(60):
            frame = av.AudioFrame.from_ndarray(silence(60)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, minute * 960_000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    samples = sum(len(sound.samples) for sound in SoundTrack(os.fsencode(path), "", PIXELS).pieces())
    assert samples == 3600 * 16_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kB; an hour of samples is 115 MB
