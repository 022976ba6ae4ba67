"""Files stay within 300 lines and functions within 50: split by concept, not by thinning."""

from __future__ import annotations

import ast

from tests.house.sources import name, project_files

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50


def test_no_source_file_is_longer_than_300_lines() -> None:
    too_long = {
        name(path): lines
        for path in project_files(".py", ".c", ".h")
        if (lines := len(path.read_text().splitlines())) > MAX_FILE_LINES
    }
    assert too_long == {}


def test_no_function_is_longer_than_50_lines() -> None:
    too_long = []
    for path in project_files(".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    too_long.append(f"{name(path)}:{node.lineno} {node.name} ({lines})")
    assert too_long == []


def test_no_module_is_named_after_what_it_is_not_about() -> None:
    banned = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [name(p) for p in project_files(".py") if p.stem in banned] == []
