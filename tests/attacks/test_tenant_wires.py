"""A tenant who may write NADs tries to get onto a plane's wire, and at its addresses, past policy.

The plane `business` is a macvlan on eth1, 192.168.0.0/16 with the gateway 192.168.0.1; namespace
`shop` has joined it, `evil` has not.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.errors import JsonObject
from planes.model.names import DEFAULT_NETWORK_ANNOTATION, RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from tests.support.model import make_catalog, make_namespace, make_plane, pod_object

BUSINESS = make_plane()
TAGGED = make_plane("tagged", network={"type": "vlan", "master": "eth1", "vlan": 100})
BRIDGED = make_plane("bridged", network={"type": "bridge", "master": "br-x"})
VIRTUAL = make_plane("virtual", network={"type": "sriov", "resourceName": "intel.com/vf"})
MOVED = make_plane("moved", network={"type": "host-device", "master": "eth7"})
PLANES = (BUSINESS, TAGGED, BRIDGED, VIRTUAL, MOVED)
EVIL = make_namespace("evil")
SHOP = make_namespace("shop", business="enabled")
GATEWAY = {"type": "static", "addresses": [{"address": "192.168.0.1/16"}]}
MACVLAN = {"type": "macvlan", "master": "eth1"}


def nad(*plugins: JsonObject, namespace: str = "evil", name: str = "own", **more: str) -> Nad:
    body = {"cniVersion": "1.0.0", "name": name, "plugins": list(plugins)}
    return Nad(namespace, name, orjson.dumps(body).decode(), more)


def catalog_with(*nads: Nad, planes: tuple[Plane, ...] = PLANES, **more: Any) -> Catalog:
    return make_catalog(*planes, nads=nads, **more)


def ask(catalog: Catalog, networks: str = "own", **annotations: str) -> Decision:
    """Decide on a pod of evil."""
    pod = pod_object(namespace="evil", networks=networks, annotations=annotations)
    return decide(Pod.from_object(pod), EVIL, catalog)


def ask_as_shop(catalog: Catalog, networks: str = "own", **annotations: str) -> Decision:
    """Decide on a pod of shop, which attaches to business as well."""
    pod = pod_object(networks=networks, annotations=annotations)
    return decide(Pod.from_object(pod), SHOP, catalog)


@pytest.mark.parametrize(
    "plugin",
    [
        {"type": "macvlan", "master": "eth1"},
        {"type": "ipvlan", "Master": "eth1"},
        {"type": "ipvlan", "master": "eth9", "MASTER": "eth1"},
        {"type": "macvlan", "master": "", "Master": "eth9"},
        {"type": "ipvlan", "ma\u017fter": "eth1"},
        {"type": "macvlan", "master": "eth1\0"},
        {"type": "macvlan"},
        {"type": "macvlan", "master": "eth1", "mode": "passthru"},
        {"type": "macvtap", "master": "eth1"},
        {"type": "vlan", "master": "eth1", "vlanId": 100},
        {"type": "vlan", "master": "eth1", "vlanId": 7, "VlanID": 100},
        {"type": "macvlan", "master": "eth1.100"},
        {"type": "macvlan", "master": "eth1.0100"},
        {"type": "bridge", "bridge": "br-x"},
        {"type": "bridge", "bridge": "br-x", "vlan": 9},
        {"type": "macvlan", "master": "br-x"},
        {"type": "tap", "bridge": "br-x"},
        {"type": "host-device", "device": "eth1"},
        {"type": "host-device", "device": "eth7"},
        {"type": "bond", "links": [{"name": "eth1"}]},
        {"type": "flannel", "delegate": {"type": "macvlan", "master": "eth1"}},
        {"type": "nobody-knows", "master": "eth1"},
    ],
)
def test_tenant_cannot_stand_on_the_wire_of_a_plane_it_has_not_joined(plugin: JsonObject) -> None:
    decision = ask(catalog_with(nad(plugin)))
    assert decision.status == 403
    assert "namespace evil has not joined it" in decision.message


def test_tenant_cannot_hide_the_wire_behind_another_plugin() -> None:
    assert ask(catalog_with(nad({"type": "ptp"}, MACVLAN))).status == 403


def test_tenant_cannot_hide_the_wire_behind_a_member_written_twice() -> None:
    """JSON readers of Go and ours take the last."""
    text = '{"cniVersion":"1.0.0","name":"own","type":"macvlan","master":"eth9","master":"eth1"}'
    assert ask(catalog_with(Nad("evil", "own", text))).status == 403


def test_tenant_cannot_take_a_device_of_a_planes_resource() -> None:
    taking = nad({"type": "sriov"}, **{RESOURCE_NAME_ANNOTATION: "intel.com/vf"})
    assert ask(catalog_with(taking)).status == 403


def test_tenant_cannot_stand_on_the_wire_with_its_default_interface() -> None:
    annotations = {DEFAULT_NETWORK_ANNOTATION: "evil/own"}
    decision = ask(catalog_with(nad({**MACVLAN, "ipam": GATEWAY})), "", **annotations)
    assert decision.status == 403
    assert decision.errors[0].path == f"metadata.annotations[{DEFAULT_NETWORK_ANNOTATION}].name"


def test_tenant_cannot_use_a_nad_of_another_namespace_on_the_wire() -> None:
    assert ask(catalog_with(nad(MACVLAN, namespace="shop")), "shop/own").status == 403


def test_tenant_cannot_reach_a_vlan_of_planes_from_inside_its_pod() -> None:
    """Joined on the untagged network, it puts a VLAN interface on the interface it got."""
    inner = {"type": "vlan", "master": "net2", "vlanId": 100, "linkInContainer": True}
    decision = ask_as_shop(catalog_with(nad(inner, namespace="shop")))
    assert "wire of plane tagged" in decision.message
    harmless = {**inner, "vlanId": 101}
    assert not ask_as_shop(catalog_with(nad(harmless, namespace="shop"))).denied


def test_tenant_cannot_take_addresses_of_a_plane_with_its_ipam() -> None:
    """Wherever its NAD stands, and also where its namespace has joined: quotas would not count."""
    for plugin in ({"type": "ptp"}, {"type": "macvlan", "master": "eth1"}, {"type": "bridge"}):
        taking = {**plugin, "ipam": {"type": "plane", "plane": "business"}}
        assert "not the plane's own NAD" in ask(catalog_with(nad(taking))).message
        found = ask_as_shop(catalog_with(nad(taking, namespace="shop")))
        assert "use NAD netplane-system/business" in found.errors[0].remedy


def test_tenant_cannot_take_addresses_of_one_plane_through_the_nad_of_another() -> None:
    """An administrator's NAD that names the IPAM of a plane which is not its own."""
    conf = {"type": "bridge", "ipam": {"type": "plane", "plane": "business"}}
    mine = make_plane(
        "mine", network={"nadRef": {"namespace": "shop", "name": "own"}}, subnets=None
    )
    catalog = catalog_with(nad(conf, namespace="shop"), planes=(*PLANES, mine))
    pod = Pod.from_object(pod_object(networks="own"))
    assert decide(pod, make_namespace("shop", mine="enabled"), catalog).status == 403


@pytest.mark.parametrize("key", ["addresses", "Addresses", "addre\u017f\u017fes"])
def test_tenant_that_joined_cannot_take_the_gateway_with_a_static_ipam(key: str) -> None:
    ipam = {"type": "static", key: [{"address": "192.168.0.1/16"}]}
    decision = ask_as_shop(catalog_with(nad({**MACVLAN, "ipam": ipam}, namespace="shop")))
    assert "it is the gateway of 192.168.0.0/16" in decision.message


@pytest.mark.parametrize(
    "more",
    [
        {"runtimeConfig": {"ips": ["192.168.0.1/16"]}},
        {"args": {"cni": {"ips": ["192.168.0.1/16"]}}},
    ],
)
def test_tenant_that_joined_cannot_write_what_a_runtime_would(more: JsonObject) -> None:
    plugin = {**MACVLAN, "ipam": {"type": "static"}, **more}
    assert "the gateway" in ask_as_shop(catalog_with(nad(plugin, namespace="shop"))).message


def test_tenant_that_joined_gets_no_more_of_a_plane_than_an_address_of_each_family() -> None:
    """However many a static IPAM gives: they would all be taken from others."""
    addresses = [{"address": f"192.168.100.{n}/16"} for n in (7, 8)]
    ipam = {"type": "static", "addresses": addresses}
    decision = ask_as_shop(catalog_with(nad({**MACVLAN, "ipam": ipam}, namespace="shop")))
    assert "it has another of plane business" in decision.message


def test_tenant_cannot_choose_a_device_that_is_a_planes() -> None:
    """Its NAD names none, but takes the one that the pod's annotation asks for."""
    plane = make_plane(
        "card", network={"nadRef": {"namespace": "ops", "name": "card"}}, subnets=None
    )
    theirs = nad({"type": "host-device", "pciBusID": "0000:3b:00.1"}, namespace="ops", name="card")
    mine = nad({"type": "host-device", "capabilities": {"deviceID": True}})
    networks = orjson.dumps([{"name": "own", "deviceID": "3B:00.1"}]).decode()
    assert ask(catalog_with(theirs, mine, planes=(plane,)), networks).status == 403


def test_tenant_that_joined_cannot_ask_through_its_nad_for_what_the_plane_refuses() -> None:
    plugin = {**MACVLAN, "capabilities": {"ips": True}, "ipam": {"type": "static"}}
    catalog = catalog_with(nad(plugin, namespace="shop"))
    for address in ("192.168.0.1/16", "192.168.10.7/16"):
        networks = orjson.dumps([{"name": "own", "ips": [address]}]).decode()
        assert ask_as_shop(catalog, networks).denied
    networks = orjson.dumps([{"name": "own", "ips": ["192.168.100.7/16"]}]).decode()
    permitted = ask_as_shop(catalog, networks)
    assert not permitted.denied
    assert [str(ip) for ip in permitted.attachments[0].holds["business"]] == ["192.168.100.7"]


def test_tenant_that_joined_cannot_take_what_a_pod_of_the_plane_has() -> None:
    element = {"name": "business", "namespace": "netplane-system", "ips": ["192.168.100.7/16"]}
    holder = pod_object("db", namespace="shop", networks=orjson.dumps([element]).decode())
    ipam = {"type": "static", "addresses": [{"address": "192.168.100.7/16"}]}
    catalog = catalog_with(nad({**MACVLAN, "ipam": ipam}, namespace="shop"), pods=[holder])
    assert "pod shop/db asks for it already" in ask_as_shop(catalog).message


@pytest.mark.parametrize(
    "ipam",
    [
        {"type": "host-local", "subnet": "192.168.0.0/16"},
        {
            "type": "host-local",
            "ranges": [[{"subnet": "10.0.0.0/24"}, {"subnet": "192.168.7.0/24"}]],
        },
        {"type": "whereabouts", "range": "192.168.0.0/16"},
        {"type": "dhcp"},
        {"type": "nobody-knows"},
        {"TYPE": "dhcp"},
        {"type": "static", "addresses": [{"address": f"10.0.{n}.1/24"} for n in range(60)]},
    ],
)
def test_tenant_that_joined_cannot_hand_out_the_planes_addresses_a_second_time(
    ipam: JsonObject,
) -> None:
    decision = ask_as_shop(catalog_with(nad({**MACVLAN, "ipam": ipam}, namespace="shop")))
    assert decision.status == 403
    assert "addresses would be given out twice" in decision.message


def test_tenant_that_joined_may_use_addresses_of_its_own_on_the_wire() -> None:
    ipam = {"type": "host-local", "subnet": "10.7.0.0/24"}
    assert not ask_as_shop(catalog_with(nad({**MACVLAN, "ipam": ipam}, namespace="shop"))).denied


def test_tenant_that_joined_is_kept_to_the_planes_rules_on_its_wire() -> None:
    strict = make_plane(mac={"allowRequest": False})
    element = {"name": "own", "mac": "02:00:00:00:00:07", "cni-args": {"x": "y"}}
    networks = orjson.dumps([element]).decode()
    catalog = catalog_with(nad(MACVLAN, namespace="shop"), planes=(strict,))
    errors = ask_as_shop(catalog, networks).errors
    assert {"mac", "cni-args.x"} <= {error.path.rpartition("[0].")[2] for error in errors}


def test_tenant_is_counted_by_the_planes_quota_on_its_wire() -> None:
    limited = make_plane(quota={"attachmentsPerNamespace": 1})
    catalog = catalog_with(nad(MACVLAN, namespace="shop"), planes=(limited,))
    assert "quota" in ask_as_shop(catalog).message


SHARED = make_plane(network={"type": "macvlan", "master": "eth1", "shared": True})


def test_tenant_may_use_a_wire_that_is_shared() -> None:
    ipam = {"type": "host-local", "subnet": "192.168.0.0/16"}
    assert not ask(catalog_with(nad({**MACVLAN, "ipam": ipam}), planes=(SHARED,))).denied


def test_tenant_cannot_take_the_gateway_of_a_plane_even_where_the_wire_is_shared() -> None:
    decision = ask(catalog_with(nad({**MACVLAN, "ipam": GATEWAY}), planes=(SHARED,)))
    assert "it is the gateway" in decision.message
    taking = {**MACVLAN, "ipam": {"type": "plane", "plane": "business"}}
    assert ask(catalog_with(nad(taking), planes=(SHARED,))).status == 403


def test_tenant_stays_free_beside_the_planes_wires() -> None:
    for plugin in (
        {"type": "bridge", "bridge": "own0", "ipam": {"type": "dhcp"}},
        {"type": "macvlan", "master": "eth2"},
        {"type": "vlan", "master": "eth1", "vlanId": 101, "ipam": GATEWAY},
        {"type": "ptp", "ipam": GATEWAY},
    ):
        assert not ask(catalog_with(nad(plugin))).denied


def test_tenant_that_joined_one_plane_of_a_wire_may_use_it_but_not_addresses_of_the_other() -> None:
    other = make_plane("other", subnets=[{"cidr": "10.8.0.0/24"}])
    catalog = catalog_with(nad(MACVLAN, namespace="shop"), planes=(BUSINESS, other))
    assert not ask_as_shop(catalog).denied
    ipam = {"type": "static", "addresses": [{"address": "10.8.0.9/24"}]}
    catalog = catalog_with(
        nad({**MACVLAN, "ipam": ipam}, namespace="shop"), planes=(BUSINESS, other)
    )
    assert (
        "it is plane other's, and namespace shop has not joined it" in ask_as_shop(catalog).message
    )


def test_tenant_cannot_make_a_review_slow_with_many_wires_and_addresses() -> None:
    """A NAD may lead to so many places, and what is read of its addresses is bounded."""
    wires = [{"type": "macvlan", "master": f"eth{n}"} for n in range(99)]
    assert "99 interfaces" in ask(catalog_with(nad(*wires))).message
    ipam = {"type": "static", "addresses": [{"address": f"192.168.1.{n}/16"} for n in range(99)]}
    many = [{**MACVLAN, "ipam": {**ipam, "x": n}} for n in range(50)]
    assert len(ask_as_shop(catalog_with(nad(*many, namespace="shop"))).errors) < 5


def test_tenant_cannot_bury_a_rule_that_is_kept_under_others_that_only_warn() -> None:
    warns = {"enforcement": {"pods": "Warn"}}
    lenient = [make_plane(f"a{n}", subnets=[{"cidr": f"10.{n}.0.0/16"}], **warns) for n in range(9)]
    namespace = make_namespace("shop", business="enabled", a0="enabled")
    catalog = catalog_with(
        nad({**MACVLAN, "ipam": {"type": "dhcp"}}, namespace="shop"), planes=(*lenient, BUSINESS)
    )
    pod = Pod.from_object(pod_object(networks="own"))
    assert "of plane business by itself" in decide(pod, namespace, catalog).message
