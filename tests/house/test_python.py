"""The sources run on the oldest Python that they promise: Debian 12 has 3.11.2."""

from __future__ import annotations

import ast
import re

from tests.house.sources import name, project_files

POSSESSIVE = re.compile(r"[\])][*+?][+]|\(\?>")


def test_no_pattern_has_a_possessive_quantifier_or_an_atomic_group() -> None:
    """Python 3.11.2 matches some of them wrongly (CPython gh-106052)."""
    offenders = [
        f"{name(path)}:{node.lineno}"
        for path in project_files(".py")
        if path.parent.name != "house"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str | bytes)
        and POSSESSIVE.search(
            node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        )
    ]
    assert offenders == []
