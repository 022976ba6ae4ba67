"""The documents point to things that exist, and the tree says nothing about where it was made."""

from __future__ import annotations

import re

from tests.house.sources import ROOT, name, project_files

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")
CODE_PATH = re.compile(r"`((?:planes|cni|certs|webhook|tests|docs|manifests|scripts)/[\w./-]*\w)`")
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


def test_paths_named_in_documents_exist() -> None:
    broken = [
        f"{name(path)} -> {target}"
        for path in project_files(".md")
        for target in CODE_PATH.findall(path.read_text())
        if not (ROOT / target).exists() and not (ROOT / f"{target}.py").exists()
    ]
    assert broken == []


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
