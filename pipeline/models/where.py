"""Asks a library where the weights of a pretrained tag are kept; a child process of `pipeline.models.library`.

    python -m pipeline.models.where LIBRARY ARCHITECTURE TAG

LIBRARY is open_clip or timm. Prints one JSON object: `hub` (repository and, after a last slash, maybe a file; empty if
the tag is unknown) and `tags` (those it knows).
"""

import json
import sys

from pipeline.models.operators import declare_missing_operators


def main(arguments: list[str]) -> int:
    """Print the answer. Returns the exit code."""
    library, architecture, tag = arguments
    declare_missing_operators()
    place, tags = (_timm if library == "timm" else _open_clip)(architecture, tag)
    sys.stdout.write(json.dumps({"hub": place, "tags": tags}) + "\n")
    return 0


def _open_clip(architecture: str, tag: str) -> tuple[str, list[str]]:
    import open_clip

    place = str(open_clip.get_pretrained_cfg(architecture, tag).get("hf_hub", ""))
    return place, [str(name) for name in open_clip.list_pretrained_tags_by_model(architecture)]


def _timm(architecture: str, tag: str) -> tuple[str, list[str]]:
    import timm

    names = [str(name) for name in timm.list_pretrained(f"{architecture}.*")]
    tags = [name.partition(".")[2] for name in names]
    if tag not in tags:
        return "", tags
    config = timm.models.get_pretrained_cfg(f"{architecture}.{tag}")
    return f"{config.hf_hub_id}/{config.hf_hub_filename or ''}" if config and config.hf_hub_id else "", tags


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
