"""A directory for a kubelet: its socket's path must be short."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def kubelet_dir() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="np-k-"))
    yield made
    shutil.rmtree(made)
