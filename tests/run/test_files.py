"""Names of files for any text, and files that are written and read whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.run.files import (
    file_name,
    is_temporary,
    read_regular,
    remove_temporaries,
    replace,
    replace_named,
    set_aside,
)
from planes.store.records import StatusFiles

# A file may then have so many bytes; at the next one the process is killed, unless it ignores that.
_CUT_OFF = """
import resource, signal, sys
from pathlib import Path
from planes.run.files import replace
signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[2]))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
replace(Path(sys.argv[1]), b"new" * 4096)
"""


@given(st.text())
def test_a_file_name_stays_in_its_directory_and_is_not_hidden(text: str) -> None:
    name = file_name(text.encode(errors="replace").decode())
    assert "/" not in name
    assert not name.startswith(".")
    assert 0 < len(name) <= 180


@given(st.text(alphabet="abc./-_%@", max_size=50))
def test_a_short_name_can_be_read_back(text: str) -> None:
    assert unquote(file_name(text)) == text or text == ""


def test_two_long_names_that_begin_alike_have_two_files() -> None:
    assert file_name("a" * 300 + "b") != file_name("a" * 300 + "c")


def test_a_pod_with_the_longest_name_has_a_status_file(tmp_path: Path) -> None:
    """Kubernetes allows 253 bytes, a file has 255 with its suffix."""
    files = StatusFiles(tmp_path)
    files.put("n" * 63, "p" * 253, "[]")
    assert files.path("n" * 63, "p" * 253).read_text() == "[]"


def test_a_status_is_written_while_the_last_one_of_its_namespace_is_dropped(tmp_path: Path) -> None:
    """Dropping removes the empty directory: not between its making and the file in it."""
    statuses = StatusFiles(tmp_path)
    end = threading.Event()

    def drop() -> None:
        while not end.is_set():
            statuses.drop("shop", "gone")

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        for number in range(500):
            statuses.put("shop", f"pod-{number % 3}", "[]")
            statuses.drop("shop", f"pod-{number % 3}")
    finally:
        end.set()
        thread.join()


@pytest.mark.parametrize("action", ["SIG_DFL", "SIG_IGN"])
def test_a_write_that_is_cut_off_leaves_the_old_content(tmp_path: Path, action: str) -> None:
    path = tmp_path / "file"
    replace(path, b"old")

    done = subprocess.run(
        [sys.executable, "-c", _CUT_OFF, str(path), action], capture_output=True, check=False
    )

    is_killed = action == "SIG_DFL"
    assert done.returncode == (-signal.SIGXFSZ if is_killed else 1), done.stderr
    assert path.read_bytes() == b"old"
    others = [each.name for each in tmp_path.iterdir() if each != path]
    assert [is_temporary(name) for name in others] == ([True] if is_killed else [])
    remove_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_mode_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        replace(tmp_path / "file", b"", mode=0o644)
    finally:
        os.umask(umask)

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_file_that_a_user_named_is_replaced_or_made(tmp_path: Path) -> None:
    for data in (b"old", b"new"):
        replace_named(tmp_path / "file", data, mode=0o644)
        assert (tmp_path / "file").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Path.mkdir, "a directory"),
        (os.mkfifo, "no file"),
        (lambda path: path.symlink_to("elsewhere"), "a symbolic link"),
    ],
)
def test_what_a_user_named_and_is_no_file_stays(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    make(tmp_path / "it")
    before = (tmp_path / "it").lstat()
    with pytest.raises(FileExistsError, match=f"it is {why}"):
        replace_named(tmp_path / "it", b"new")
    assert (tmp_path / "it").lstat().st_ino == before.st_ino
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


def test_no_directory_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace(tmp_path / "none" / "file", b"", makes_directory=False)


def test_only_a_regular_file_of_bounded_size_is_read(tmp_path: Path) -> None:
    regular = tmp_path / "regular"
    regular.write_bytes(b"x" * 100)
    assert read_regular(regular, 100) == b"x" * 100
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(regular)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "directory").mkdir()
    assert read_regular(tmp_path / "link", 100, follows=True) == b"x" * 100
    for name in ("fifo", "link", "dangling", "directory", "none"):
        with pytest.raises(OSError, match=r".+"):
            read_regular(tmp_path / name, 100)
    with pytest.raises(OSError, match="larger than 99 bytes"):
        read_regular(regular, 99)
    with pytest.raises(OSError, match="no regular file"):
        read_regular("/dev/zero", 100)


def test_of_a_file_that_never_ends_nothing_is_read() -> None:
    assert read_regular("/proc/self/status", 1 << 20) == b""


def test_what_is_set_aside_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "odd").mkdir()
        (tmp_path / "odd" / str(number)).touch()
        set_aside(tmp_path / "odd", tmp_path / "aside")
    found = sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    )
    assert found == ["aside/odd.1/1", "aside/odd.2/2", "aside/odd/0"]
