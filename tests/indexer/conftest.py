"""What the tests of this package share."""

from collections.abc import Iterator

import pytest

from tests.indexer.site import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as running:
        yield running
