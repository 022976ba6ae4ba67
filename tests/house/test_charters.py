"""Every package and module says what it is for; every test says which fact it holds."""

from __future__ import annotations

import ast
import re

from tests.house.sources import ROOT, name, project_files

PACKAGES = ("planes", "certs", "webhook", "cni", "tests")
ARGUMENTS = re.compile(r"^Args:\n((?: {4}.*\n?|\n)+)", re.MULTILINE)
NAMED = re.compile(r"^ {4}(\w+(?:, \w+)*):", re.MULTILINE)


def test_every_package_has_a_charter() -> None:
    missing = []
    for package in PACKAGES:
        folders = {
            path.parent for path in project_files(".py") if path.is_relative_to(ROOT / package)
        }
        for folder in folders:
            charter = folder / "__init__.py"
            if not charter.is_file() or not ast.get_docstring(ast.parse(charter.read_text())):
                missing.append(name(folder))
    assert missing == []


def test_every_module_has_a_docstring() -> None:
    missing = [
        name(path)
        for path in project_files(".py")
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert missing == []


def test_no_test_patches_what_it_tests() -> None:
    """Fakes stand at our own seams; nothing is patched from outside."""
    banned = ("mock" + ".patch", "unittest" + ".mock", "monkeypatch.set" + "attr")
    offenders = [
        name(path)
        for path in project_files(".py")
        if any(word in path.read_text() for word in banned)
    ]
    assert offenders == []


def test_nothing_is_left_for_later() -> None:
    """A half-done thing is an issue, not a comment."""
    words = ("TO" + "DO", "FIX" + "ME", "XX" + "X ", "Not" + "ImplementedError")
    offenders = [
        name(path)
        for path in project_files(".py", ".c", ".sh", ".yaml")
        if any(word in path.read_text() for word in words)
    ]
    assert offenders == []


def test_arguments_in_a_docstring_are_those_of_its_function_or_class() -> None:
    offenders = [
        f"{name(path)}:{node.lineno}: {argument}"
        for path in project_files(".py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        for argument in sorted(_described(node) - _accepted(node))
    ]
    assert offenders == []


def _described(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the names below `Args:`; a line may have two, `low, high: the bounds`."""
    section = ARGUMENTS.search(ast.get_docstring(node) or "")
    lines = NAMED.findall(section.group(1)) if section else []
    return {argument for line in lines for argument in line.split(", ")}


def _accepted(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the parameters of a function, or those that a class is made with."""
    if isinstance(node, ast.ClassDef):
        methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
        fields = [each.target for each in node.body if isinstance(each, ast.AnnAssign)]
        names = {each.id for each in fields if isinstance(each, ast.Name)}
        return names.union(*(_accepted(each) for each in methods if each.name == "__init__"))
    given = node.args
    several = [each for each in (given.vararg, given.kwarg) if each is not None]
    return {each.arg for each in [*given.posonlyargs, *given.args, *given.kwonlyargs, *several]}
