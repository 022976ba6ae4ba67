"""Events as commands show them: whoever wrote them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.reading.events import events, read_event, seconds_of, since
from planes.kube.resources import EVENTS
from tests.support.kube.fake_kube import FakeKube

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(
    (
        "lastTimestamp",
        "series",
        "eventTime",
        "involvedObject",
        "source",
        "reason",
        "message",
        "count",
    )
)


@given(st.dictionaries(KEYS, ANY))
def test_whatever_an_event_has_is_one_printable_line_each(obj: dict[str, object]) -> None:
    found = read_event({**obj, "metadata": {"name": "e"}})
    texts = (found.when, found.kind, found.name, found.reason, found.message, found.source)
    assert all(text.isprintable() for text in texts)
    assert found.count >= 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00.123456Z", 60.0),
        ("1970-13-01T00:00:00Z", None),
        ("now", None),
        ("", None),
    ],
)
def test_times_are_read_as_kubernetes_writes_them(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def test_the_series_of_a_newer_api_has_the_count_and_the_time() -> None:
    series = {"count": 9, "lastObservedTime": "2026-11-21T08:00:01.000000Z"}
    found = read_event({"metadata": {}, "eventTime": "2026-11-21T07:00:00Z", "series": series})
    assert (found.when, found.count) == ("2026-11-21T08:00:01Z", 9)


def test_since_a_time_means_the_newest_first() -> None:
    made = [
        read_event({"metadata": {}, "lastTimestamp": f"2026-11-21T0{hour}:00:00Z"})
        for hour in (7, 9, 8)
    ]
    found = since(made, "2026-11-21T08:00:00Z")
    assert [one.when[11:13] for one in found] == ["09", "08"]


async def test_of_a_flood_of_events_so_many_are_read() -> None:
    kube = FakeKube()
    kube.page_size = 1000
    for number in range(6500):
        meta = {"name": f"e{number}", "namespace": "shop"}
        kube.put_object(EVENTS, {"metadata": meta, "type": "Warning"})
    assert len([one async for one in events(kube, "type=Warning")]) == 5000
