"""The krew manifest is of this program, and claims no release that there is not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "manifests" / "krew" / "netplane.yaml"
PLUGIN = yaml.safe_load(FILE.read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_file_plugin_and_program_have_one_name() -> None:
    assert PLUGIN["metadata"]["name"] == FILE.stem
    names = {Path(platform["bin"]).name for platform in PLUGIN["spec"]["platforms"]}
    assert names == {f"kubectl-{FILE.stem}"}
    assert names <= set(PROJECT["scripts"])


def test_the_version_is_the_projects_with_the_letter_that_krew_demands() -> None:
    assert PLUGIN["spec"]["version"] == f"v{PROJECT['version']}"


def test_the_short_description_is_as_short_as_krews_reviewers_ask() -> None:
    assert len(PLUGIN["spec"]["shortDescription"]) <= 50


def test_an_archive_has_a_checksum_or_is_said_to_be_missing() -> None:
    for platform in PLUGIN["spec"]["platforms"]:
        assert ("uri" in platform) == ("sha256" in platform)
    if not all("uri" in platform for platform in PLUGIN["spec"]["platforms"]):
        assert "Missing is a release" in FILE.read_text()
