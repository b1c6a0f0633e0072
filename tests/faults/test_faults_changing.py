"""A video that changes while it is decoded is done again; what comes out is of its last content alone (case 16)."""

import os
import shutil
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from compare import differences
from engine_harness import SETTLE_S, Bench, Clock, Driven, jobs, settings

from pipeline.engine import settling
from pipeline.engine.facade import WORKER_COMMAND
from pipeline.engine.reader import LedgerReader
from pipeline.extract import extract
from pipeline.extract_job import ExtractJob, RunContext
from pipeline.identity import content_id, identity_of, open_regular
from pipeline.media.shapes import Combination, Look, draw
from pipeline.model import FailureClass, JobState, Stage
from pipeline.outputs.features import read_features

SIZE = (320, 180)
FRAMES = 500
GROWTHS = 5
OF_THE_FILE = {
    f"{name} differs" for name in ("source", "source_display", "source_bytes", "content_id", "stage_keys", "probe")
}
HALTING_WORKER = Path(__file__).with_name("halting_worker.py")


def write_video(path: Path, shapes: tuple[tuple[str, str], ...]) -> Path:
    """Write a long video with a scene for each shape; made quickly, for nothing moves."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "100"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(FRAMES):
            if number % (FRAMES // len(shapes)) == 0:
                grey = 60 + 130 * ((number * len(shapes) // FRAMES) % 2)
                shape = Combination(*shapes[number * len(shapes) // FRAMES])
                picture = draw(shape, Look(background=(grey, grey, grey)), width=SIZE[0], height=SIZE[1])
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two long videos that share no scene, and the first cut at its half."""
    folder = tmp_path_factory.mktemp("videos")
    one = write_video(folder / "one", (("red", "circle"), ("blue", "square")))
    other = write_video(folder / "other", (("green", "star"), ("yellow", "heart"), ("pink", "ring"), ("cyan", "cross")))
    cut = folder / "cut"
    cut.write_bytes(one.read_bytes()[: one.stat().st_size // 2])
    return {"one": one, "other": other, "cut": cut}


@pytest.fixture(scope="module")
def undisturbed(videos: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The feature file of each of them when nothing disturbs."""
    bench = Bench(tmp_path_factory.mktemp("undisturbed"))
    for name, path in videos.items():
        shutil.copy(path, bench.source / f"{name}.mkv")
    options = settings()
    with bench.engine(options, WORKER_COMMAND) as driven:
        driven.engine.send(bench.start(options))
        driven.until_done()
    return {name: bench.out / "features" / f"{name}.mkv.h5" for name in videos}


def differs(bench: Bench, name: str, expected: Path, folder: Path) -> list[str]:
    """Return where the output of a video differs from what it should be, but for the file's name and length."""
    for number, path in enumerate((expected, bench.out / "features" / f"{name}.h5")):
        (folder / str(number)).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / str(number) / "video.h5")
    found = differences(folder / "0", folder / "1")
    return [text for text in found if text.split("@")[-1] not in OF_THE_FILE]


def halting(folder: Path, *names: str) -> list[str]:
    """Return the command of a worker that halts half way through each of these videos, once."""
    folder.mkdir()
    for name in names:
        hold_next(folder, name)
    return [sys.executable, str(HALTING_WORKER), str(folder)]


def hold_next(folder: Path, name: str) -> None:
    (folder / f"{name}.hold").touch()


def at_half(driven: Driven, folder: Path, name: str, change: Callable[[], object]) -> None:
    """Change a video when the worker has it half read, then let the worker go on."""
    half = folder / f"{name}.half"
    driven.until(lambda _: half.exists(), f"the half of {name}")
    change()
    half.unlink()


def outcomes(bench: Bench) -> dict[str, list[str]]:
    """Return the outcome of every attempt by video."""
    with LedgerReader.read_only(bench.state) as ledger:
        return {
            os.fsdecode(job.relative): [one["outcome"] for one in ledger.attempts(job.job_id)] for job in ledger.jobs(1)
        }


def rewrite(path: Path, data: bytes) -> None:
    """Write into a file that is there, without another taking its place."""
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()


def test_whatever_happens_to_a_video_at_its_half_its_last_content_is_what_counts(
    bench: Bench, videos: dict[str, Path], undisturbed: dict[str, Path], tmp_path: Path
) -> None:
    one, other = videos["one"].read_bytes(), videos["other"].read_bytes()
    aside = tmp_path / "aside"

    def replace(path: Path) -> None:
        shutil.copy(videos["other"], aside)
        aside.replace(path)

    def there_and_back(path: Path) -> None:
        path.rename(aside)
        shutil.copy(videos["other"], path)
        aside.replace(path)

    changes: dict[str, tuple[Callable[[Path], object], str, list[str]]] = {
        "1-replaced.mkv": (replace, "other", ["changed", "done"]),
        "2-rewritten.mkv": (lambda path: rewrite(path, other + b"2"), "other", ["changed", "done"]),
        "3-truncated.mkv": (lambda path: os.truncate(path, len(one) // 2), "cut", ["changed", "partial"]),
        "4-touched.mkv": (os.utime, "one", ["changed", "done"]),
        "5-swapped-back.mkv": (there_and_back, "one", ["done"]),
        "6-vanished.mkv": (Path.unlink, "", ["changed"]),
    }
    for name in changes:
        # Bytes behind the last element change nothing but the content id, so that no two are duplicates.
        (bench.source / name).write_bytes(one + b"\0" + name.encode())
    options = settings(workers=1, settle_s=0.1)
    halts = tmp_path / "halts"
    with bench.engine(options, halting(halts, *changes)) as driven:
        driven.engine.send(bench.start(options))
        for name, (change, _, _) in changes.items():
            at_half(driven, halts, name, lambda change=change, name=name: change(bench.source / name))
        done = driven.until_done()
    assert outcomes(bench) == {name: told for name, (_, _, told) in changes.items()}
    rows = jobs(done)
    assert (rows["6-vanished.mkv"].state, rows["6-vanished.mkv"].failure) == (JobState.FAILED, FailureClass.IO)
    assert not (bench.out / "features" / "6-vanished.mkv.h5").exists()
    for name, (_, last, _) in changes.items():
        if last:
            assert differs(bench, name, undisturbed[last], tmp_path / name) == [], name


def test_a_video_that_grows_is_waited_for(
    bench: Bench,
    videos: dict[str, Path],
    undisturbed: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, data = bench.source / "growing.mkv", videos["one"].read_bytes()
    path.write_bytes(data[:-5000])
    os.utime(path, (0, 0))
    rest = iter([data[-5000:][start:][:1000] for start in range(0, GROWTHS * 1000, 1000)])

    def grow() -> None:
        with path.open("ab") as file:
            file.write(next(rest))

    looks, look = [], settling._look

    def look_as_it_grows(*file: Any) -> object:
        looks.append(file)
        if len(looks) < GROWTHS:
            grow()
        return look(*file)

    monkeypatch.setattr(settling, "_look", look_as_it_grows)
    options, clock = settings(workers=1, settle_s=SETTLE_S), Clock()
    halts = tmp_path / "halts"
    with bench.engine(options, halting(halts, "growing.mkv"), clock=clock) as driven:
        driven.engine.send(bench.start(options))
        at_half(driven, halts, "growing.mkv", grow)
        driven.until_settling()
        clock.settle(driven)
        assert len(looks) == GROWTHS, "it was taken for complete too soon, or too late"
        assert path.read_bytes() == data
        driven.until_done()
    assert outcomes(bench) == {"growing.mkv": ["changed", "done"]}
    assert differs(bench, "growing.mkv", undisturbed["one"], tmp_path / "compared") == []


class Swapper:
    """Hears how a job gets on, and puts another video under its name from the first moment to the last of decoding."""

    def __init__(self, path: Path, other: Path) -> None:
        self._path, self._other, self._aside = path, other, path.with_name("aside")
        self.seen: list[str] = []

    def progress(self, stage: Stage, share: float, **_: object) -> None:
        if not self.seen:
            self._path.rename(self._aside)
            shutil.copy(self._other, self._path)
            self.seen.append("swapped")
        elif share > 0.89 and self._aside.exists():
            self._aside.replace(self._path)
            self.seen.append("swapped back")

    def passed(self, stage: Stage, seconds: float, items: int, *, reused: bool = False) -> None:
        """Nothing happens between stages."""


def test_a_name_that_leads_to_another_video_meanwhile_mixes_nothing(
    videos: dict[str, Path], undisturbed: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "one.mkv"
    shutil.copy(videos["one"], path)
    descriptor = open_regular(os.fsencode(path))
    job = ExtractJob(
        source=os.fsencode(path),
        relative=b"one.mkv",
        identity=identity_of(os.fstat(descriptor)),
        content_id=content_id(descriptor),
        decode_threads=1,
        known_sha256="",
        force=False,
    )
    os.close(descriptor)
    run = RunContext(settings(), os.fsencode(tmp_path / "out"), {})
    swapper = Swapper(path, videos["other"])
    outcome = extract(job, run, swapper)
    assert (outcome.state, swapper.seen) == (JobState.DONE, ["swapped", "swapped back"]), outcome.failure
    (tmp_path / "expected").mkdir()
    shutil.copy(undisturbed["one"], tmp_path / "expected" / "one.mkv.h5")
    assert differences(tmp_path / "expected", tmp_path / "out" / "features") == []


def test_a_video_that_changes_at_each_attempt_ends_bounded_and_says_so(
    bench: Bench, videos: dict[str, Path], tmp_path: Path
) -> None:
    path = bench.source / "restless.mkv"
    shutil.copy(videos["one"], path)
    options = settings(workers=1, max_attempts=2)
    halts = tmp_path / "halts"

    def touch_and_hold_again() -> None:
        os.utime(path)
        hold_next(halts, path.name)

    with bench.engine(options, halting(halts, path.name)) as driven:
        driven.engine.send(bench.start(options))
        for _ in range(options.engine.max_attempts):
            at_half(driven, halts, path.name, touch_and_hold_again)
        done = driven.until_done()
    row = done.failures[0]
    assert (row.failure, row.attempts, row.message) == (FailureClass.CHANGED, 2, "The file changed while it was read.")
    assert "no longer written to" in row.remedy
    assert outcomes(bench) == {"restless.mkv": ["changed", "failed"]}
    with pytest.raises(FileNotFoundError):
        read_features(os.fsencode(bench.out / "features" / "restless.mkv.h5"))
