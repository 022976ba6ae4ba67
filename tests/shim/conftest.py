"""The shim, compiled once for all tests, and a place for each test's sockets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node.shim import SANITIZED, Shim, compile_shim, static_shim


@pytest.fixture
def directory() -> Iterator[Path]:
    """A place whose sockets have short paths, whatever the name of the test."""
    made = Path(tempfile.mkdtemp(prefix="np-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def static_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return static_shim(tmp_path_factory)


@pytest.fixture(scope="session")
def sanitized_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cc = shutil.which("gcc")
    if cc is None:
        pytest.skip("no gcc: its sanitizers are needed")
    return compile_shim(tmp_path_factory.mktemp("shim") / "sanitized", *SANITIZED, cc=cc)


@pytest.fixture
def shim(static_binary: Path, directory: Path) -> Shim:
    return Shim(static_binary, directory)


@pytest.fixture
def sanitized(sanitized_binary: Path, directory: Path) -> Shim:
    """The shim with address and undefined behaviour checks: a finding is a non-zero exit."""
    return Shim(sanitized_binary, directory)
