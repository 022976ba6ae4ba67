"""The second stage of a journal entry: appended, cut, refused."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni.journal.entry import Stage, encode
from cni.journal.files import entry_path, inspect_entries, read_entries
from planes.model.errors import Internal
from tests.cni.journal.test_journal import entry, opened


async def test_the_last_stage_in_a_file_counts(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    journal.beginning(entry(stage=Stage.BEGUN))()
    journal.write_stage(entry())
    (path,) = (tmp_path / "journal").iterdir()
    assert path.read_bytes() == encode(entry(stage=Stage.BEGUN)) + encode(entry())
    again = await opened(tmp_path)
    assert again.find(("c1", "eth0")) == entry()
    await again.update(entry(stage=Stage.LEAVING))
    assert path.read_bytes() == encode(entry(stage=Stage.LEAVING))


@given(st.integers(min_value=1, max_value=len(encode(entry())) - 1))
@settings(max_examples=30, deadline=None)
def test_a_stage_that_was_cut_is_damage(cut: int) -> None:
    """Its call may be attached or not, so nothing of it is torn down at once."""
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root)
        path = entry_path(directory, ("c1", "eth0"))
        Path(path).write_bytes(encode(entry(stage=Stage.BEGUN)) + encode(entry())[:-cut])
        beside_daemon = inspect_entries(directory)
        found = read_entries(directory)
    assert beside_daemon.entries == (entry(stage=Stage.BEGUN),), "it may be being written"
    assert found.entries == ()
    assert [(one.key, one.ifnames) for one in found.damaged] == [(("c1", "eth0"), ("net1", "net2"))]


async def test_a_stage_that_finds_no_room_leaves_the_earlier_one(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    journal.beginning(entry(stage=Stage.BEGUN))()
    (path,) = (tmp_path / "journal").iterdir()
    with _file_size_limit(path.stat().st_size + 1), pytest.raises(Internal, match="write"):
        journal.write_stage(entry())
    assert path.read_bytes() == encode(entry(stage=Stage.BEGUN))
    found = journal.find(("c1", "eth0"))
    assert found is not None
    assert found.stage is Stage.BEGUN


async def test_a_stage_is_a_new_file_where_the_old_one_cannot_grow(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    journal.beginning(entry(stage=Stage.BEGUN))()
    (path,) = (tmp_path / "journal").iterdir()
    with _file_size_limit(path.stat().st_size + 100):
        journal.write_stage(entry())
    assert path.read_bytes() == encode(entry())


async def test_a_stage_is_a_new_file_where_the_old_one_is_gone(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    journal.beginning(entry(stage=Stage.BEGUN))()
    (path,) = (tmp_path / "journal").iterdir()
    path.unlink()
    journal.write_stage(entry())
    assert path.read_bytes() == encode(entry())


@contextmanager
def _file_size_limit(size: int) -> Iterator[None]:
    """Have writes behind so many bytes of a file refused, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
