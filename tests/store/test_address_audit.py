"""What holds addresses is found among directories and files of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from planes.store.address_audit import held_but, planes_in


@pytest.mark.parametrize("name", [".snapshot", ".Trash-0", "a b", "ev\x1b[31mil", "%2e", "a%2fb"])
def test_a_directory_of_no_plane_keeps_nothing_from_being_found(name: str, tmp_path: Path) -> None:
    """A file server and a desktop leave some; the daemon looks for leaked addresses below."""
    (tmp_path / name).mkdir()
    (tmp_path / "business").mkdir()
    (tmp_path / "business" / "10.9.0.4").write_text("torn")
    (found,) = held_but(tmp_path, ())
    assert (found.plane, [str(one) for one in found.addresses]) == ("business", ["10.9.0.4"])
    assert planes_in(tmp_path) == ["business"]


def test_files_beside_the_directories_of_planes_are_no_planes(tmp_path: Path) -> None:
    (tmp_path / "business").mkdir()
    (tmp_path / "README").touch()
    (tmp_path / "link").symlink_to("business")
    assert planes_in(tmp_path) == ["business"]
    assert planes_in(tmp_path / "none") == []
