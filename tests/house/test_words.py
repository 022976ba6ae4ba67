"""The sources are in plain words: the field's terms, no metaphors."""

from __future__ import annotations

import ast
import re

from tests.house.sources import name, project_files

DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# "Return …", "Report whether …" and "Raise …" say what a caller gets.
UNCLEAR_VERB = re.compile(r"(Give|Tell|Say)s?\b")
METAPHOR = re.compile(
    r"\b(out of the world|tell(s|ing)? the world|reigns?|quarrels?|changes hands"
    r"|(new to|in|holds) (its )?office|(a former|an earlier) life|behind (everybody|\w+'s back))\b",
    re.IGNORECASE,
)


def test_no_docstring_begins_with_an_unclear_verb() -> None:
    offenders = [
        f"{name(path)}:{node.body[0].lineno}: {text.splitlines()[0]}"
        for path in project_files(".py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, DEFINITIONS)
        and (text := ast.get_docstring(node))
        and UNCLEAR_VERB.match(text)
    ]
    assert offenders == []


def test_no_file_has_a_metaphor_that_was_struck_out() -> None:
    offenders = {
        name(path): sorted({found.group() for found in METAPHOR.finditer(text)})
        for path in project_files(".py", ".c", ".h")
        if path.parent.name != "house"
        # Lines are joined, for a phrase may go on in the next line of a comment.
        and METAPHOR.search(text := " ".join(path.read_text().replace("#", " ").split()))
    }
    assert offenders == {}
