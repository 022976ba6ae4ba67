"""Fixtures for every suite, and the check that the suite leaves the machine as it found it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.machine import differences, snapshot

settings.register_profile("dev", max_examples=50, deadline=None)
# A red build must be the fault of the change: exploring is for the runs people make.
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


@pytest.fixture(autouse=True)
def logging_left_as_found() -> Iterator[None]:
    """A test that configures logging, as the programs do, does not decide it for the next one."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)


@pytest.fixture(scope="session", autouse=True)
def machine_left_as_found() -> Iterator[None]:
    """Interfaces, namespaces, rules, files and processes are the same after the last test."""
    before = snapshot()
    yield
    left = differences(before, snapshot())
    assert not left, "the suite left the machine changed:\n" + "\n".join(left)
