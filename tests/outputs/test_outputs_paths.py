"""Every video has an output name of its own that any file system takes."""

import os
from pathlib import Path

import pytest

from pipeline.outputs.paths import MAX_NAME_BYTES, features_name, features_path, frames_folder, part_path


def test_the_videos_own_extension_is_kept() -> None:
    assert features_path(b"/out", b"a/b.mp4") == b"/out/features/a/b.mp4.h5"
    assert frames_folder(b"/out", b"a/b.mp4") == b"/out/frames/a/b.mp4"
    assert features_name(b"b.mp4") != features_name(b"b.mkv")


def test_long_names_are_cut_at_whole_characters_and_stay_distinct(tmp_path: Path) -> None:
    names = [("é" * 126 + tail + ".mp4").encode() for tail in ("a", "b")] + [b"\xff" * 255]
    found = {features_name(name) for name in names}
    assert len(found) == 3
    for path in found:
        name = os.path.basename(path)
        assert len(name) <= MAX_NAME_BYTES
        assert name.endswith(b".h5")
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).touch()
    assert features_name(names[0]).partition(b"~")[0].decode().endswith("é")


@pytest.mark.parametrize("relative", [b"", b"/etc/passwd", b"../x.mp4", b"a/../../x", b"a//b", b"a/./b", b"a\0b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(relative: bytes) -> None:
    with pytest.raises(ValueError, match="not a path inside"):
        features_path(b"/out", relative)


def test_a_temporary_lies_beside_its_target_under_a_short_name() -> None:
    part = part_path(b"/out/features/" + b"x" * 255)
    assert os.path.dirname(part) == b"/out/features"
    assert len(os.path.basename(part)) == 22
