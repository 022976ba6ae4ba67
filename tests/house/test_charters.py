"""Every package and module says what it is for; every test says which fact it holds."""

from __future__ import annotations

import ast

from tests.house.sources import ROOT, name, project_files

PACKAGES = ("planes", "certs", "webhook", "cni", "tests")


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
