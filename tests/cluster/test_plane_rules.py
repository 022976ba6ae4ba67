"""The CRD of planes on an API server: each rule accepts and refuses, and agrees with the model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planes.model.errors import JsonObject
from planes.model.spec.plane import find_plane_faults
from tests.cluster.apiserver import ApiServer
from tests.cluster.rest import MANIFESTS, PLANES, Rest, serve_planes
from tests.support.plane_corpus import ACCEPTED, REFUSED, V6, Spec, corpus_plane, reserved, subnet

LAX = (
    r"(ranges|exclude|staticRanges)\[\d+\]: cannot use .*: it overlaps \[",
    r"ranges: cannot hand out anything: nothing is left",
    r"reservations\[\d+\]\.ip: cannot reserve .*: no pod can have it",
    r"reservations\[\d+\]\.ip: cannot reserve .*:.* twice",
    r'cannot read range ".*:.*": it ends before it starts',
)
"""What the model refuses and CEL cannot afford to: the condition Accepted tells it."""

LAXER: dict[str, Spec] = {
    "ranges that overlap": subnet(ranges=["10.9.0.10-10.9.0.20", "10.9.0.15"]),
    "nothing left": subnet(exclude=["10.9.0.0/24"]),
    "a reserved address that is excluded": {
        **subnet(exclude=["10.9.0.7"]),
        **reserved("10.9.0.7"),
    },
    "a reserved IPv6 network address": reserved("fd00:9::", subnets=[V6]),
    "an IPv6 address reserved in two spellings": reserved("fd00:9::7", "fd00:9:0::7", subnets=[V6]),
    "a backward IPv6 range": {"subnets": [{**V6, "ranges": ["fd00:9::9-fd00:9::8"]}]},
}
STRICTER: dict[str, Spec] = {
    "an IPv4 address written as IPv6": subnet(gateway="::ffff:10.9.0.1"),
    "an empty string": {"interface": ""},
    "a long purpose": {"purpose": "x" * 257},
}


@pytest.fixture(scope="module")
def planes(api_server: ApiServer) -> Iterator[Rest]:
    rest = Rest(api_server)
    serve_planes(api_server, rest)
    yield rest
    rest.close()


def faults(obj: JsonObject) -> list[str]:
    return [str(finding) for finding in find_plane_faults(obj)[1]]


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_good_plane_is_accepted_by_server_and_model(planes: Rest, name: str) -> None:
    obj = corpus_plane(ACCEPTED[name])
    assert planes.try_out(PLANES, obj).message == ""
    assert faults(obj) == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_plane_is_refused_by_server_and_model(planes: Rest, name: str) -> None:
    spec, message = REFUSED[name]
    obj = corpus_plane(spec)
    assert message in planes.try_out(PLANES, obj).message
    assert faults(obj)


@pytest.mark.parametrize("name", LAXER)
def test_what_the_rules_cannot_say_is_refused_by_the_model_alone(planes: Rest, name: str) -> None:
    obj = corpus_plane(LAXER[name])
    assert planes.try_out(PLANES, obj).message == ""
    found = faults(obj)
    assert found
    assert all(any(re.search(each, text) for each in LAX) for text in found)


@pytest.mark.parametrize("name", STRICTER)
def test_what_the_schema_wants_plainer_is_accepted_by_the_model_alone(
    planes: Rest, name: str
) -> None:
    obj = corpus_plane({})
    obj["spec"].update(STRICTER[name])
    assert planes.try_out(PLANES, obj).status in {400, 422}
    assert faults(obj) == []


@pytest.mark.parametrize("name", ["Business", "a.b", "a" * 64, "-a", "a_b"])
def test_a_name_that_is_no_label_is_refused(planes: Rest, name: str) -> None:
    obj = corpus_plane({}, name)
    assert planes.try_out(PLANES, obj).status == 422
    assert faults(obj)


def test_null_is_as_good_as_absent(planes: Rest) -> None:
    obj = corpus_plane({})
    obj["spec"].update({"purpose": None, "bandwidth": None, "mac": {"source": None}})
    assert planes.try_out(PLANES, obj).message == ""
    assert faults(obj) == []


def test_a_name_of_63_characters_is_accepted(planes: Rest) -> None:
    assert planes.try_out(PLANES, corpus_plane({}, "a" * 63)).message == ""


@pytest.mark.parametrize("path", sorted((MANIFESTS / "examples").glob("*-plane.yaml")))
def test_the_example_is_accepted(planes: Rest, api_server: ApiServer, path: Path) -> None:
    api_server.kubectl("create", "--dry-run=server", "--validate=strict", "-f", str(path))


def test_a_plane_at_every_limit_is_judged_within_the_cost_budget(planes: Rest) -> None:
    """What CEL may cost at run time is limited, too: the largest plane must not run into it."""
    ranges = [f"10.0.{i // 128}.{i % 128 * 2}-10.0.{i // 128}.{i % 128 * 2}" for i in range(1024)]
    subnets = [
        {
            "cidr": f"10.{i}.0.0/16",
            "gateway": f"10.{i}.255.1",
            "ranges": [text.replace("10.0.", f"10.{i}.") for text in ranges],
        }
        for i in range(8)
    ]
    obj = corpus_plane(
        reserved(*(f"10.7.{128 + i // 250}.{1 + i % 250}" for i in range(1024)), subnets=subnets)
    )
    assert faults(obj) == []
    assert planes.try_out(PLANES, obj).message == ""


ADDRESSES = st.sampled_from(
    [
        "10.9.0.0",
        "10.9.0.1",
        "10.9.0.9",
        "10.9.0.255",
        "10.9.1.0",
        "10.10.0.1",
        "010.9.0.1",
        "10.9.0.1/24",
        "x",
        "fd00:9::",
        "fd00:9::1",
        "FD00:9::00ff",
        "fd00:a::1",
        "fe80::1%1",
    ]
)
CIDRS = st.sampled_from(
    [
        "10.9.0.0/24",
        "10.9.0.0/31",
        "10.9.0.8/30",
        "10.9.0.0/32",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "10.9.0.1/24",
        "10.9.0.0/33",
        "10.9.0.0/024",
        "10.9.0.0",
        "fd00:9::/64",
        "fd00:9::/127",
        "::/0",
        "fd00:9::1/64",
        "fd00:9::/129",
        "x/1",
    ]
)
RANGES = st.one_of(ADDRESSES, CIDRS, st.tuples(ADDRESSES, ADDRESSES).map("-".join))
LISTS = st.lists(RANGES, max_size=3)
ROUTES = st.lists(st.fixed_dictionaries({"dst": CIDRS}, optional={"gw": ADDRESSES}), max_size=2)
SUBNETS = st.lists(
    st.fixed_dictionaries(
        {"cidr": CIDRS},
        optional={
            "gateway": ADDRESSES,
            "ranges": LISTS,
            "exclude": LISTS,
            "staticRanges": LISTS,
            "routes": ROUTES,
        },
    ),
    max_size=3,
)
NETWORKS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["macvlan", "ipvlan", "bridge", "vlan", "sriov", "host-device"]),
        "nadRef": st.just({"namespace": "a", "name": "b"}),
        "master": st.just("eth1"),
        "mode": st.sampled_from(["bridge", "l2", "x"]),
        "vlan": st.sampled_from([-1, 0, 4094, 4095]),
        "mtu": st.sampled_from([-1, 0, 1500, 65536]),
        "resourceName": st.just("a/b"),
    },
)
SPECS = st.fixed_dictionaries(
    {"network": NETWORKS | st.just({"type": "macvlan"}) | st.just({"type": "bridge"})},
    optional={
        "subnets": SUBNETS,
        "ipam": st.fixed_dictionaries({"mode": st.sampled_from(["Plane", "NAD", "None"])}),
        "mtu": st.sampled_from([0, 1400, 1500]),
        "defaultRoute": st.booleans(),
        "allNamespaces": st.booleans(),
        "namespaceSelector": st.sampled_from([{}, {"matchLabels": {"a": "b"}}]),
        "interface": st.text(min_size=1, max_size=16).filter(str.isprintable),
        "bandwidth": st.sampled_from([{}, {"ingressRate": 1}, {"egressRate": 1, "egressBurst": 1}]),
        "routes": ROUTES,
        "staticIPs": st.lists(ADDRESSES, max_size=3, unique=True).map(
            lambda ips: {"reservations": [{"ip": ip, "namespace": "shop"} for ip in ips]}
        ),
    },
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(spec=SPECS)
def test_server_and_model_agree_on_any_plane(planes: Rest, spec: Spec) -> None:
    """Or the server is laxer, and only in what `LAX` lists."""
    obj = {**corpus_plane({}), "spec": spec}
    refusal = planes.try_out(PLANES, obj).message
    found = faults(obj)
    if refusal:
        assert found, refusal
    else:
        assert all(any(re.search(each, text) for each in LAX) for text in found), found
