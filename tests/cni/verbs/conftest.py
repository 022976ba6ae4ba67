"""A directory for a runtime and its kubelet."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def root() -> Iterator[Path]:
    """Make a short directory, as a socket is in it."""
    made = Path(tempfile.mkdtemp(prefix="np-d-"))
    yield made
    shutil.rmtree(made)
