"""One API server with what is shipped of kinds, roles and policies, for all attacks on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.apiserver.shipped import Shipped
from tests.cluster.conftest import api_server, own_api_server, pytest_configure

__all__ = ["api_server", "own_api_server", "pytest_configure"]

SECONDS_PER_TEST = 120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Return every test here the time that cluster tests have."""
    for item in items:
        here = "tests/attacks/apiserver" in str(item.path)
        if here and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS_PER_TEST))


@pytest.fixture(scope="session")
def shipped() -> Iterator[Shipped]:
    """The shipped kinds, roles and policies in force; names of its objects are each test's own."""
    with Shipped.running() as made:
        yield made
