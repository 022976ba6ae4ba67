"""Values of a NAD that its plugin refuses are warned about before any pod fails of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.decide.nad_review import review_nad
from planes.model.state.nad_facts import nad_facts
from planes.model.state.nad_values import refused_values
from tests.support.model import make_catalog, make_nad

FAILS = "every pod of this NAD fails on its node"
RANGE = {"subnet": "10.22.100.0/24"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


VLAN = {"type": "vlan", "master": "eth1", "vlanId": 100}
IPVLAN = {"type": "ipvlan", "master": "eth1", "ipam": {"type": "own"}}
VRF = {"type": "vrf", "vrfname": "blue"}


def chained(*plugins: dict[str, Any]) -> dict[str, Any]:
    return {"name": "x", "plugins": [{"type": "macvlan"}, *plugins]}


def warned(config: dict[str, Any]) -> list[str]:
    nad = make_nad("x", "shop", {"cniVersion": "1.0.0", **config})
    return [str(one) for one in refused_values(nad, nad_facts(nad))]


def host_local(**ipam: Any) -> dict[str, Any]:
    return {"type": "macvlan", "ipam": {"type": "host-local", **ipam}}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"type": "macvlan", "mtu": "1400"}, "mtu: it must be a whole number, not a string"),
        ({"type": "macvlan", "MTU": "1400"}, "mtu: it must be a whole number, not a string"),
        ({"type": "bridge", "mtu": -1}, "mtu: it must be from 0 to"),
        ({**VLAN, "vlanId": 5000}, "vlanId: it must be from 0 to 4094"),
        ({**VLAN, "VlanID": "100"}, "vlanId: it must be a whole number, not a string"),
        ({"type": "vlan", "vlanId": 5}, "master: a vlan needs the interface that its VLAN is on"),
        ({**VLAN, "master": ""}, "master: a vlan needs the interface that its VLAN is on"),
        ({"type": "macvlan", "master": 7}, "master: it must be a text, not a number"),
        ({"type": "bridge", "isGateway": "true"}, "isGateway: it must be true or false, not a st"),
        ({"type": "macvlan", "mode": "brigde"}, "mode: macvlan has no such mode"),
        ({**IPVLAN, "mode": "bridge"}, "use one of l2, l3, l3s"),
        ({"type": "ipvlan", "master": "eth1"}, "ipam: an ipvlan needs addresses"),
        ({"type": "ipvlan", "master": "eth1", "ipam": {}}, "ipam: an ipvlan needs addresses"),
        (chained({"type": "vrf"}), "vrfname: it is missing"),
        (chained({"type": "vrf", "vrfname": "a/b"}), "vrfname: no interface can have that name"),
        (chained({"type": "vrf", "vrfname": 5}), "vrfname: it must be a text, not a number"),
        (chained({**VRF, "table": 2**32}), "table: it must be from 0 to 4294967295"),
        (chained({**VRF, "table": "5"}), "table: it must be a whole number, not a string"),
        (VRF, "type: a vrf changes the interface of a plugin before it"),
        (host_local(**RANGE, rangeStart="10.22.100.36.200"), "ipam.rangeStart: it is no IP addr"),
        (host_local(**RANGE, rangeEnd="10.22.101.9"), "ipam.rangeEnd: it is not in the subnet"),
        (host_local(**RANGE, gateway="10.22.100"), "ipam.gateway: it is no IP address"),
        (
            host_local(**RANGE, rangeStart="10.22.100.9", rangeEnd="10.22.100.3"),
            "ipam.rangeEnd: it is before rangeStart",
        ),
        (host_local(subnet="10.22.100.5/24"), "ipam.subnet: it is no subnet"),
        (host_local(subnet="10.22.100.4/31"), "ipam.subnet: it is too small"),
        (host_local(ranges=[RANGE]), "ipam.ranges: it must be a list of lists"),
        (
            host_local(ranges=[[RANGE], [{**RANGE, "rangeStart": "fd00::1"}]]),
            "ipam.ranges[1][0].rangeStart: it is not in the subnet",
        ),
        (host_local(**RANGE, routes=[{"dst": "default"}]), "ipam.routes[0].dst: it is no subnet"),
        (
            {"type": "ptp", "ipam": {"type": "static", "addresses": [{"address": "10.0.0.5"}]}},
            "ipam.addresses[0].address: it is no address with prefix length",
        ),
    ],
)
def test_a_value_that_its_plugin_refuses_is_warned_about(config: dict[str, Any], told: str) -> None:
    [warning] = warned(config)
    assert told in warning
    assert FAILS in warning


@pytest.mark.parametrize(
    "config",
    [
        {"type": "macvlan", "mode": "", "mtu": 0, "linkInContainer": False, "mac": None},
        {"type": "own", "mtu": "1400", "mode": "brigde"},
        host_local(**RANGE, rangeStart="10.22.100.9", rangeEnd="", gateway="10.22.100.1"),
        host_local(ranges=[[RANGE], [{"subnet": "fd00::/64"}]], routes=[{"dst": "0.0.0.0/0"}]),
        {"type": "macvlan", "ipam": {"type": "own", "subnet": 7, "rangeStart": "x"}},
        {"type": "macvlan", "ipam": {}},
        VLAN,
        {**VLAN, "vlanId": 0},
        IPVLAN,
        {"type": "ipvlan", "prevResult": {"ips": []}},
        chained(VRF),
        chained({**VRF, "table": 0}, {**VRF, "table": 1001}),
        {**VRF, "prevResult": {}},
        chained({"type": "own", "vrfname": 5, "table": "x"}),
    ],
)
def test_what_plugins_take_or_nobody_knows_is_not_warned_about(config: dict[str, Any]) -> None:
    assert warned(config) == []


def test_a_gateway_elsewhere_is_warned_about_though_pods_start() -> None:
    [warning] = warned(host_local(**RANGE, gateway="10.99.0.1"))
    assert "the interface does not reach it" in warning
    assert FAILS not in warning


def test_its_author_and_every_pods_author_are_told() -> None:
    nad = make_nad("x", "shop", {"cniVersion": "1.0.0", "type": "macvlan", "mtu": "1400"})
    catalog = make_catalog(nads=[nad])
    assert any("mtu" in str(one) for one in review_nad(nad, make_catalog()).warnings)
    assert any("mtu" in str(one) for one in catalog.lint.get(nad.ref, ()))


@given(
    st.sampled_from(["bridge", "macvlan", "ipvlan", "vlan", "vrf"]),
    st.dictionaries(
        st.sampled_from(
            ["mtu", "mode", "vlan", "vlanId", "isGateway", "master", "vrfname", "table"]
        ),
        VALUES,
    ),
    st.sampled_from(["static", "host-local"]),
    st.dictionaries(
        st.sampled_from(["subnet", "ranges", "rangeStart", "gateway", "addresses", "routes"]),
        VALUES,
    ),
)
def test_any_configuration_gives_warnings_and_no_value_of_it(
    kind: str, conf: dict[str, Any], ipam_type: str, ipam: dict[str, Any]
) -> None:
    for warning in warned({**conf, "type": kind, "ipam": {**ipam, "type": ipam_type}}):
        assert warning.startswith("NAD shop/x ")
        assert len(warning) < 200


def test_a_nad_is_warned_of_each_fault_once_by_its_own_paths() -> None:
    """Where a pod is told the same, the path names the NAD as well."""
    config = {"cniVersion": "1.0.0", "type": "sriov", "vf": 0, "mtu": "x"}
    found = review_nad(make_nad("x", "shop", config), make_catalog())
    paths = [each.path for each in (*found.errors, *found.warnings)]
    assert paths.count("spec.config.vf") == 1
    assert all(path.startswith(("spec.", "metadata.")) for path in paths)
