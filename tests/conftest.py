"""Fixtures for every suite, and the check that the suite leaves the machine as it found it."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.node.machine import differences, snapshot

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
def sigint_as_in_the_foreground() -> Iterator[None]:
    """Programs that tests start can be interrupted, also under `make test &` and `nohup`.

    There the tests ignore SIGINT, and whatever they start would inherit that.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def machine_left_as_found() -> Iterator[None]:
    """Interfaces, namespaces, rules, files and processes are the same after the last test."""
    before = snapshot()
    yield
    left = differences(before, snapshot())
    assert not left, "the suite left the machine changed:\n" + "\n".join(left)
