"""Lines that repeat are counted, lines that differ are written, and nothing grows without bound."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from planes.run.logs import CountingHandler, JsonFormatter
from planes.run.repeats import INTERVAL_SECONDS, MOST_OF_AN_EVENT, Line, Repeats


@contextmanager
def handler() -> Iterator[tuple[CountingHandler, io.StringIO]]:
    stream = io.StringIO()
    made = CountingHandler(stream)
    made.setFormatter(JsonFormatter())
    try:
        yield made, stream
    finally:
        made.close()


def record(text: str, at: float, **facts: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "x", "msg": text, "levelno": 30, "levelname": "WARNING"})
    made.created = 1_700_000_000 + at
    vars(made).update(facts)
    return made


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_that_repeats_is_written_once_and_then_counted() -> None:
    with handler() as (made, stream):
        for number in range(100):
            made.emit(record("cannot accept", number / 100))
        assert len(lines(stream)) == 1
        made.emit(record("other", INTERVAL_SECONDS + 1))
        first, counted, other = lines(stream)
    assert "repeated" not in first
    assert (counted["event"], counted["repeated"], counted["level"]) == (
        "cannot accept",
        99,
        "warning",
    )
    assert other["event"] == "other"


def test_after_the_interval_it_is_written_again() -> None:
    with handler() as (made, stream):
        made.emit(record("cannot accept", 0))
        made.emit(record("cannot accept", INTERVAL_SECONDS + 1))
        assert [line["event"] for line in lines(stream)] == ["cannot accept"] * 2


def test_lines_that_differ_in_a_fact_are_all_written() -> None:
    with handler() as (made, stream):
        for number in range(500):
            made.emit(record("attached", 0.01 * number, pod=f"web-{number}"))
        assert [line["pod"] for line in lines(stream)] == [f"web-{n}" for n in range(500)]


def test_a_flood_of_one_event_is_counted_whatever_its_facts() -> None:
    with handler() as (made, stream):
        for number in range(MOST_OF_AN_EVENT + 700):
            made.emit(record("refused", 0.001 * number, path=f"/{number}"))
        assert len(lines(stream)) == MOST_OF_AN_EVENT
        made.emit(record("other", 0.5))
        assert lines(stream)[-1]["event"] == "other"
    assert {"level": "warning", "event": "refused", "logger": "x", "repeated": 700}.items() <= (
        lines(stream)[-1].items()
    )


def test_what_was_counted_is_told_at_the_end() -> None:
    with handler() as (made, stream):
        for _ in range(3):
            made.emit(record("late", 0))
    assert lines(stream)[-1]["repeated"] == 2


def test_a_stream_that_is_closed_harms_nobody() -> None:
    with handler() as (made, stream):
        made.emit(record("late", 0))
        made.emit(record("late", 0))
        stream.close()


def test_a_line_too_long_to_keep_is_counted_by_its_event() -> None:
    with handler() as (made, stream):
        for _ in range(2):
            made.emit(record("long", 0, output="x" * 5000))
    assert len(lines(stream)[0]["output"]) == 5000
    assert "output" not in lines(stream)[1]
    assert lines(stream)[1]["repeated"] == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3), st.floats(0, 9)), max_size=200))
def test_each_line_is_written_or_counted(found: list[tuple[int, str, float]]) -> None:
    """Whatever comes, in whatever order of times, none is lost."""
    repeats, written, counted, now = Repeats(), 0, 0, 0.0
    for event, text, seconds in found:
        now += seconds
        counted += sum(count for _, count in repeats.ended(now))
        written += repeats.is_written(Line(event, f"{event}{text}}}", lambda: "s"), now)
    counted += sum(count for _, count in repeats.ended(float("inf")))
    assert written + counted == len(found)


def test_what_is_kept_is_bounded() -> None:
    repeats, told = Repeats(), 0
    for number in range(10_000):
        for _ in range(2):
            repeats.is_written(Line(number, f"{number}", str), 0.0)
        told += sum(1 for _ in repeats.ended(0.0))
    rest = sum(1 for _ in repeats.ended(float("inf")))
    assert told + rest == 10_000
    assert rest <= 1024
