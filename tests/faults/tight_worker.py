"""The real worker in an address space that is full as soon as it has started, while the file LIMIT is there.

python tight_worker.py LIMIT --fd N --nice N
"""

import resource
import sys
from pathlib import Path

import h5py  # noqa: F401 - what the worker needs is loaded before the space is closed

import pipeline.desk  # noqa: F401
from pipeline import worker

SPARE_BYTES = 40 << 20


def main() -> None:
    """Close the address space but for a little, and be a worker."""
    if Path(sys.argv[1]).exists():
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + SPARE_BYTES,) * 2)
    worker.main(sys.argv[2:])


if __name__ == "__main__":
    main()
