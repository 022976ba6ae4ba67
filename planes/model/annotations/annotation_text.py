"""Extend the text of a networks annotation, leaving its author's elements as they are.

JSON is extended by splicing text, never by encoding the whole list again: number formats, key order
and white space of the author's elements stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import orjson

from planes.model.annotations.selection import (
    Selection,
    format_selections,
    is_json,
    shorthand,
    to_element,
)
from planes.model.encode import dumps
from planes.model.errors import BadInput, JsonObject

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def extend(
    text: str,
    selections: Sequence[Selection],
    additions: Sequence[Selection],
    completions: Mapping[int, tuple[str, ...]],
) -> str:
    """Return the text with elements added at its end and addresses put into some elements.

    Args:
        text: the annotation as it is, known to be valid.
        selections: its elements.
        additions: elements to add.
        completions: addresses for elements that ask for none, by position.

    A comma list stays one where its syntax is enough, else it becomes a JSON list with the same
    elements in order.
    """
    if not text.strip():
        return format_selections(additions)
    if is_json(text):
        return _append(_complete(text, selections, completions), additions)
    short = [shorthand(selection) for selection in additions]
    if not completions and None not in short:
        return ",".join([text.rstrip(), *(item for item in short if item)])
    completed = [
        replace(selection, ips=completions.get(index, selection.ips))
        for index, selection in enumerate(selections)
    ]
    return format_selections([*completed, *additions])


def _append(text: str, additions: Sequence[Selection]) -> str:
    if not additions:
        return text
    inside = text[: text.rindex("]")].rstrip()
    added = format_selections(additions)[1:]
    return f"{inside}{added}" if inside.endswith("[") else f"{inside},{added}"


def _complete(
    text: str, selections: Sequence[Selection], completions: Mapping[int, tuple[str, ...]]
) -> str:
    if not completions:
        return text
    spans = list(_element_spans(text))
    for index in sorted(completions, reverse=True):
        start, end = spans[index]
        raw = selections[index].raw or to_element(selections[index])
        text = text[:start] + _with_ips(text[start:end], raw, completions[index]) + text[end:]
    return text


def _with_ips(element: str, raw: JsonObject, ips: tuple[str, ...]) -> str:
    spliced = f'{element[:-1].rstrip()},"ips":{orjson.dumps(list(ips)).decode()}}}'
    if not any(key.lower() == "ips" for key in raw):
        return spliced
    # it has an empty list: the element is encoded again, to have the key once
    kept = {key: value for key, value in raw.items() if key.lower() != "ips"}
    try:
        return dumps({**kept, "ips": list(ips)}, "the element", sort_keys=False).decode()
    except BadInput:
        # nested too deep to be encoded; of two keys every parser takes the last
        return spliced


def _element_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each object of the outer list; the text is valid JSON."""
    depth = start = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == 2:
                start = token.start()
        elif token[0] in "]}":
            depth -= 1
            if depth == 1:
                yield start, token.end()
