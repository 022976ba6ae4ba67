"""Reading planes: strict, everything wrong at once, nothing accepted that nobody enforces."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from planes.model.errors import BadInput
from planes.model.objects import Namespace, Pod
from planes.model.spec.plane import find_plane_faults, parse_plane
from planes.model.spec.plane_spec import Plane
from tests.support.model import SUBNET, make_namespace, make_plane, plane_object, pod_object

NAD_REF = {"nadRef": {"namespace": "ops", "name": "biz"}}
V6 = {"cidr": "fd00::/64"}


def faults(**spec: Any) -> list[str]:
    _, findings = find_plane_faults(plane_object(**spec))
    return [finding.path for finding in findings]


def test_nothing_more_is_said_of_a_network_whose_type_is_unknown() -> None:
    assert faults(network={"type": "geneve", "vlan": 7, "mode": "l2"}) == ["spec.network.type"]


def test_the_example_of_the_documentation_is_read() -> None:
    plane = make_plane(purpose="business traffic", order=3, ipam={"mode": "Plane"})
    assert (plane.name, plane.order, plane.families) == ("business", 3, frozenset({4}))
    assert [str(span) for span in plane.subnets[0].static_ranges] == [
        "192.168.100.0-192.168.100.255"
    ]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"subnet": []}, "spec.subnet"),
        ({"network": {}}, "spec.network"),
        ({"network": {"type": "macvlan", **NAD_REF}}, "spec.network"),
        ({"network": {"type": "geneve"}}, "spec.network.type"),
        ({"network": {"type": "macvlan", "mode": "l2"}}, "spec.network.mode"),
        ({"network": {"type": "macvlan", "vlan": 7}}, "spec.network.vlan"),
        ({"network": {"type": "vlan", "vlan": 7}}, "spec.network.master"),
        ({"network": {"type": "host-device"}}, "spec.network.master"),
        ({"network": {"type": "sriov"}}, "spec.network.resourceName"),
        ({"network": {"type": "macvlan", "plugins": [{}]}}, "spec.network.plugins[0]"),
        ({"network": NAD_REF, "mtu": 9000}, "spec.mtu"),
        ({"network": NAD_REF, "ipam": {"mode": "Plane"}}, "spec.ipam.mode"),
        ({"ipam": {"mode": "NAD"}}, "spec.ipam.mode"),
        ({"ipam": {"mode": "None"}}, "spec.subnets"),
        (
            {"network": {"type": "ipvlan"}, "ipam": {"mode": "None"}, "subnets": None},
            "spec.ipam.mode",
        ),
        ({"subnets": None}, "spec.subnets"),
        ({"subnets": [{"cidr": "10.0.0.1/24"}]}, "spec.subnets[0].cidr"),
        ({"subnets": [{}]}, "spec.subnets[0].cidr"),
        ({"subnets": [{**SUBNET, "gateway": "10.0.0.1"}]}, "spec.subnets[0].gateway"),
        ({"subnets": [{**SUBNET, "gateway": "192.168.0.0"}]}, "spec.subnets[0].gateway"),
        ({"subnets": [{**SUBNET, "exclude": ["10.0.0.1"]}]}, "spec.subnets[0].exclude[0]"),
        ({"subnets": [{**SUBNET, "ranges": ["192.168.1.0/24"] * 2}]}, "spec.subnets[0].ranges[1]"),
        ({"subnets": [SUBNET, {"cidr": "192.168.1.0/24"}]}, "spec.subnets[1].cidr"),
        ({"subnets": [V6] * 9}, "spec.subnets"),
        ({"interface": "eth0"}, "spec.interface"),
        ({"interface": "much-too-long-name"}, "spec.interface"),
        ({"namespaceSelector": {}}, "spec.namespaceSelector"),
        ({"attachment": "Sometimes"}, "spec.attachment"),
        ({"order": "first"}, "spec.order"),
        ({"defaultRoute": True, "subnets": [V6]}, "spec.defaultRoute"),
        ({"routes": [{"dst": "10.0.0.0/8", "gw": "fd00::1"}]}, "spec.routes[0].gw"),
        ({"bandwidth": {"ingressRate": 1, "ingressBurst": 1}}, "spec.bandwidth"),
        ({"sysctls": {"kernel.panic": "1"}}, "spec.sysctls[kernel.panic]"),
        (
            {"staticIPs": {"reservations": [{"ip": "10.0.0.1", "namespace": "shop"}]}},
            "spec.staticIPs.reservations[0].ip",
        ),
        (
            {"staticIPs": {"reservations": [{"ip": "192.168.0.1", "namespace": "shop"}]}},
            "spec.staticIPs.reservations[0].ip",
        ),
        ({"isolation": {"default": "DenyIngress"}}, "spec.isolation.default"),
        ({"isolation": {"antiSpoof": True}}, "spec.isolation.antiSpoof"),
        (
            {"ipam": {"lifecycle": "Persistent"}, "subnets": [{"cidr": "10.0.0.0/24"}]},
            "spec.ipam.lifecycle",
        ),
        (
            {"ipam": {"lifecycle": "Persistent", "mode": "None"}, "subnets": []},
            "spec.ipam.lifecycle",
        ),
        ({"ipam": {"lifecycle": "Forever"}}, "spec.ipam.lifecycle"),
        ({"ipam": {"conflictDetection": True}}, "spec.ipam.conflictDetection"),
        ({"ipam": {"borrow": "no"}}, "spec.ipam.borrow"),
        ({"enforcement": {"workloads": "Deny"}}, "spec.enforcement.workloads"),
        ({"enforcement": {"workloads": "Off"}}, "spec.enforcement.workloads"),
        ({"enforcement": {"workloads": 7}}, "spec.enforcement.workloads"),
        ({"ipam": {"conflictDetection": "Arping"}}, "spec.ipam.conflictDetection"),
        ({"ipam": {"probe": {"count": 3}}}, "spec.ipam.probe"),
        ({"mac": {"prefix": "02:00"}}, "spec.mac.prefix"),
        ({"mac": {"source": "FromIP", "prefix": "01:00"}}, "spec.mac.prefix"),
        ({"mac": {"source": "FromIP"}, "ipam": {"mode": "None"}}, "spec.mac.source"),
        ({"dynamicAttach": True}, "spec.dynamicAttach"),
    ],
)
def test_a_fault_is_told_with_its_path(spec: dict[str, Any], path: str) -> None:
    assert path in faults(**spec)
    with pytest.raises(BadInput, match="cannot use plane business"):
        make_plane(**spec)


def test_all_faults_are_told_at_once() -> None:
    found = faults(order="x", interface="eth0", subnets=[{"cidr": "x"}, {"gateway": "y"}])
    assert len(found) >= 5


@pytest.mark.parametrize("name", ["", "Business", "a.b", "x" * 64, None])
def test_a_name_must_fit_into_a_label(name: str | None) -> None:
    with pytest.raises(BadInput, match="as a plane's name"):
        parse_plane({**plane_object(), "metadata": {"name": name}})


@pytest.mark.parametrize("value", [None, 7, "x", [], True])
@pytest.mark.parametrize(
    "field", sorted({*plane_object()["spec"], "ipam", "quota", "namespaceSelector"})
)
def test_a_field_of_any_type_is_read_or_refused(field: str, value: object) -> None:
    obj = {**plane_object(), "spec": {**plane_object()["spec"], field: value}}
    _, findings = find_plane_faults(obj)
    assert all(finding.message.startswith("cannot ") for finding in findings)


def test_what_is_kept_for_others_is_not_handed_out_freely() -> None:
    entry = {"ip": "10.0.0.5", "namespace": "shop"}
    subnet = {
        "cidr": "10.0.0.0/28",
        "gateway": "10.0.0.1",
        "exclude": ["10.0.0.3"],
        "staticRanges": ["10.0.0.8/30"],
    }
    plane = make_plane(subnets=[subnet], staticIPs={"reservations": [entry]})
    (found,) = plane.subnets
    assert [str(span) for span in found.dynamic] == [
        "10.0.0.2",
        "10.0.0.4",
        "10.0.0.6-10.0.0.7",
        "10.0.0.12-10.0.0.14",
    ]
    assert sum(span.size for span in found.dynamic) == 7


def test_a_point_to_point_subnet_uses_both_addresses() -> None:
    (subnet,) = make_plane(subnets=[{"cidr": "10.0.0.0/31"}]).subnets
    assert sum(span.size for span in subnet.dynamic) == 2
    assert ip_address("10.0.0.0") in subnet.dynamic[0]


def joins(plane: Plane, namespace: Namespace) -> bool:
    return plane.matches(namespace, Pod.from_object(pod_object()))


def test_the_default_selector_is_the_planes_label() -> None:
    assert joins(make_plane(), make_namespace(business="enabled"))
    assert joins(make_plane(), make_namespace(business="required"))
    assert not joins(make_plane(), make_namespace(business="true"))
    assert not joins(make_plane(), make_namespace(storage="enabled"))


def test_a_selector_takes_the_place_of_the_label() -> None:
    expression = {"key": "tier", "operator": "In", "values": ["web", "db"]}
    plane = make_plane(namespaceSelector={"matchExpressions": [expression]})
    assert joins(plane, Namespace("shop", {"tier": "db"}))
    assert not joins(plane, make_namespace(business="enabled"))


def test_all_namespaces_leaves_the_clusters_own_out() -> None:
    plane = make_plane(allNamespaces=True)
    assert joins(plane, make_namespace("anything"))
    assert not joins(plane, make_namespace("kube-system"))
    assert joins(plane, make_namespace("kube-system", business="enabled"))
