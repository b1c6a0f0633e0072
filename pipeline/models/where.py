"""Asks open_clip where the weights of a pretrained tag are kept; a child process of `pipeline.models.registry`.

    python -m pipeline.models.where ARCHITECTURE TAG

Prints one JSON object: `hub` (repository and optional file, empty if the tag is unknown) and `tags` (those it knows).
"""

import json
import sys

from pipeline.models.operators import declare_missing_operators


def main(arguments: list[str]) -> int:
    """Print the answer. Returns the exit code."""
    architecture, tag = arguments
    declare_missing_operators()
    import open_clip

    place = str(open_clip.get_pretrained_cfg(architecture, tag).get("hf_hub", ""))
    tags = [str(name) for name in open_clip.list_pretrained_tags_by_model(architecture)]
    sys.stdout.write(json.dumps({"hub": place, "tags": tags}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
