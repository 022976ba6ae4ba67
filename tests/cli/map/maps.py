"""Maps of chance, as hostile as objects may be."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from planes.cli.map.facts import (
    MapAddress,
    MapGroup,
    MapNetwork,
    MapPod,
    MapStop,
    MapStrip,
    NetworkKind,
    PlaneMap,
)
from planes.model.lines import one_line
from tests.cli.map.ranges import subnets

NETWORKS = 4
HOSTILE = (
    "</text><script>alert(1)</script>",
    '" onload="alert(1)',
    "]]>&amp;<!--",
    "\x1b[31mred\x07",
    "\u202egnp.exe",
    "a\u0300\u0301\u0302\u0303\u0304",
    "漢字の名前",
    "x" * 250,
    "",
)


# Strategies are made once: a map draws thousands of values, and each test draws hundreds of maps.
_TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8)).map(lambda t: one_line(t, 253))
_ADDRESSES = st.one_of(
    st.integers(0, (1 << 32) - 1).map(lambda value: str(IPv4Address(value))),
    st.integers(0, (1 << 128) - 1).map(lambda value: str(IPv6Address(value))),
    _TEXTS.map(lambda text: text[:45]),
)


def texts() -> st.SearchStrategy[str]:
    """Return texts as `facts` has them: one printable line."""
    return _TEXTS


def stops() -> st.SearchStrategy[MapStop]:
    address = st.builds(MapAddress, _ADDRESSES, st.booleans())
    return st.builds(
        MapStop,
        st.integers(0, NETWORKS - 1),
        texts().map(lambda text: text[:15]),
        st.lists(address, max_size=3).map(tuple),
        st.integers(0, 20),
    )


def pods() -> st.SearchStrategy[MapPod]:
    several = st.lists(stops(), max_size=6).map(
        lambda found: tuple(sorted(found, key=lambda stop: stop.network))
    )
    return st.builds(MapPod, texts(), texts(), texts(), several, st.integers(0, 3))


def groups() -> st.SearchStrategy[MapGroup]:
    return st.builds(_group, texts(), st.lists(pods(), max_size=4), st.integers(0, 5))


def _group(name: str, found: list[MapPod], missing: int) -> MapGroup:
    counts: dict[int, int] = {}
    for pod in found:
        for stop in pod.stops:
            counts[stop.network] = counts.get(stop.network, 0) + 1
    return MapGroup(name, tuple(found), len(found) + missing, dict(sorted(counts.items())))


def strips() -> st.SearchStrategy[MapStrip]:
    return subnets().flatmap(
        lambda cidr: st.builds(
            MapStrip,
            st.just(1),
            st.just(cidr.cidr),
            st.one_of(st.none(), cidr.addresses()),
            st.lists(cidr.ranges(), max_size=4).map(tuple),
            st.lists(cidr.ranges(), max_size=4).map(tuple),
            st.lists(cidr.ranges(), max_size=25).map(tuple),
            st.lists(st.tuples(cidr.addresses(), texts()), max_size=5).map(tuple),
            st.lists(cidr.addresses(), max_size=30).map(lambda found: tuple(sorted(found))),
            st.integers(0, 1 << 64),
        )
    )


def maps() -> st.SearchStrategy[PlaneMap]:
    networks = st.lists(texts(), min_size=NETWORKS, max_size=NETWORKS).map(_networks)
    return st.builds(
        PlaneMap,
        texts(),
        st.sampled_from(["node", "namespace"]),
        networks,
        st.lists(groups(), max_size=3).map(tuple),
        st.lists(strips(), max_size=2).map(tuple),
        namespace=texts(),
        when=st.just("2026-01-01T00:00:00Z"),
        more_groups=st.integers(0, 2),
        more_pods=st.integers(0, 9),
        notes=st.lists(texts(), max_size=2).map(tuple),
    )


def _networks(names: list[str]) -> tuple[MapNetwork, ...]:
    kinds = (NetworkKind.CLUSTER, NetworkKind.PLANE, NetworkKind.OTHER, NetworkKind.REST)
    return tuple(
        MapNetwork(kind, name, (name, name), name) for kind, name in zip(kinds, names, strict=True)
    )
