"""One name means one thing, in the sources and in the tests beside them."""

from __future__ import annotations

import ast
from collections import defaultdict

import pytest

from tests.house.sources import ROOT, name, project_files

SOURCES = ("planes", "certs", "webhook", "cni")


def test_no_two_source_modules_define_a_class_of_one_name() -> None:
    modules = defaultdict(list)
    for path in project_files(".py"):
        if path.relative_to(ROOT).parts[0] in SOURCES:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    modules[node.name].append(name(path))
    assert {found: paths for found, paths in modules.items() if len(paths) > 1} == {}


@pytest.mark.parametrize(("tests", "sources"), [("cni", "cni"), ("kube", "planes/kube")])
def test_each_folder_of_tests_is_named_after_a_package(tests: str, sources: str) -> None:
    packages = {path.parent.name for path in (ROOT / sources).glob("*/__init__.py")}
    folders = {path.parent.name for path in (ROOT / "tests" / tests).glob("*/__init__.py")}
    assert folders <= packages
