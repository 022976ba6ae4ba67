"""What is said of a command line that nothing understands, whatever was typed."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.__main__ import COMMANDS, main
from planes.cli.command import Command
from planes.cli.parsing import unknown_word

WORDS = st.sampled_from([word for command in COMMANDS for word in command.words])


@given(st.lists(st.one_of(st.text(), WORDS), max_size=4))
def test_a_command_line_is_refused_by_one_printable_line(words: list[str]) -> None:
    said = unknown_word(words, COMMANDS)
    if said:
        assert said.endswith("\n")
        assert said[:-1].isprintable()
        assert len(said) < 300


# With a blank in it, argparse takes a word for what a command is about.
@given(st.text(min_size=1).filter(lambda text: " " not in text), st.sampled_from(COMMANDS))
def test_an_option_nobody_knows_is_status_2(text: str, command: Command) -> None:
    """Not a traceback, and no escape of a terminal, whatever follows the dashes."""
    err = io.StringIO()
    assert main([*command.words, f"--zz{text}"], {}, io.StringIO(), err) == 2
    assert all(line.isprintable() for line in err.getvalue().splitlines())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "-".join(command.words))
def test_a_misspelt_command_suggests_the_right_one(command: Command) -> None:
    words = list(command.words)
    words[-1] += "x"
    said = unknown_word(words, COMMANDS)
    assert f"did you mean netplane {' '.join(command.words)}?" in said
