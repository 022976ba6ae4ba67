"""The commands of docs/planning.md print what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.page_examples import ROOT, examples_of, files_of, run_example

PAGE = (ROOT / "docs" / "planning.md").read_text()


@pytest.mark.timeout(300)
def test_the_commands_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    for name, text in files_of(PAGE).items():
        (tmp_path / name).write_text(text)
    examples = examples_of(PAGE)
    assert len(examples) >= 8
    for example in examples:
        printed = run_example(example.command, tmp_path)
        assert printed == example.printed, example.command
