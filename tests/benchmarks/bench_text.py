"""On-screen text: how right rapidocr reads, and what looking for changes saves.

    python tests/benchmarks/bench_text.py [--media DIR] [--only accuracy|made|real|saving]

Accuracy: 1 - edit distance / length, spaces and the forms of punctuation left out, on the pictures of
`groundtruth/ocr.tsv` whose script the model knows; where the list has only the first line, its best place counts.
Made: the same, and when each line begins and ends, of captions burnt into made videos, in English and in Chinese (cut
out of a picture of the list, for there may be no Chinese font), of several sizes and rates, looked at twice a second.
Real: the same of what the list says that videos show: lines of the text of one minute at most, and of one of them when.
Saving: CPU seconds of the text stage at every 10th frame of a made video with static captions over a moving ground,
with and without `text.unchanged`. Exit code 1 if a clean picture or a made video is below 0.9, or a time is wrong by
more than the step, or the share is above 0.4, or other lines are found.
"""

import argparse
import os
import re
import sys
import tempfile
import time
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import psutil

from pipeline.media.sweep import sweep
from pipeline.models.client import HostClient
from pipeline.models.standalone import StandaloneHost, standalone_host
from pipeline.reading.engines import choose, reader
from pipeline.sections import HostSettings
from pipeline.settings import PipelineSettings
from pipeline.stage_sections import TextSettings
from pipeline.stages.probe import probe
from pipeline.stages.text import FoundText, TextStage

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reading"))

from captioned import Caption, captioned, glyphs
from likeness import distance

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
KNOWN = ("CJK", "LATIN", "HIRAGANA", "KATAKANA", "DIGIT")
CLEAN = frozenset(
    {"ch_en_num.jpg", "en_rec.jpg", "issue_170.png", "return_word_debug.jpg", "testocr.png", "testocr.jpg"}
)
"""Pictures of printed text, upright and not tiny; the others are words out of photographs, receipts and the like."""
NOTE = re.compile(r"^first (line|word): |\(no text\)| \((alpha|EXIF-rotated)\)$")
"""What the list says of a picture beside its text."""
FORMS = str.maketrans(dict(zip("，！？：；（）。“”‘’…", (*",!?:;().\"\"''", "..."), strict=True)))
CAPTIONS = (
    Caption(0, 10, "STATIC TITLE OF THE SHOW", 30),
    Caption(1, 5, "The quick brown fox", 300),
    Caption(5, 9, "over 12 dogs", 300),
)
BURNT_IN = (
    Caption(0, 10, "STATIC TITLE OF THE SHOW", 30),
    Caption(1.3, 4.1, "我是中国人", 280),
    Caption(4.9, 6.2, "The quick brown fox, 1999", 280),
    Caption(6.2, 8.7, "中国人是我", 280),
    Caption(7.1, 9.4, "jumps over the lazy dog", 180),
)
MADE = (((640, 360), 25, 28), ((1280, 720), 30, 40), ((320, 180), 24, 16))
"""Size of the picture, pictures a second, height of the letters."""


class Shown(NamedTuple):
    """A text that a video shows; 0 to 0 where nobody has said when."""

    start_s: float
    end_s: float
    text: str


SLIDES = (  # ranges of frames, at 30 a second
    (0, 213, "LAION-400M: Open Dataset of CLIP-Filtered 400 Million Image-Text Pairs"),
    (213, 1523, "413M Image - Text - Pairs"), (213, 1523, "filtered with OpenAI CLIP"),
    (1523, 2096, "Empower independent researchers & ML practitioners to"),
    (1523, 2096, "easily create domain specific datasets"),
)  # fmt: skip
TRAILER = ("THE PEACH OPEN MOVIE PROJECT", "ONE BIG RABBIT", "THREE RODENTS", "AND ONE GIANT PAYBACK", "GET READY")
SUBTITLES = (
    "商城......现在没什么东西", "这边是战斗辅助系统", "要进去才能了解了", "没问题了吧", "我们准备登录",
    "啊对了，登录没有服务器的选择么", "没有本游戏所有玩家，都在一个服务器内", "刺激了，这么多玩家居然都不分流的么",
    "那......现在登录吗？", "好，登录吧！",
)  # fmt: skip
REAL: Mapping[str, tuple[float, float, float, tuple[Shown, ...]]] = {
    "devmaxxing+videocr-PaddleOCR/example_cropped.mp4": (430, 455, 0.25, tuple(Shown(0, 0, one) for one in SUBTITLES)),
    "kivy+kivy/examples/widgets/bigbuckbunny_trailer.m4v": (0, 40, 0.5, tuple(Shown(0, 0, one) for one in TRAILER)),
    "iejMac+video2dataset/tests/test_files/test_video.mp4": (
        0, 75, 1.0, tuple(Shown(start / 30, end / 30, text) for start, end, text in SLIDES),
    ),
}  # fmt: skip
"""From and to which second a video is looked at, how often, and what the list says of it."""


def main() -> int:
    """Print the figures and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--only", choices=("accuracy", "made", "real", "saving"))
    options = parser.parse_args()
    parts = {
        "accuracy": lambda: accuracy(options.media),
        "made": lambda: made(options.media),
        "real": lambda: real(options.media),
        "saving": saving,
    }
    good = [part() for name, part in parts.items() if options.only in (None, name)]
    return 0 if all(good) else 1


def accuracy(media: Path) -> bool:
    """Return whether every clean picture is read at least 0.9 right."""
    settings = TextSettings()
    engine = reader(choose(settings), settings, 1)
    low = []
    for line in (media / "groundtruth" / "ocr.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        path, _, text = line.split("\t")
        wanted = plain(NOTE.sub("", text.replace("\\n", "\n")))
        picture = cv2.imread(str(media / path)) if path.startswith("ocr/") else None
        if picture is None or not wanted or not known(wanted):
            continue
        pieces = engine.read(np.ascontiguousarray(picture[..., ::-1]))
        found = plain("".join(piece.text for piece in pieces if piece.confidence >= settings.min_confidence))
        right = best(wanted, found) if text.startswith("first") else 1 - distance(wanted, found) / len(wanted)
        name = Path(path).name
        sys.stdout.write(f"{right:6.3f} {'clean' if name in CLEAN else '     '} {name}: {found[:60]}\n")
        if name in CLEAN and right < 0.9:
            low.append(name)
    return not low


def plain(text: str) -> str:
    """Return text without spaces and in one form of punctuation."""
    return re.sub(r"\s+", "", text).translate(FORMS)


def known(text: str) -> bool:
    """Whether the model knows the script of every letter."""
    return all(unicodedata.name(char, "").startswith(KNOWN) for char in text if char.isalnum())


def best(wanted: str, found: str) -> float:
    """Return how right the best place in `found` is."""
    places = range(max(1, len(found) - len(wanted) + 1))
    return max(1 - distance(wanted, found[place : place + len(wanted)]) / len(wanted) for place in places)


def made(media: Path) -> bool:
    """Return whether captions that were burnt in are read at least 0.9 right, from when to when they were shown."""
    chinese, step_s, good = glyphs(media), 0.5, True
    with tempfile.TemporaryDirectory() as folder:
        for size, rate, text_px in MADE:
            captions = [Caption(*one[:3], one[3] * size[1] // 360) for one in BURNT_IN]
            path = captioned(
                Path(folder) / "made.mp4", captions, size=size, rate=rate, text_px=text_px, chinese=chinese
            )
            _, found = read(path, TextSettings(interval_s=step_s))
            told = f"{size[0]}x{size[1]}, {rate} fps, letters of {text_px} px"
            good = compared(told, [Shown(*caption[:3]) for caption in captions], found, step_s + 1 / rate) and good
    return good


def real(media: Path) -> bool:
    """Return whether the text of real videos is found as the list says; times where it tells them."""
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name, (from_s, to_s, step_s, shown) in REAL.items():
            path = excerpt(media / "videos" / name, Path(folder) / "excerpt.mp4", from_s, to_s)
            _, found = read(path, TextSettings(interval_s=step_s))
            good = compared(Path(name).name, shown, found, step_s + 0.05) and good
    return good


def compared(name: str, shown: Sequence[Shown], found: FoundText, within_s: float) -> bool:
    """Print how well what is shown was found, and return whether that is good."""
    right, letters, late_s = 0.0, 0, 0.0
    together = plain("".join(line.text for line in found.lines))
    for one in shown:
        wanted = plain(one.text)
        # What is one line to a person may be several to the engine, which stand side by side then.
        right += best(wanted, together) * len(wanted)
        letters += len(wanted)
        line = min(found.lines, key=lambda line: distance(wanted, plain(line.text)), default=None)
        if line and one.end_s:
            late_s = max(late_s, abs(line.start_s - one.start_s), abs(line.end_s - one.end_s))
    right /= letters
    sys.stdout.write(
        f"{right:6.3f} of {letters} characters, times within {late_s:.2f} s (allowed {within_s:.2f}): {name}, "
        f"{found.read} of {found.looked_at} pictures read\n"
    )
    return right >= 0.9 and late_s <= within_s


def excerpt(source: Path, path: Path, from_s: float, to_s: float) -> Path:
    """Copy the packets of the pictures from the keyframe before a time to another, with times from 0 there."""
    with av.open(str(source)) as given, av.open(str(path), "w") as taken:
        stream = given.streams.video[0]
        copied = taken.add_stream_from_template(stream)
        given.seek(int(from_s / stream.time_base), stream=stream)
        first = None
        for packet in given.demux(stream):
            if packet.pts is None or packet.dts is None:
                continue
            first = packet.pts if first is None else first
            if packet.pts * stream.time_base > to_s:
                break
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            packet.stream = copied
            taken.mux(packet)
    return path


def saving() -> bool:
    """Return whether looking for changes costs at most 0.4 of reading every picture, with the same lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = captioned(Path(folder) / "captions.mp4", CAPTIONS)
        sparing_s, sparing = read(path, TextSettings(interval_s=0.4))
        every_s, every = read(path, TextSettings(interval_s=0.4, unchanged=False))
    same = sparing.lines == every.lines
    sys.stdout.write(
        f"{every.looked_at} pictures: all read in {every_s:.1f} CPU s; {sparing.read} read in {sparing_s:.1f} CPU s, "
        f"share {sparing_s / every_s:.2f}, lines {'the same' if same else 'differ'}\n"
    )
    for line in sparing.lines:
        sys.stdout.write(f"  {line.start_s:5.2f} {line.end_s:5.2f} {line.text}\n")
    return same and sparing_s <= 0.4 * every_s


def read(path: Path, wanted: TextSettings) -> tuple[float, FoundText]:
    """Return the CPU seconds of reading a video, here and in the model host, and what was found."""
    settings, engine = PipelineSettings(text=wanted), choose(wanted)
    found = probe(os.fsencode(path), settings.probe)
    with (
        standalone_host(HostSettings(device="cpu"), {engine: wanted}) as host,
        closing(HostClient(host.socket_path, settings.host.window_bytes, progress=lambda _: None)) as client,
    ):
        client.submit_page(engine, 0, np.zeros((64, 64, 3), np.uint8))
        client.collect_read(wait=True)  # Loading is no part of it.
        stage = TextStage(client, engine, wanted, nullcontext)
        began = time.process_time() + cpu_s(host)
        swept = sweep(
            os.fsencode(path),
            found,
            (0, 0, found.width, found.height),
            settings,
            decode_threads=1,
            on_frame=lambda _: None,
            progress=lambda *_: None,
            onlooker=stage,
        )
        text = stage.finish(swept.duration_s)
        return time.process_time() + cpu_s(host) - began, text


def cpu_s(host: StandaloneHost) -> float:
    """Return the CPU seconds that a host has taken."""
    times = psutil.Process(host.process.pid).cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    raise SystemExit(main())
