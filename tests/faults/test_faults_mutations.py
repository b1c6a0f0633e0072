"""Case 13 in short: mutated files through a real engine all end with a true state, and none loses pictures quietly."""

from pathlib import Path

import pytest
from excerpts import Excerpt, copied, excerpts, kind_of
from media_judge import look, quiet_losses
from media_make import shots, write_video
from mutants import mutant
from mutation_bench import MutationBench, Tally

from pipeline.media.samples import make

SEED = 13
FORMS = ("mp4", "front.mp4", "fragments.mp4", "mkv", "ts", "flv", "asf", "nut")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> list[Excerpt]:
    """Excerpts of a sample video in every container that takes it."""
    folder = tmp_path_factory.mktemp("samples") / "made"
    make(folder)
    videos = [folder / "shapes.mp4", folder / "folder" / "one shot.mkv"]
    found = [(video.name, form, copied(video, form)) for video in videos for form in FORMS]
    plain = write_video(folder / "plain.avi", shots([15, 15]), codec="mpeg4")  # AVI takes no B-frames of H.264.
    found += [(plain.name, form, copied(plain, form)) for form in ("avi", "mkv", "mov")]
    return [Excerpt(name, form, kind_of(data, form), data) for name, form, data in found]


def told(tally: Tally) -> set[str]:
    assert tally.violations == []
    assert tally.deaths == []
    return set(tally.states)


def test_mutants_of_generated_media_end_with_a_true_state(generated: list[Excerpt], tmp_path: Path) -> None:
    assert all(one.data for one in generated)
    batch = [mutant(generated, SEED, number) for number in range(80)]
    assert told(MutationBench(generated, tmp_path).run(batch)) >= {"done", "partial", "failed"}


@pytest.mark.media
def test_mutants_of_real_media_end_with_a_true_state(shared_media: Path, tmp_path: Path) -> None:
    originals = excerpts(shared_media)
    batch = [mutant(originals, SEED, number) for number in range(40)]
    assert told(MutationBench(originals, tmp_path).run(batch)) >= {"partial", "failed"}


def test_a_mutant_can_be_made_again_by_its_number(generated: list[Excerpt]) -> None:
    first, again = ([mutant(generated, SEED, number) for number in range(50)] for _ in range(2))
    assert first == again
    assert len({one.data for one in first}) > 40


def test_the_judge_sees_a_quiet_loss(generated: list[Excerpt], tmp_path: Path) -> None:
    """What the judge would say if the job called each of these files whole."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    seen = {}
    for one in generated:
        whole.write_bytes(one.data)
        cut.write_bytes(one.data[: len(one.data) * 4 // 10])
        before, after = look(str(whole)), look(str(cut))
        assert quiet_losses(before, before, before.frames) == []
        assert quiet_losses(before, before, before.frames - 1), "a job that decoded one picture less"
        seen[one.suffix] = {text.split(":")[0] for text in quiet_losses(before, after, after.frames)}
    assert "index" in seen["front.mp4"]
    assert "track" in seen["mkv"] & seen["avi"]
    assert "header" in seen["mkv"]
    assert "packets" in seen["flv"]
