"""Examples hand out no first address that looks like a mistake.

In a /16 the address 192.168.10.0 is a host's like any other; readers, and some old devices, take it
for a network's.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "manifests").rglob("*.yaml")),
    *sorted((ROOT / "planes/cli/demo/inputs").iterdir()),
]
RANGE = re.compile(r"\b(\d+\.\d+\.\d+\.\d+) ?- ?\d+\.\d+\.\d+\.\d+\b")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_range_begins_with_what_looks_like_a_network(path: Path) -> None:
    begins = RANGE.findall(path.read_text())
    assert [first for first in begins if first.endswith(".0")] == []


def test_ranges_are_found() -> None:
    assert sum(len(RANGE.findall(path.read_text())) for path in FILES) >= 5
