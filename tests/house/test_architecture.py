"""ARCHITECTURE.md shows the rooms that the tree has, in the order that the contracts hold."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.house.sources import ROOT, name, project_files

TEXT = (ROOT / "ARCHITECTURE.md").read_text()
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]


def layers(container: str) -> list[list[str]]:
    """Return the layers of a package from the top, each with the modules that share it."""
    (contract,) = [one for one in CONTRACTS if one.get("containers") == [container]]
    return [re.split(r"\s*\|\s*", layer) for layer in contract["layers"]]


def rows(heading: str) -> list[list[str]]:
    """Return the paths that each row of the table below a heading begins with."""
    section = re.search(rf"^### {re.escape(heading)}\n(.*?)(?=^##|\Z)", TEXT, re.S | re.M)
    assert section is not None, f"ARCHITECTURE.md has no heading {heading}"
    cells = re.findall(r"^\| (`[^|]*) \|", section[1], re.M)
    return [re.findall(r"`([^`]+)`", cell) for cell in cells]


@pytest.mark.parametrize("container", ["planes.model", "planes.kube", "cni"])
def test_the_rooms_stand_in_the_order_of_their_contract(container: str) -> None:
    folder = container.replace(".", "/")
    shown = [
        [path.removeprefix(f"{folder}/").removesuffix(".py") for path in row]
        for row in rows(f"Inside `{folder}`")
    ]
    assert [room for row in shown for room in row] == [
        room for layer in layers(container) for room in layer
    ]


def test_every_package_is_named() -> None:
    """A package nobody can look up is one nobody finds."""
    packages = {
        name(path.parent)
        for path in project_files(".py")
        if path.name == "__init__.py" and not path.is_relative_to(ROOT / "tests")
    }
    assert {package for package in packages if f"`{package}`" not in TEXT} == set()
