"""The machine that tests of `netplane pod` run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.pod_machine import Machine, pod_machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with pod_machine(tmp_path) as made:
        yield made
