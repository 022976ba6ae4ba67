"""Fixtures of the cluster tests: an API server alone, or a whole cluster.

`make test` does not collect this folder (norecursedirs in pyproject.toml): `make apiserver` and
`make e2e` do, and `pytest tests/cluster/test_x.py` by hand.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.cluster.apiserver import ApiServer, running_api_server
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing

SECONDS_PER_TEST = 120


def pytest_configure() -> None:
    """Take the clusters down when told to stop (`scripts/e2e` does), as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Return every cluster test more time than a unit test has, unless it says how much."""
    for item in items:
        if "tests/cluster" in str(item.path) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS_PER_TEST))


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """One API server for all tests of a run: use namespaces and names of your own."""
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as server:
        yield server


@pytest.fixture
def own_api_server() -> Iterator[ApiServer]:
    """An API server for one test alone, which may stop it or change it as a whole."""
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as server:
        yield server
