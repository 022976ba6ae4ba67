"""Fixtures of attacks on a real node; some are those of the daemon's own kernel tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.hanging import AttackedNode, attacked_node
from tests.cni.conftest import daemon, here
from tests.support.node.netns import unchanged_machine, why_no_kernel_tests

__all__ = ["daemon", "here"]


@pytest.fixture
def attacked() -> Iterator[AttackedNode]:
    """A node on which a tenant's plugins hang; skipped with the reason where there can be none."""
    if reason := why_no_kernel_tests():
        pytest.skip(reason)
    with (
        unchanged_machine(),
        tempfile.TemporaryDirectory(prefix="np-t-") as directory,
        attacked_node(Path(directory)) as made,
    ):
        yield made
