"""The archive: reproducible, bounded, private, and complete or not there."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.dump.archive import RESERVED, check_name, new_archive
from planes.model.errors import BadInput, Conflict, Internal

LIMIT = RESERVED + (1 << 20)


def write(target: Path, *, replaces: bool = False, text: bytes = b"one") -> bytes:
    with (
        new_archive(target, limit=LIMIT, replaces=replaces) as archive,
        archive.member("a/b.jsonl", 1000) as member,
    ):
        member.line(text)
    return target.read_bytes()


def test_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "1.tar.gz")
    os.utime(tmp_path)
    assert write(tmp_path / "2.tar.gz") == first


def test_it_is_private_and_says_nothing_of_who_made_it(tmp_path: Path) -> None:
    write(tmp_path / "a.tar.gz")
    assert (tmp_path / "a.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        (entry,) = tar.getmembers()
    assert (entry.name, entry.mtime, entry.uid, entry.gid) == ("a/b.jsonl", 0, 0, 0)
    assert (entry.uname, entry.gname, entry.mode) == ("", "", 0o600)
    assert os.listdir(tmp_path) == ["a.tar.gz"]


def test_a_file_that_is_there_is_replaced_only_where_asked(tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    first = write(target)
    with pytest.raises(Conflict, match="there is such a file already"):
        write(target, text=b"two")
    assert target.read_bytes() == first
    assert write(target, text=b"two", replaces=True) != first


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("mine")
    (tmp_path / "a.tar.gz").symlink_to(tmp_path / "real")
    with pytest.raises(Conflict):
        write(tmp_path / "a.tar.gz")
    with pytest.raises(BadInput, match="it is a symbolic link"):
        write(tmp_path / "a.tar.gz", replaces=True)
    assert (tmp_path / "real").read_text() == "mine"


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.tar.gz"
    with pytest.raises(Conflict), new_archive(target, limit=LIMIT, replaces=False):
        target.write_text("theirs")
    assert target.read_text() == "theirs"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("file")])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.tar.gz")
    before = (tmp_path / "a.tar.gz").lstat()
    with pytest.raises(BadInput, match=r"cannot replace .*: it is "):
        write(tmp_path / "a.tar.gz", replaces=True)
    assert (tmp_path / "a.tar.gz").lstat().st_ino == before.st_ino


def test_nothing_is_left_of_one_that_was_interrupted(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        new_archive(tmp_path / "a.tar.gz", limit=LIMIT, replaces=False),
    ):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file or directory"):
        write(tmp_path / "none" / "a.tar.gz")


def test_a_member_that_is_full_takes_no_line_more(tmp_path: Path) -> None:
    with new_archive(tmp_path / "a.tar.gz", limit=LIMIT, replaces=False) as archive:
        with archive.member("a", 10) as member:
            assert [member.line(text) for text in (b"12345", b"6789", b"1")] == [True, False, False]
        assert [(one.lines, one.left_out) for one in archive.members] == [(1, 2)]


def test_all_members_together_stay_within_the_limit(tmp_path: Path) -> None:
    with new_archive(tmp_path / "a.tar.gz", limit=LIMIT, replaces=False) as archive:
        for name in ("a", "b", "c"):
            with archive.member(name, LIMIT) as member:
                while member.line(b"x" * 1023):
                    pass
        assert archive.left == 0
        with archive.member("MANIFEST.txt", LIMIT, is_last=True) as member:
            assert member.line(b"what is in it")
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert sum(entry.size for entry in tar) <= LIMIT


@given(st.text(max_size=300))
def test_no_name_leads_out_of_the_archive(name: str) -> None:
    try:
        check_name(name)
    except Internal:
        return
    assert all(part not in {"", ".", ".."} for part in name.split("/"))
    assert name.isascii()
    assert name.isprintable()


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "a/../b", "a//b", ".a", "a\x1b[2J", "-a"])
def test_a_name_that_is_no_plain_path_is_refused(name: str) -> None:
    with pytest.raises(Internal):
        check_name(name)
