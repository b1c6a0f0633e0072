"""Tells the codecs of videos: `python -m pipeline.benchmark.codecs`, a program since whoever asks must not import av.

It reads a JSON list of paths from stdin and writes the codec of each, empty where there is none to be told.
"""

import json
import sys

import av


def codec_of(path: str) -> str:
    """Return the codec of a file's first video stream, empty if it has none or cannot be opened."""
    try:
        with av.open(path) as container:
            return container.streams.video[0].codec_context.codec.canonical_name
    except (av.error.FFmpegError, OSError, LookupError, ValueError):
        return ""


def main() -> int:
    """Answer what stdin asks."""
    av.logging.set_level(None)
    json.dump([codec_of(path) for path in json.load(sys.stdin)], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
