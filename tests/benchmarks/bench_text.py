"""On-screen text: how right rapidocr reads, and what looking for changes saves.

    python tests/benchmarks/bench_text.py [--media DIR] [--only accuracy|saving]

Accuracy: 1 - edit distance / length, spaces and the forms of punctuation left out, on the pictures of
`groundtruth/ocr.tsv` whose script the model knows; where the list has only the first line, its best place counts.
Saving: CPU seconds of the text stage at every 10th frame of a made video with static captions over a moving ground,
with and without `text.unchanged`. Exit code 1 if a clean picture is below 0.9, or the share is above 0.4, or other
lines are found.
"""

import argparse
import os
import re
import sys
import tempfile
import time
import unicodedata
from contextlib import nullcontext
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.media.sweep import sweep
from pipeline.reading.engines import choose, reader
from pipeline.sections import TextSettings
from pipeline.settings import PipelineSettings
from pipeline.stages.probe import probe
from pipeline.stages.text import FoundText, TextStage

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reading"))

from likeness import distance

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
KNOWN = ("CJK", "LATIN", "HIRAGANA", "KATAKANA", "DIGIT")
CLEAN = frozenset(
    {"ch_en_num.jpg", "en_rec.jpg", "issue_170.png", "return_word_debug.jpg", "testocr.png", "testocr.jpg"}
)
"""Pictures of printed text, upright and not tiny; the others are words out of photographs, receipts and the like."""
FORMS = str.maketrans("，！？：；（）。“”‘’", ",!?:;().\"\"''")
CAPTIONS = ((0, 10, "STATIC TITLE OF THE SHOW", 30), (1, 5, "The quick brown fox", 300), (5, 9, "over 12 dogs", 300))


def main() -> int:
    """Print the figures and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--only", choices=("accuracy", "saving"))
    options = parser.parse_args()
    good = True
    if options.only != "saving":
        good = accuracy(options.media)
    if options.only != "accuracy":
        good = saving() and good
    return 0 if good else 1


def accuracy(media: Path) -> bool:
    """Return whether every clean picture is read at least 0.9 right."""
    settings = TextSettings()
    engine = reader(choose(settings), settings.languages, settings.longest_px, settings.batch, 1)
    low = []
    for line in (media / "groundtruth" / "ocr.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        path, _, text = line.split("\t")
        wanted = plain(text.replace("\\n", "\n").removeprefix("first line: ").removeprefix("first word: "))
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


def saving() -> bool:
    """Return whether looking for changes costs at most 0.4 of reading every picture, with the same lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = captioned(Path(folder) / "captions.mp4")
        read(path, TextSettings(interval_s=5))  # Loading is no part of it.
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


def captioned(path: Path) -> Path:
    """Make ten seconds of static captions over a moving ground."""
    down, across = np.mgrid[:360, :640]
    font = ImageFont.load_default(28)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "50", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(250):
            ground = np.abs((across // 5 + down // 3 + 2 * number) % 256 - 128).astype(np.uint8)
            picture = Image.fromarray(np.stack([ground, ground // 2, 255 - ground], -1))
            for start_s, end_s, text, y in CAPTIONS:
                if start_s <= number / 25 < end_s:
                    ImageDraw.Draw(picture).text((40, y), text, font=font, stroke_width=2, stroke_fill="black")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return path


def read(path: Path, wanted: TextSettings) -> tuple[float, FoundText]:
    """Return the CPU seconds of reading a video, decoding included, and what was found."""
    settings = PipelineSettings(text=wanted)
    found = probe(os.fsencode(path), settings.probe)
    engine = choose(wanted)
    stage = TextStage(
        engine, lambda: reader(engine, wanted.languages, wanted.longest_px, wanted.batch, 1), wanted, nullcontext
    )
    began = time.process_time()
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
    return time.process_time() - began, stage.finish(swept.duration_s)


if __name__ == "__main__":
    raise SystemExit(main())
