"""The program `vconsole`; `python -m vconsole` is the same."""

import sys
from collections.abc import Sequence

from vconsole import cli


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with `argv` (without its name) and return the exit code."""
    return cli.run(sys.argv[1:] if argv is None else list(argv))


if __name__ == "__main__":
    sys.exit(main())
