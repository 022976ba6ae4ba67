"""The order in which a pod's networks are made is that of its annotation, on a real node.

Software counts on it: "the second NIC" is the one with the second index, and which of several
default routes is used follows from who came first (podman#12850; Multus attaches one by one).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cni.scene import NOTHING, leftovers, pod_object, set_up
from tests.support.node.daemon import Place
from tests.support.node.netns import Node, why_no_reference

pytestmark = pytest.mark.kernel

JsonObject = dict[str, Any]
NATIVE: tuple[str, ...] = ()
EXECUTED = ("--native", "bridge=false,macvlan=false")
PODS = 2


def nad(name: str, **ipam: Any) -> JsonObject:
    conf = {"cniVersion": "1.0.0", "type": "macvlan", "master": "eth1", "ipam": ipam}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"config": json.dumps(conf)},
    }


def routed(name: str, number: int) -> JsonObject:
    """Both families, each with a default route of its own."""
    addresses = [
        {"address": f"10.6{number}.0.5/24", "gateway": f"10.6{number}.0.1"},
        {"address": f"fd00:{number}::5/64", "gateway": f"fd00:{number}::1"},
    ]
    routes = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
    return nad(name, type="static", addresses=addresses, routes=routes)


def start(daemon: Place, options: tuple[str, ...]) -> None:
    if options:
        for kind in ("bridge", "macvlan", "host-local", "static"):
            if reason := why_no_reference(kind):
                pytest.skip(reason)
    set_up(daemon)
    daemon.start(*options)


@pytest.mark.parametrize("options", [NATIVE, EXECUTED])
def test_interfaces_are_numbered_in_the_order_of_the_annotation(
    daemon: Place, here: Node, options: tuple[str, ...]
) -> None:
    names = [f"m{number}" for number in range(1, 6)]
    networks = "m1, store, m2, m3, m4, m5"
    daemon.manifest("nads", *map(nad, names), pod_object("many", networks))
    start(daemon, options)
    for _pod in range(PODS):
        daemon.call("ADD", here.sandbox.path, pod="shop/many")
        links = {link["ifindex"]: link["ifname"] for link in here.sandbox.ip_json("link")}
        found = [links[index] for index in sorted(links) if links[index] != "lo"]
        assert found == ["eth0", *(f"net{number}" for number in range(1, 8))]
        daemon.call("DEL", here.sandbox.path, pod="shop/many")
    assert leftovers(daemon, here) == NOTHING


@pytest.mark.parametrize("options", [NATIVE, EXECUTED])
def test_of_several_default_routes_every_pod_uses_the_one_of_the_reference_plugins(
    daemon: Place, here: Node, options: tuple[str, ...]
) -> None:
    """The second case runs them. A new IPv4 route goes before its equals, an IPv6 one after."""
    nads = [routed(name, number) for number, name in enumerate(("r1", "r2"), start=1)]
    daemon.manifest("nads", *nads, pod_object("routed", "r2, r1"))
    start(daemon, options)
    for _pod in range(PODS):
        daemon.call("ADD", here.sandbox.path, pod="shop/routed")
        chosen = {
            address: here.sandbox.ip_json("route", "get", address)[0]["dev"]
            for address in ("192.0.2.8", "2001:db8::8")
        }
        assert chosen == {"192.0.2.8": "net2", "2001:db8::8": "net1"}
        daemon.call("DEL", here.sandbox.path, pod="shop/routed")
    assert leftovers(daemon, here) == NOTHING
