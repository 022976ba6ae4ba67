"""`netplane map` as a user types it."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from planes.cli.map.command import is_plain_text
from tests.cli.map.scenes import small_machine
from tests.house.sources import ROOT
from tests.support.command_line import netplane

EXAMPLE = ROOT / "docs" / "map-example.svg"


@pytest.fixture
def where(tmp_path: Path) -> tuple[str, ...]:
    return small_machine(tmp_path)


def test_the_map_is_text_where_no_file_is_given(where: tuple[str, ...]) -> None:
    done = netplane("map", *where, env={"COLUMNS": "90"})
    assert done.status == 0
    assert "storage         ━━━━━━━━━━━━━━━━━━━━" in done.out
    assert "◆ net1 ━" in done.out
    assert max(map(len, done.out.splitlines())) <= 90


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"LANG": "C"}, {"LC_ALL": "POSIX"}])
def test_the_text_is_ascii_without_colour_or_locale(
    where: tuple[str, ...], env: dict[str, str]
) -> None:
    done = netplane("map", *where, env={"COLUMNS": "90", **env}, is_terminal=True)
    assert "* net1 =" in done.out
    assert done.out.replace("\x1b", "").isascii()


@pytest.mark.parametrize("env", [{}, {"LANG": "de_DE.UTF-8"}, {"LC_ALL": "C.utf8", "LANG": "C"}])
def test_other_terminals_get_lines(env: dict[str, str]) -> None:
    assert not is_plain_text(env)


def test_lines_have_the_colour_of_their_network(where: tuple[str, ...]) -> None:
    done = netplane("map", *where, env={"COLUMNS": "90"}, is_terminal=True)
    colours = {line[:5] for line in done.out.splitlines() if "━━" in line}
    assert len(colours) == 3


def test_files_are_written_and_the_text_only_where_it_is_asked_for(
    where: tuple[str, ...], tmp_path: Path
) -> None:
    html, svg = tmp_path / "m.html", tmp_path / "m.svg"
    done = netplane("map", *where, "--html", str(html), "--svg", str(svg))
    assert (done.status, done.out) == (0, f"wrote {html}\nwrote {svg}\n")
    assert html.read_text().startswith("<!DOCTYPE html>")
    assert svg.read_text().startswith("<svg ")
    assert stat.S_IMODE(html.stat().st_mode) == 0o644
    assert "━" in netplane("map", *where, "--svg", str(svg), "--text").out


def test_a_file_is_replaced_at_once_and_nothing_else_is_left(
    where: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for _ in range(2):
        assert netplane("map", *where, "--html", str(folder / "m.html")).status == 0
    assert os.listdir(folder) == ["m.html"]


@pytest.mark.parametrize("name", ["", "missing/m.html"])
def test_a_file_that_cannot_be_written_is_said(
    where: tuple[str, ...], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    done = netplane("map", *where, "--html", str(folder / name))
    assert done.status == 1
    assert f"cannot write {folder}" in done.err
    assert os.listdir(folder) == []


def test_the_document_has_everything(where: tuple[str, ...]) -> None:
    told = netplane("map", *where, "-o", "json").json
    assert [one["name"] for one in told["networks"]] == ["cluster network", "business", "storage"]
    (pod,) = (p for g in told["groups"] for p in g["pods"] if p["name"] == "database-0")
    assert pod["interfaces"][1] == {
        "network": "business",
        "interface": "net1",
        "addresses": [{"address": "192.168.100.10", "static": True}],
        "moreAddresses": 0,
    }
    assert told["addresses"][0]["staticRanges"] == ["192.168.100.0-192.168.100.255"]
    assert told["warnings"] == []


def test_one_namespace_and_the_other_grouping(where: tuple[str, ...]) -> None:
    told = netplane("map", *where, "-n", "shop", "--by", "namespace", "-o", "json").json
    assert [(g["name"], g["count"]) for g in told["groups"]] == [("shop", 4)]


@pytest.mark.parametrize(
    "words",
    [
        ("-n", "No_Name"),
        ("--by", "moon"),
        ("--serve", "70000"),
        ("--serve", "x"),
        ("--html", ""),
        ("--svg", ""),
        ("--serve", "--html", "map"),
        ("--serve", "--svg", "-"),
        ("--serve", "--text"),
        ("--html", "map", "--svg", "map"),
        ("--html", "-", "--svg", "map"),
        ("--svg", "-", "--text"),
        ("--svg", "-", "-o", "json"),
    ],
)
def test_a_wrong_command_line_is_refused(
    where: tuple[str, ...], words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.listdir()
    done = netplane("map", *where, *words)
    assert (done.status, done.out, os.listdir()) == (2, "", before)


@pytest.mark.parametrize("option", ["--html", "--svg"])
def test_a_dash_is_standard_output(where: tuple[str, ...], tmp_path: Path, option: str) -> None:
    printed = netplane("map", *where, option, "-")
    assert netplane("map", *where, option, str(tmp_path / "map")).status == 0
    assert printed.status == 0
    written = (tmp_path / "map").read_text()
    assert _without_time(printed.out) == _without_time(written)


def _without_time(text: str) -> str:
    return re.sub(r"as of [^<]*", "", text)


def test_the_text_of_the_documents_is_what_the_command_prints(where: tuple[str, ...]) -> None:
    done = netplane("map", *where, "-n", "shop", env={"COLUMNS": "96"})
    lines = [f"    {line}".rstrip() for line in done.out.splitlines()]
    assert "\n".join(lines) in (ROOT / "docs" / "map.md").read_text()


def test_the_picture_of_the_documents_is_made_by_the_command(
    where: tuple[str, ...], tmp_path: Path
) -> None:
    """To make it anew, write what this test made over it."""
    made = tmp_path / "example.svg"
    assert netplane("map", *where, "--svg", str(made)).status == 0
    assert made.read_bytes() == EXAMPLE.read_bytes()
