"""Kernel tests of the daemon: a node, and the machine checked before and after."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node.daemon import Place, place
from tests.support.node.netns import Node, node, unchanged_machine, why_no_link_kind


@pytest.fixture
def here() -> Iterator[Node]:
    """A node and a sandbox; skipped with the reason where there can be none."""
    reason = why_no_link_kind("macvlan")
    if reason:
        pytest.skip(reason)
    with unchanged_machine(), node() as made:
        yield made


@pytest.fixture
def daemon(here: Node) -> Iterator[Place]:
    """A place for a daemon on that node, with a short path."""
    with (
        tempfile.TemporaryDirectory(prefix="np-t-") as directory,
        place(Path(directory), here.host) as made,
    ):
        yield made
