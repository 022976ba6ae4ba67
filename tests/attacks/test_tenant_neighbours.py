"""A tenant with an interface on a shared wire: what it may do to other pods there.

The plane `business` is a macvlan on eth1; `shop` has joined it. Bridges `br-*` are for everybody,
`shop-*` for namespace shop.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from cni.net.host_links import HostLink
from cni.net.topology import Topology
from planes.model.decide.decision import Decision, decide
from planes.model.decide.nad_review import review_nad
from planes.model.errors import JsonObject
from planes.model.names import DEFAULT_NETWORK_ANNOTATION
from planes.model.objects import Nad, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.state.wire import Wire, WireKind
from tests.support.model import make_catalog, make_namespace, make_plane, pod_object

GUARDED = NadPolicy(is_guarded=True, interfaces=("br-*", "eth1", "shop:shop-*"))
MACVLAN = {"type": "macvlan", "master": "eth1"}
MAC = "02:00:00:00:00:01"
SHOP = make_namespace("shop", business="enabled")


def nad(*plugins: JsonObject, namespace: str = "shop") -> Nad:
    body = {"cniVersion": "1.0.0", "name": "own", "plugins": list(plugins)}
    return Nad(namespace, "own", orjson.dumps(body).decode())


def ask(own: Nad, networks: str, namespace: Namespace = SHOP, **plane: Any) -> Decision:
    catalog = make_catalog(make_plane(**plane), nads=[own], nad_policy=GUARDED)
    pod = pod_object(namespace=namespace.name, networks=networks)
    return decide(Pod.from_object(pod), namespace, catalog)


@pytest.mark.parametrize(
    "plugins",
    [
        ({**MACVLAN, "mac": MAC},),
        ({**MACVLAN, "Mac": MAC},),
        (MACVLAN, {"type": "tuning", "mac": MAC}),
    ],
)
def test_tenant_chooses_no_mac_of_a_plane_by_its_own_nad(plugins: tuple[JsonObject, ...]) -> None:
    strict: Any = {"mac": {"allowRequest": False}}
    refused = ask(nad(*plugins), "own", **strict)
    assert "chooses the MAC" in refused.message
    assert refused.status == 403
    assert not ask(nad(*plugins), "own").denied  # the plane lets pods choose
    assert not ask(nad(MACVLAN), "own", **strict).denied


@pytest.mark.parametrize("where", ["args", "runtimeConfig"])
def test_tenant_chooses_no_mac_in_the_runtime_s_place(where: str) -> None:
    """Where NADs are not guarded, these keys are only warned about."""
    told = {"cni": {"mac": MAC}} if where == "args" else {"mac": MAC}
    plane = make_plane(mac={"allowRequest": False})
    catalog = make_catalog(plane, nads=[nad({**MACVLAN, where: told})])
    pod = Pod.from_object(pod_object(networks="own"))
    assert "chooses the MAC" in decide(pod, SHOP, catalog).message


@pytest.mark.parametrize("mtu", [68, 1, 1279, -1, "68", 68.0, True])
def test_tenant_makes_no_bridge_smaller_than_ipv6_needs(mtu: object) -> None:
    """A port of 68 bytes took the IPv6 addresses of the bridge away, its gateway's among them."""
    own = nad({"type": "bridge", "bridge": "br-x", "mtu": mtu})
    assert any(".mtu" in each.path for each in review_nad(own, _catalog()).errors)
    assert ask(own, "own").denied


@pytest.mark.parametrize("mtu", [0, 1280, 9000, None])
def test_tenant_may_choose_a_usual_mtu(mtu: int | None) -> None:
    own = nad({"type": "bridge", "bridge": "br-x", "mtu": mtu})
    assert not review_nad(own, _catalog()).errors


def test_tenant_gets_onto_no_interface_of_another_by_the_other_s_nad() -> None:
    own = nad({"type": "bridge", "bridge": "shop-a"})
    evil = Namespace("evil")
    assert not ask(own, "own").denied
    refused = ask(own, "shop/own", evil)
    assert "NETPLANE_NAD_INTERFACES" in refused.message
    assert not ask(nad({"type": "bridge", "bridge": "br-x"}), "shop/own", evil).denied
    assert not ask(own, "shop/own", Namespace("kube-system")).denied


def test_tenant_gets_onto_no_interface_of_another_as_eth0() -> None:
    catalog = _catalog(nad({"type": "bridge", "bridge": "shop-a"}))
    wish = {DEFAULT_NETWORK_ANNOTATION: "shop/own"}
    pod = Pod.from_object(pod_object(namespace="evil", annotations=wish))
    assert "NETPLANE_NAD_INTERFACES" in decide(pod, Namespace("evil"), catalog).message


def test_tenant_on_a_bridge_of_open_vswitch_is_on_the_wire_of_its_uplink() -> None:
    """The kernel tells of Open vSwitch that eth1 is a port of it, not which bridge's."""
    links = [
        HostLink(1, ("eth1",), master=2),
        HostLink(2, ("ovs-system",), "openvswitch"),
        HostLink(3, ("br-ex",), "openvswitch"),
        HostLink(4, ("br-other",), "bridge"),
    ]
    node = Topology(links)
    eth1 = Wire(WireKind.LINK, "eth1")
    assert eth1 in node.expand(frozenset({Wire(WireKind.LINK, "br-ex")}))
    assert Wire(WireKind.LINK, "br-ex") in node.expand(frozenset({eth1}))
    assert eth1 not in node.expand(frozenset({Wire(WireKind.LINK, "br-other")}))


def _catalog(*nads: Nad) -> Any:
    return make_catalog(make_plane(), nads=nads, nad_policy=GUARDED)
