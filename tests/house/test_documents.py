"""The documents point to things that exist, and the tree says nothing about where it was made."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.house.sources import ROOT, name, project_files

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")
TOP = "planes|cni|certs|webhook|tests|docs|manifests|scripts"
CODE_PATH = re.compile(rf"`((?:{TOP})/[\w./-]*)`")
MODULE = re.compile(rf"`((?:{TOP})(?:\.\w+)+)`")
ROOT_FILE = re.compile(
    r"`(\.ci/run|\.containerignore|[\w-]+\.(?:md|toml|lock)|Makefile|Containerfile)`"
)
TEST_NAME = re.compile(r"`((?:[\w-]+/)*test_\w+)`")
IMAGE = re.compile(r"netplane:(\d+\.\d+\.\d+)|newName: \S*netplane, newTag: (\S+?)\}")
WORKPLACE = re.compile(
    r"\b(py"
    r"pi|pythonhosted|npm"
    r"js)\.(org|com)\b|\bproxy\.golang\b|/wo"
    r"rk/|\.debian\.(org|net)\b"
)


def test_links_between_documents_resolve() -> None:
    broken = [
        f"{name(path)} -> {target}"
        for path in project_files(".md")
        for target in LINK.findall(path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []


def living_documents() -> list[Path]:
    """Return the documents that speak of the tree as it is: all but the history of changes."""
    return [path for path in project_files(".md") if path.name != "CHANGELOG.md"]


def exists(target: str) -> bool:
    """Report whether a file, a module without its suffix, or a folder has this path."""
    return (ROOT / target).exists() or (ROOT / f"{target}.py").exists()


def test_paths_named_in_documents_exist() -> None:
    broken = [
        f"{name(path)} -> {target}"
        for path in living_documents()
        for target in CODE_PATH.findall(path.read_text())
        if not exists(target)
    ]
    assert broken == []


def test_modules_named_in_documents_exist() -> None:
    """`planes.store` is a package, `cni.daemon` a module; what follows a module is its member."""
    broken = [
        f"{name(path)} -> {module}"
        for path in living_documents()
        for module in MODULE.findall(path.read_text())
        if not exists(module.replace(".", "/"))
        and not exists(module.rpartition(".")[0].replace(".", "/") + ".py")
    ]
    assert broken == []


def test_files_of_the_root_named_in_documents_exist() -> None:
    broken = [
        f"{name(path)} -> {target}"
        for path in living_documents()
        if path.parent == ROOT or path.is_relative_to(ROOT / "docs")
        for target in ROOT_FILE.findall(path.read_text())
        if not (ROOT / target).exists() and not (path.parent / target).exists()
    ]
    assert broken == []


def test_tests_named_in_documents_exist() -> None:
    """A test without a folder is one of the attacks, as SECURITY.md says at its top."""
    broken = [
        f"{name(path)} -> {target}"
        for path in living_documents()
        for target in TEST_NAME.findall(path.read_text())
        if not exists(target) and not exists(f"tests/attacks/{target}")
    ]
    assert broken == []


def test_the_version_is_one() -> None:
    """The image that manifests and documents name is of the version that the project has."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    named = {
        f"{name(path)}: {tag}"
        for path in project_files(".md", ".yaml")
        for tags in IMAGE.findall(path.read_text())
        for tag in tags
        if tag
    }
    assert {text.partition(": ")[2] for text in named} == {version}, named
    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text()


def test_no_file_names_a_registry_host_or_a_path_of_one_machine() -> None:
    offenders = [
        name(path)
        for path in project_files()
        if path.suffix not in {".png"} and WORKPLACE.search(path.read_text(errors="replace"))
    ]
    assert offenders == []


def test_locks_carry_hashes_and_no_index() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index" not in text


def test_no_document_waits_without_an_end() -> None:
    """A program that ended at once is never ready: a loop that waits for it has a limit."""
    endless = [
        f"{name(path)}: {line}"
        for path in project_files(".md")
        for line in path.read_text().splitlines()
        if re.match(r"\s*(until|while) .*", line) and line.rstrip().endswith(("done", "do"))
    ]
    assert endless == []
