"""Names of files that stand for what others called something."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from planes.store.files import file_name
from planes.store.records import StatusFiles


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
