"""Odd things among the inputs are skipped or done once, and the scan never blocks on them (case 15)."""

import os
import socket
from pathlib import Path

from engine_harness import SETTLE_S, Bench, Clock, jobs, settings

from pipeline.model import FailureClass, JobState


def test_what_is_no_file_is_skipped_with_its_reason_and_nothing_blocks(bench: Bench, tmp_path: Path) -> None:
    bench.video("plain.mp4")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "far.mp4").write_text("done\nfar\n")
    inside = bench.source
    os.mkfifo(inside / "pipe.mp4")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(inside / "socket.mp4"))
    (inside / "device.mp4").symlink_to("/dev/zero")
    (inside / "loop.mp4").symlink_to("loop.mp4")
    (inside / "up").symlink_to("..")
    (inside / "out_folder").symlink_to(outside)
    (inside / "out_file.mp4").symlink_to(outside / "far.mp4")
    (inside / "dangling.mp4").symlink_to("nowhere")
    os.link(inside / "plain.mp4", inside / "twin.mp4")
    rows = jobs(bench.run(settings()))
    listener.close()
    assert {name: (str(row.state), row.note) for name, row in rows.items()} == {
        "plain.mp4": ("done", ""),
        "twin.mp4": ("skipped", "the same file as plain.mp4"),
        "pipe.mp4": ("skipped", "a named pipe, not a file"),
        "socket.mp4": ("skipped", "a socket, not a file"),
        "device.mp4": ("skipped", "a device, not a file"),
        "loop.mp4": ("skipped", "a link that leads nowhere or in a circle"),
        "dangling.mp4": ("skipped", "a link that leads nowhere or in a circle"),
        "up": ("skipped", "a link to a folder; give that folder as an input of its own"),
        "out_folder": ("skipped", "a link to a folder; give that folder as an input of its own"),
        "out_file.mp4": ("done", ""),
    }
    assert bench.log() == {"plain.mp4": 1, "out_file.mp4": 1}


def test_names_that_are_not_text_are_distinct_rows_and_come_back_as_they_are(bench: Bench) -> None:
    names = [b"caf\xe9.mp4", "café.mp4".encode(), "cafe\u0301.mp4".encode(), b"new\nline.mp4", b"-x.mp4", b"[bold].mp4"]
    names += [b"n" * 251 + b".mp4"]
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(bench.source), name), "w") as file:
            file.write(f"skip\n{number}\n")
    snapshot = bench.run(settings())
    assert {os.fsencode(row.name) for row in snapshot.jobs} == set(names)
    assert {row.state for row in snapshot.jobs} == {JobState.SKIPPED}


def test_a_file_that_may_not_be_read_is_reported(bench: Bench) -> None:
    bench.video("a.mp4")
    forbidden = bench.video("b.mp4")
    forbidden.chmod(0)
    rows = jobs(bench.run(settings()))
    assert rows["a.mp4"].state is JobState.DONE
    if os.access(forbidden, os.R_OK):  # root may read it all the same
        assert rows["b.mp4"].state is JobState.DONE
    else:
        assert (rows["b.mp4"].state, rows["b.mp4"].failure) == (JobState.FAILED, FailureClass.IO)


def test_a_file_that_vanishes_before_its_turn_is_reported(bench: Bench) -> None:
    path = bench.video("a.mp4")
    options, clock = settings(settle_s=SETTLE_S), Clock()
    with bench.engine(options, clock=clock) as driven:
        driven.engine.send(bench.start(options))
        driven.until_settling()
        path.unlink()
        clock.settle(driven)
        done = driven.until_done()
    assert (done.failures[0].failure, done.failures[0].message) == (
        FailureClass.IO,
        "cannot be read: No such file or directory",
    )
