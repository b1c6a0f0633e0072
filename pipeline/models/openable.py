"""Opens a checkpoint as torch's restricted reader does; a child process of `pipeline.models.check`.

    python -m pipeline.models.openable FILE

Prints one JSON object: `fault`, empty if the file holds nothing but weights.
"""

import json
import sys


def main(arguments: list[str]) -> int:
    """Print the answer. Returns the exit code."""
    import torch

    fault = ""
    try:
        torch.load(arguments[0], map_location="meta", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch raises what it likes on files that are none
        text = str(error)
        unsafe = "weights_only" in text.lower() or "Unsupported global" in text
        fault = (
            "it is a pickle that wants to run code while it is loaded; nothing ran"
            if unsafe
            else (text.strip().splitlines() or [type(error).__name__])[0][:300]
        )
    sys.stdout.write(json.dumps({"fault": fault}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
