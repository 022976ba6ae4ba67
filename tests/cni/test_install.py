"""The shim is put into the CNI bin dir, and removed from it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cni.__main__ import main
from cni.confdir.files import SAVED
from cni.confdir.restore import restore_conf_dir
from cni.install import put_shim, take_shim

OURS = b"\x7fELF netplane.io/cni-shim"
BEFORE = b"\x7fELF check that netplane-cni runs on this node and read its log"


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    path = tmp_path / "shim"
    path.write_bytes(OURS)
    return path


def there(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_command_installs_into_the_first_directory(tmp_path: Path, shim: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    stderr = io.StringIO()
    flags = ["--shim", str(shim), "--cni-bin-dir", f"{first}:{second}"]
    assert main(["install", *flags], {}, stderr) == 0
    assert there(first) == {"netplane": OURS}
    assert (first / "netplane").stat().st_mode & 0o777 == 0o755
    assert not second.exists()


def test_a_shim_that_runs_is_replaced(tmp_path: Path, shim: Path) -> None:
    """Writing into it would fail with "text file busy"; renaming over it does not."""
    with open("/bin/sleep", "rb") as program:
        (tmp_path / "bin").mkdir()
        busy = tmp_path / "bin" / "netplane"
        busy.write_bytes(program.read() + OURS)
    busy.chmod(0o755)
    pid = os.posix_spawn(busy, [os.fspath(busy), "30"], {})
    try:
        put_shim(shim, busy.parent)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    assert there(busy.parent) == {"netplane": OURS}


def test_the_very_same_shim_is_left_alone(tmp_path: Path, shim: Path) -> None:
    put_shim(shim, tmp_path / "bin")
    before = (tmp_path / "bin" / "netplane").stat().st_ino
    put_shim(shim, tmp_path / "bin")
    assert (tmp_path / "bin" / "netplane").stat().st_ino == before


def test_a_foreign_file_of_the_same_name_is_kept_and_restored(tmp_path: Path, shim: Path) -> None:
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "netplane").write_bytes(b"somebody else's")
    put_shim(shim, bin_dir)
    shim.write_bytes(OURS + b" 2")
    put_shim(shim, bin_dir)
    assert there(bin_dir) == {"netplane": OURS + b" 2", "netplane" + SAVED: b"somebody else's"}
    take_shim(bin_dir)
    assert there(bin_dir) == {"netplane": b"somebody else's"}
    take_shim(bin_dir)
    assert there(bin_dir) == {"netplane": b"somebody else's"}


def test_a_shim_from_before_the_marker_is_replaced_and_removed(tmp_path: Path, shim: Path) -> None:
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "netplane").write_bytes(BEFORE)
    put_shim(shim, bin_dir)
    assert there(bin_dir) == {"netplane": OURS}
    (bin_dir / "netplane").write_bytes(BEFORE)
    take_shim(bin_dir)
    assert there(bin_dir) == {}


def test_removing_is_idempotent(tmp_path: Path, shim: Path) -> None:
    put_shim(shim, tmp_path / "bin")
    for _ in range(2):
        take_shim(tmp_path / "bin")
        assert there(tmp_path / "bin") == {}


def test_a_missing_shim_is_one_line(tmp_path: Path) -> None:
    stderr = io.StringIO()
    flags = ["--shim", str(tmp_path / "none"), "--cni-bin-dir", str(tmp_path)]
    assert main(["install", *flags], {}, stderr) == 1
    assert stderr.getvalue().count("\n") == 1
    assert "cannot read the shim" in stderr.getvalue()


def test_a_bad_flag_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["install", "--sim", "x"], {}, io.StringIO())
    assert caught.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("give_back", [take_shim, restore_conf_dir])
def test_what_a_process_that_was_killed_left_half_written_goes(
    tmp_path: Path, give_back: Callable[[Path], None]
) -> None:
    ours, theirs = ".tmp-4711-0123456789ab", {".tmp-file", ".tmp-x-0123456789ab", "my.tmp-1-2"}
    for name in (ours, *theirs):
        (tmp_path / name).write_bytes(b"")
    give_back(tmp_path)
    assert there(tmp_path).keys() == theirs
