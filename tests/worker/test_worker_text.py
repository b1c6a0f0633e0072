"""The text stage in a worker: lines with their times, the same however it is decoded, kept when nothing changed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from fake_host import READS, FakeHost
from PIL import Image, ImageDraw, ImageFont
from worker_harness import Engine

from pipeline.models.standalone import standalone_host
from pipeline.outputs.features import check_features, read_features
from pipeline.outputs.format import Features
from pipeline.outputs.paths import features_path
from pipeline.reading.engines import choose
from pipeline.sections import HostSettings
from pipeline.stage_sections import TextSettings
from pipeline.stages.keys import TEXT_ENGINE

RATE, SECONDS = 25, 6
CAPTIONS = ((0.0, 2.6, "The quick brown fox"), (3.4, 6.0, "jumps over the lazy dog"))
STEP_S = 0.5
TEXT = {"enabled": True, "interval_s": STEP_S, "longest_px": 320}
PRINTS = {TEXT_ENGINE: choose(TextSettings()), "one": "f1", "two": "f2"}


@pytest.fixture(scope="session")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds in two shots with a caption in each; read only."""
    path = tmp_path_factory.mktemp("captioned") / "captioned.mp4"
    font = ImageFont.load_default(20)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"g": "50", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(RATE * SECONDS):
            grounds = ((20, 60, 90), (90, 40, 20))
            picture = Image.new("RGB", (320, 180), grounds[number >= RATE * SECONDS // 2])
            for start_s, end_s, text in CAPTIONS:
                if start_s <= number / RATE < end_s:
                    ImageDraw.Draw(picture).text((20, 140), text, font=font, fill="white")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    host = FakeHost(tmp_path / "host.sock")
    yield host
    host.close()


class Runs:
    """Does one video in one run after another."""

    def __init__(self, engine: Engine, video: Path, host: FakeHost) -> None:
        self._engine, self._video, self._host = engine, video, host
        self._run = 100

    def do(self, *, job: dict[str, Any] | None = None, **sections: Any) -> tuple[Features, dict[str, bool]]:
        """Return the feature file and, of each stage told, whether it was reused."""
        self._run += 1
        sections = {"embed": {"enabled": False}, "text": TEXT, **sections}
        self._engine.start_run(self._run, fingerprints=PRINTS, host_sockets=[str(self._host.path)], **sections)
        seen: list[dict[str, Any]] = []
        message = self._engine.do(self._video, seen, run_id=self._run, **(job or {}))
        assert message["failure"] is None, message["failure"]
        path = features_path(os.fsencode(self._engine.out), os.fsencode(self._video.name))
        assert check_features(path) == []
        features = read_features(path)
        assert message["result"].get("text_lines") == (len(features.text.lines["text"]) if features.text else None)
        return features, {entry["stage"]: entry["reused"] for entry in seen if entry["type"] == "stage"}


@pytest.fixture
def runs(engine: Engine, captioned: Path, host: FakeHost) -> Runs:
    return Runs(engine, captioned, host)


def lines(features: Features) -> list[tuple[float, float, str]]:
    assert features.text is not None
    columns = (features.text.lines[name].tolist() for name in ("start_s", "end_s", "text"))
    return list(zip(*columns, strict=True))


def test_captions_are_found_where_and_when_they_are_shown(runs: Runs) -> None:
    features, stages = runs.do()
    assert stages["text"] is False
    assert [text for _, _, text in lines(features)] == [text for _, _, text in CAPTIONS]
    for (start_s, end_s, _), (wanted_start_s, wanted_end_s, _) in zip(lines(features), CAPTIONS, strict=True):
        assert abs(start_s - wanted_start_s) <= STEP_S
        assert abs(end_s - wanted_end_s) <= STEP_S
    text = features.text
    assert text is not None
    assert text.engine == PRINTS[TEXT_ENGINE]
    assert (text.pieces["confidence"] >= 0.5).all()
    assert (abs(text.pieces["time_s"] - text.pieces["frame_index"] / RATE) < 1e-6).all()
    for x0, y0, x1, y1 in text.pieces["box"].tolist():
        assert 0 <= x0 < 0.15
        assert 0.5 < x1 <= 1
        assert 0.7 < y0 < 0.85 < y1 <= 1


def test_pictures_that_show_the_same_are_read_once(runs: Runs) -> None:
    """With the same lines as by reading every one."""
    sparing, _ = runs.do()
    every, _ = runs.do(text=TEXT | {"unchanged": False})
    assert lines(sparing) == lines(every)
    assert sparing.text is not None
    assert every.text is not None
    # The first frame of each step; with no text in between, one read for each caption finds it.
    assert sorted(set(sparing.text.pieces["time_s"].tolist())) == [0.0, 3.52]
    assert set(every.text.pieces["time_s"].tolist()) >= {0.0, 0.52, 3.52, 5.96}


def test_the_same_is_found_however_many_decode(runs: Runs) -> None:
    one, _ = runs.do()
    three, _ = runs.do(job={"force": True, "decode_threads": 3})
    assert one.text is not None
    assert three.text is not None
    for had, found in ((one.text.pieces, three.text.pieces), (one.text.lines, three.text.lines)):
        assert all(np.array_equal(had[name], found[name]) for name in had)


def test_what_is_there_is_kept_and_only_what_a_setting_changes_is_done_again(runs: Runs, host: FakeHost) -> None:
    embed = {"enabled": True, "models": ("one",)}
    first, _ = runs.do(embed=embed)
    _, stages = runs.do(embed=embed)
    assert all(stages.values()), "nothing changed, nothing done"
    sent = host.pictures["one"]
    read_anew, stages = runs.do(embed=embed, text=TEXT | {"min_confidence": 0.1})
    assert (stages["text"], stages["frames"], host.pictures["one"]) == (False, True, sent)
    assert lines(read_anew) == lines(first)
    another, stages = runs.do(embed=embed, text=TEXT | {"min_confidence": 0.1}, frames={"frames_per_scene": 1})
    assert (stages["text"], stages["frames"]) == (True, False)
    assert lines(another) == lines(first)
    without, _ = runs.do(embed=embed, text={"enabled": False}, frames={"frames_per_scene": 1})
    assert without.text is None
    assert "one" in without.embeddings


def test_a_worker_that_is_killed_while_it_reads_costs_nothing(
    runs: Runs, engine: Engine, captioned: Path, host: FakeHost, tmp_path: Path
) -> None:
    slow = TEXT | {"unchanged": False, "interval_s": 0.04}
    doomed = Engine(tmp_path / "out", tmp_path / "worker.log")
    try:
        doomed.start_run(fingerprints=PRINTS, host_sockets=[str(host.path)], text=slow)
        doomed.send_job(captioned)
        while doomed.receive().get("stage") != "text":
            pass
        os.kill(doomed.process.pid, signal.SIGKILL)
        assert doomed.process.wait(60) == -signal.SIGKILL
    finally:
        doomed.kill()
    assert not list((tmp_path / "out").rglob("*.h5"))
    features, stages = runs.do(text=slow, job={"attempt": 2})
    assert (stages["text"], list((tmp_path / "out").rglob("*.part"))) == (False, [])
    engine.out = tmp_path / "calm"
    calm, _ = runs.do(text=slow)
    assert same(features, calm)


def same(one: Features, other: Features) -> bool:
    assert one.text is not None
    assert other.text is not None
    pairs = ((one.text.pieces, other.text.pieces), (one.text.lines, other.text.lines))
    return all(np.array_equal(had[name], found[name]) for had, found in pairs for name in had)


def test_a_video_full_of_text_is_read_as_far_as_the_bound_and_says_so(runs: Runs) -> None:
    every = TEXT | {"unchanged": False}
    whole, _ = runs.do(text=every)
    features, stages = runs.do(text=every | {"max_pieces": 3})
    assert stages["text"] is False, "another bound may be another result"
    assert features.text is not None
    assert whole.text is not None
    until_s = features.text.until_s
    assert until_s == whole.text.pieces["time_s"][3]
    assert features.text.pieces["time_s"].tolist() == whole.text.pieces["time_s"].tolist()[:3]
    assert lines(features) == [(0.0, until_s, CAPTIONS[0][2])]
    assert whole.text.until_s is None


def test_damaged_pictures_make_the_video_partial_and_the_rest_is_read(
    runs: Runs, engine: Engine, captioned: Path, host: FakeHost, tmp_path: Path
) -> None:
    data = bytearray(captioned.read_bytes())
    with av.open(str(captioned)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        for packet in packets[5:20]:
            data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    features, _ = Runs(engine, broken, host).do()
    assert features.partial
    assert CAPTIONS[1][2] in [text for _, _, text in lines(features)]


def test_a_file_without_pictures_is_skipped_or_failed_and_no_engine_is_asked(engine: Engine, tmp_path: Path) -> None:
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    nobody = [str(tmp_path / "nobody.sock")]
    engine.start_run(990, fingerprints={TEXT_ENGINE: "no such engine"}, host_sockets=nobody, text=TEXT)
    ended = engine.do(sound, run_id=990)
    assert ended["outcome"] in {"skipped", "failed"}, ended
    assert "engine" not in str(ended), ended


def test_memory_does_not_grow_with_the_number_of_pictures_of_all_sizes(tmp_path: Path) -> None:
    """Of the worker and of the model host: once as many as there are have been seen, the same again cost no more."""
    pictures = []
    for number in range(12):
        picture = Image.new("RGB", (200 + 37 * (number % 5), 100 + 23 * (number % 4)), (10, 60, 30))
        for row in range(1 + number % 3):
            ImageDraw.Draw(picture).text((10, 10 + 30 * row), f"Line {row} of {number}", font_size=20 + number)
        pictures.append(tmp_path / f"{number}.png")
        picture.save(pictures[-1])
    worker = Engine(tmp_path / "out", tmp_path / "worker.log")
    try:
        with standalone_host(HostSettings(device="cpu", threads=2), {PRINTS[TEXT_ENGINE]: READS}, nice=0) as real:
            worker.start_run(fingerprints=PRINTS, host_sockets=[real.socket_path], text=TEXT)
            bytes_after = []
            for _ in range(4):
                for picture in pictures:
                    assert worker.do(picture, force=True)["failure"] is None
                pids = worker.process.pid, real.process.pid
                bytes_after.append(sum(psutil.Process(pid).memory_info().rss for pid in pids))
    finally:
        worker.kill()
    assert bytes_after[-1] <= 1.1 * bytes_after[1], bytes_after


def test_a_video_without_text_has_empty_tables(runs: Runs, engine: Engine, video: Path, host: FakeHost) -> None:
    features, _ = Runs(engine, video, host).do()
    assert lines(features) == []
