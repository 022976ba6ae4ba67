"""The map as text."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from planes.cli.map.facts import PlaneMap
from planes.cli.map.reading import read_map
from planes.cli.map.terminal import lines
from planes.cli.map.texts import columns
from planes.cli.reading.place import Place
from planes.kube.resources import PLANES
from tests.cli.map.maps import maps
from tests.cli.map.scenes import large_cluster
from tests.support.clock import FakeClock
from tests.support.planes import plane_object


def drawn(shown: PlaneMap, wide: int = 100, *, is_whole: bool = False) -> list[str]:
    return [line.text for line in lines(shown, wide, is_whole=is_whole)]


def large(pods: int) -> PlaneMap:
    place = Place(large_cluster(pods, 3), FakeClock(), "the cluster")
    return asyncio.run(read_map(place, "node"))


@given(maps(), st.integers(40, 240))
def test_no_line_is_wider_than_the_terminal(shown: PlaneMap, wide: int) -> None:
    assert all(columns(text) <= wide for text in drawn(shown, wide))


@given(maps(), st.booleans())
def test_no_line_has_what_a_terminal_would_carry_out(shown: PlaneMap, is_ascii: bool) -> None:
    for line in lines(shown, 100, is_ascii=is_ascii):
        assert line.text.isprintable()
        assert line.text.isascii() or not is_ascii


def test_every_address_is_there() -> None:
    shown = large(40)
    text = "\n".join(drawn(shown))
    wanted = {a.text for g in shown.groups for p in g.pods for s in p.stops for a in s.addresses}
    assert wanted <= set(text.split())


def test_planes_without_pods_are_named() -> None:
    kube = large_cluster(2, 2)
    for number in range(10):
        kube.put_object(PLANES, plane_object(f"lonely-{number}"))
    place = Place(kube, FakeClock(), "the cluster")
    shown = asyncio.run(read_map(place, "node", "team-00"))
    text = " ".join(drawn(shown))
    assert "planes without pods of namespace team-00: lonely-0, lonely-1, lonely-2" in text
    assert "lonely-7 and 2 more" in text


def test_pods_of_a_large_map_are_counted_and_it_says_how_to_see_them() -> None:
    text = "\n".join(drawn(large(200)))
    assert "node-00 · 10 pods" in text
    assert "cluster network 10" in text
    assert "web-0000" not in text
    assert "-o wide for all" in text


def test_all_pods_are_drawn_where_all_are_asked_for() -> None:
    text = "\n".join(drawn(large(200), is_whole=True))
    assert "web-0000" in text
    assert "web-0199" in text
