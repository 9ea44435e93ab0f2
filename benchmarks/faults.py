"""Inflict faults on an installation at scale, and check that no acknowledged work is lost or done twice.

    python -m benchmarks.faults [--jobs 500] [--seed N] [--keep FOLDER]

The harness is `tests.support.faults`, which a test runs as well, with eight links. docs/faults.md says what is
promised.
"""

from tests.support.faults.__main__ import main

if __name__ == "__main__":
    main()
