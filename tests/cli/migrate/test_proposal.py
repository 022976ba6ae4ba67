"""Planes that are proposed for networks that are shared."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.migrate.nad_report import MigratedNad, NadUse, judge
from planes.cli.migrate.proposal import propose
from planes.model.objects import Nad, Pod
from planes.model.spec.plane import parse_plane
from planes.model.state.catalog import Catalog
from tests.support.planes import make_plane


def nad(
    name: str = "business",
    namespace: str = "shop",
    pods: int = 2,
    ips: tuple[str, ...] = (),
    resource: str = "",
    **config: Any,
) -> MigratedNad:
    use = NadUse()
    for number in range(pods):
        use.add(Pod(namespace, f"p{number}"), ips)
    text = json.dumps({"cniVersion": "0.3.1", "name": name, **config})
    annotations = {"k8s.v1.cni.cncf.io/resourceName": resource} if resource else {}
    return judge(Nad(namespace, name, text, annotations), Catalog(), None, use)


MACVLAN: dict[str, Any] = {
    "type": "macvlan",
    "master": "eth1",
    "mode": "bridge",
    "mtu": 1400,
    "ipam": {
        "type": "host-local",
        "subnet": "192.168.0.0/16",
        "gateway": "192.168.100.1",
        "rangeStart": "192.168.100.10",
        "rangeEnd": "192.168.100.200",
    },
}


def test_a_shared_macvlan_becomes_a_plane_with_its_range() -> None:
    (found,) = propose([nad(**MACVLAN)])
    assert found.obj["spec"] == {
        "attachment": "OnRequest",
        "network": {
            "type": "macvlan",
            "master": "eth1",
            "mode": "bridge",
            "mtu": 1400,
            "shared": True,
        },
        "subnets": [
            {
                "cidr": "192.168.0.0/16",
                "gateway": "192.168.100.1",
                "ranges": ["192.168.100.10-192.168.100.200"],
            }
        ],
        "ipam": {"mode": "Plane"},
    }
    assert parse_plane(found.obj).name == "business"


def test_a_nad_of_one_pod_is_left_alone() -> None:
    assert propose([nad(pods=1, **MACVLAN)]) == []


def test_nads_of_one_wire_become_one_plane() -> None:
    other = {**MACVLAN, "mtu": 9000}
    other["ipam"] = {
        **MACVLAN["ipam"],
        "rangeStart": "192.168.100.150",
        "rangeEnd": "192.168.101.9",
    }
    (found,) = propose([nad(pods=0, **MACVLAN), nad("biz", "bank", 0, **other)])
    (subnet,) = found.obj["spec"]["subnets"]
    assert subnet["ranges"] == ["192.168.100.10-192.168.101.9"]
    assert "Decide: mtu; the NADs have 1400, 9000." in found.comments
    assert "From NADs shop/business, bank/biz: 0 pods of 0 namespaces." in found.comments


def test_another_vlan_is_another_plane() -> None:
    vlan: dict[str, Any] = {
        "type": "vlan",
        "master": "eth0",
        "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"},
    }
    found = propose([nad("a", vlanId=100, **vlan), nad("b", vlanId=200, **vlan)])
    assert [one.obj["spec"]["network"]["vlan"] for one in found] == [100, 200]
    assert [parse_plane(one.obj).name for one in found] == ["a", "b"]


def test_a_static_network_gets_the_subnet_that_pods_ask_in() -> None:
    conf: dict[str, Any] = {"type": "ipvlan", "master": "eth1", "ipam": {"type": "static"}}
    (found,) = propose([nad(ips=("192.168.122.188/24",), **conf)])
    spec = found.obj["spec"]
    assert spec["subnets"] == [{"cidr": "192.168.122.0/24", "staticRanges": ["192.168.122.0/24"]}]
    assert spec["staticIPs"] == {"allow": "Any"}
    parse_plane(found.obj)


def test_ranges_of_whereabouts_are_taken_and_adopt_is_named() -> None:
    ipam: dict[str, Any] = {
        "type": "whereabouts",
        "range": "10.5.0.10-10.5.0.99/24",
        "gateway": "10.5.0.1",
        "exclude": ["10.5.0.20/32"],
        "ipRanges": [{"range": "fd00:5::/64"}],
    }
    (found,) = propose([nad(type="macvlan", master="eth1", ipam=ipam)])
    assert found.obj["spec"]["subnets"] == [
        {
            "cidr": "10.5.0.0/24",
            "gateway": "10.5.0.1",
            "ranges": ["10.5.0.10-10.5.0.99"],
            "exclude": ["10.5.0.20"],
        },
        {"cidr": "fd00:5::/64"},
    ]
    assert any("netplane-cni adopt" in text for text in found.comments)
    parse_plane(found.obj)


def test_an_ipam_that_no_plane_replaces_stays_with_the_nad() -> None:
    (found,) = propose([nad(type="macvlan", master="eth1", ipam={"type": "dhcp"})])
    assert found.obj["spec"]["network"] == {"nadRef": {"namespace": "shop", "name": "business"}}
    assert parse_plane(found.obj).ipam_mode.value == "NAD"


def test_a_resource_is_taken_and_a_fixed_device_is_not() -> None:
    ipam = {"type": "host-local", "subnet": "10.1.0.0/24"}
    fixed, pool = propose(
        [
            nad("a", type="sriov", deviceID="0000:03:00.0", ipam=ipam),
            nad("b", type="sriov", resource="intel.com/sriov", ipam=ipam),
        ]
    )
    assert any(text.startswith("Decide: resourceName") for text in fixed.comments)
    assert any(text.startswith("Not accepted as it is: ") for text in fixed.comments)
    assert parse_plane(pool.obj).network is not None


def test_names_are_not_taken_twice() -> None:
    other = {**MACVLAN, "master": "eth2"}
    planes = [make_plane("business", network={"type": "macvlan", "master": "eth9"})]
    found = propose([nad(**MACVLAN), nad(namespace="bank", **other)], planes)
    assert [one.obj["metadata"]["name"] for one in found] == ["business-2", "business-3"]


def test_what_is_a_plane_already_is_not_proposed() -> None:
    (first,) = propose([nad(**MACVLAN)])
    assert propose([nad(**MACVLAN)], [parse_plane(first.obj)]) == []
    dhcp: dict[str, Any] = {"type": "macvlan", "master": "eth1", "ipam": {"type": "dhcp"}}
    (over,) = propose([nad(**dhcp)])
    assert propose([nad(**dhcp)], [parse_plane(over.obj)]) == []


def test_chained_plugins_are_named_not_copied() -> None:
    chain = [MACVLAN, {"type": "tuning", "sysctl": {"net.core.somaxconn": "Zq7hunter2"}}]
    (found,) = propose([nad(plugins=chain)])
    assert "Decide: network.plugins; tuning come after it in a NAD." in found.comments
    assert "Zq7hunter2" not in found.text()


VALUES = st.none() | st.booleans() | st.integers(-5, 5000) | st.text(max_size=40)


def test_a_macvlan_with_a_resource_for_its_containers_stays_on_its_master() -> None:
    one = nad(resource="example.com/rdma", **MACVLAN)
    other = nad("other", resource="example.com/rdma", **{**MACVLAN, "master": "eth2"})
    networks = [found.obj["spec"]["network"] for found in propose([one, other])]
    assert [(each["master"], each["resourceName"]) for each in networks] == [
        ("eth1", "example.com/rdma"),
        ("eth2", "example.com/rdma"),
    ]


def test_a_device_of_a_resource_has_no_master() -> None:
    (found,) = propose([nad(resource="example.com/nics", type="host-device", device="eth2")])
    assert found.obj["spec"]["network"] == {
        "type": "host-device",
        "resourceName": "example.com/nics",
        "shared": True,
    }


TYPES = st.sampled_from(["macvlan", "ipvlan", "bridge", "vlan", "sriov", "host-device", "ovs", "é"])
IPAMS = st.fixed_dictionaries(
    {"type": st.sampled_from(["host-local", "static", "whereabouts", "dhcp", ""])},
    optional={
        key: VALUES | st.just("10.1.0.0/24") | st.just("10.1.0.9") | st.just("fd00::/64")
        for key in ("subnet", "rangeStart", "rangeEnd", "gateway", "range", "range_end")
    }
    | {"exclude": st.lists(VALUES, max_size=3), "ranges": st.lists(st.lists(VALUES), max_size=2)},
)
CONFIGS = st.fixed_dictionaries(
    {"type": TYPES},
    optional=dict.fromkeys(("master", "mode", "vlanId", "vlan", "mtu", "bridge", "device"), VALUES)
    | {"ipam": IPAMS},
)


@given(st.lists(CONFIGS, min_size=1, max_size=4), st.lists(st.text(max_size=20), max_size=3))
def test_whatever_a_nad_says_its_proposal_is_one_harmless_manifest(
    configs: list[dict[str, Any]], ips: list[str]
) -> None:
    nads = [nad(f"n{at}", ips=tuple(ips), **one) for at, one in enumerate(configs)]
    for found in propose(nads):
        text = found.text()
        assert all(letter.isprintable() or letter == "\n" for letter in text)
        assert yaml.safe_load(text) == found.obj
        json.dumps(found.as_json())
        if not any(one.startswith("Not accepted") for one in found.comments):
            parse_plane(found.obj)


@pytest.mark.parametrize("count", [300])
def test_proposals_are_bounded(count: int) -> None:
    nads = [nad(f"n{at}", **{**MACVLAN, "master": f"e{at}"}) for at in range(count)]
    assert len(propose(nads)) == 200
