"""Voice activity on real recordings: how much speech is found, how much of long silences is left out, what it costs.

    python tests/benchmarks/bench_speech.py [--media DIR] [--gap SECONDS] [--noise-db LEVEL]

Each recording of `groundtruth/transcripts.tsv` that is sound alone stands between silences of `--gap` seconds, with
noise of `--noise-db` below full scale. Speech are its moments of 10 ms that are at most 30 dB below its loudest ones;
long silences are those put in. Exit code 1 if less than 95 % of the speech of all recordings is in a window, or less
than 90 % of the silence is in none.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.media.sound import Sound, SoundTrack
from pipeline.models.speech import RATE_HZ
from pipeline.stage_sections import SpeechSettings
from pipeline.stages.speech import windows

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
MOMENT = RATE_HZ // 100
QUIET_DB = 30.0


def main() -> int:
    """Print the figures and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--gap", type=float, default=5.0)
    parser.add_argument("--noise-db", type=float, default=65.0)
    options = parser.parse_args()
    rng = np.random.default_rng(2026)
    level = 32768 * 10 ** (-options.noise_db / 20)
    sums = np.zeros(4)
    began = time.process_time()
    for name in recordings(options.media):
        said = samples_of(options.media / name)
        gap = round(options.gap * RATE_HZ)
        sound = rng.normal(0, level, len(said) + 2 * gap)
        sound[gap:-gap] += said
        counts = figures(np.clip(sound, -32768, 32767).astype(np.int16), moments(said), gap)
        sums += counts
        found, speech, left_out, silence = counts
        if found < 0.95 * speech or left_out < 0.9 * silence:
            print(f"  {name}: {found / speech:.1%} of speech found, {left_out / silence:.1%} of silence left out")
    took_s = time.process_time() - began
    found, speech, left_out, silence = sums
    print(f"speech found       {found / speech:.2%} of {speech / 100:.1f} s")
    print(f"silence left out   {left_out / silence:.2%} of {silence / 100:.1f} s")
    print(f"CPU seconds        {took_s:.2f}, {(speech + silence) / 100 / took_s:.0f} x real time and more")
    return 0 if found >= 0.95 * speech and left_out >= 0.9 * silence else 1


def recordings(media: Path) -> Iterator[str]:
    """Yield the recordings with a transcript that are sound alone."""
    for line in (media / "groundtruth" / "transcripts.tsv").read_text().splitlines()[1:]:
        name = line.split("\t")[0]
        if name.startswith("speech/"):
            yield name


def samples_of(path: Path) -> NDArray[np.int16]:
    """Return a recording as 16 kHz mono."""
    return np.concatenate([piece.samples for piece in SoundTrack(os.fsencode(path), "", 1 << 20).pieces()])


def moments(said: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return which moments of a recording are speech."""
    whole = said[: len(said) // MOMENT * MOMENT].reshape(-1, MOMENT).astype(np.float64)
    loudness = 10 * np.log10((whole**2).mean(axis=1) + 1e-3)
    speech: NDArray[np.bool_] = loudness > np.percentile(loudness, 99) - QUIET_DB
    return speech


def figures(sound: NDArray[np.int16], speech: NDArray[np.bool_], gap: int) -> NDArray[np.float64]:
    """Return moments of speech found, of speech, of silence left out, of silence."""
    inside = np.zeros(len(sound) // MOMENT + 1, bool)
    pieces = [Sound(first / RATE_HZ, sound[first : first + 4096]) for first in range(0, len(sound), 4096)]
    for start_s, window in windows(pieces, SpeechSettings()):
        inside[round(start_s * 100) : round((start_s + window.length_s) * 100)] = True
    first = gap // MOMENT
    heard = inside[first : first + len(speech)]
    around = np.concatenate([inside[:first], inside[first + len(speech) :][:first]])
    return np.array([(heard & speech).sum(), speech.sum(), (~around).sum(), len(around)], np.float64)


if __name__ == "__main__":
    sys.exit(main())
