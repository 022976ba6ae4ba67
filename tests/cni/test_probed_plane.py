"""A plane that probes its addresses and makes MACs from them, on a real node with its daemon."""

from __future__ import annotations

import json

import pytest

from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node, why_no_kernel_tests
from tests.support.node.wire import LIAR, answering
from tests.support.planes import plane_object

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(why_no_kernel_tests()), reason=why_no_kernel_tests()),
]


def probed(place: Place, **spec: object) -> None:
    """Have the scene's plane probe."""
    set_up(place)
    manifest = place.directory / "manifests" / "shop.yaml"
    objects = json.loads("[" + ",".join(manifest.read_text().split("\n---\n")) + "]")
    network = {"type": "macvlan", "master": "eth1", "mode": "bridge"}
    # An answer ends it at once; who answers is a thread of this process, which may have to wait.
    probe = {"count": 5, "intervalMilliseconds": 200}
    ipam = {"conflictDetection": "Probe", "probe": probe}
    objects[0] = plane_object("business", network=network, ipam=ipam, **spec)
    place.manifest("shop", *objects)


def test_a_pod_gets_an_address_that_nobody_has(daemon: Place, here: Node) -> None:
    """The event of the pod names the MAC; DEL leaves nothing but the quarantine."""
    probed(daemon)
    daemon.start()
    with answering(here.far, only=lambda address: address == "10.9.0.2"):
        daemon.call("ADD", here.sandbox.path, pod="shop/web")
    [link] = here.sandbox.ip_json("-4", "addr", "show", "net2")
    assert [one["local"] for one in link["addr_info"]] == ["10.9.0.3"]
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    daemon.stop()
    events = map(json.loads, (daemon.state / "events.jsonl").read_text().splitlines())
    told = [event["message"] for event in events if event["reason"] == "AddressConflict"]
    assert told == [
        f"10.9.0.2 ({LIAR.hex(':')}) of plane business: somebody on the wire answers; they rest, "
        "and others are tried"
    ]
    found = leftovers(daemon, here)
    assert [path for path in found["addresses"] if "quarantine" not in path] == []
    assert {**found, "addresses": []} == NOTHING


def test_who_answers_for_everything_holds_up_pods_of_that_plane_alone(
    daemon: Place, here: Node
) -> None:
    """The ADD fails within seconds with code 11, and nothing is left; without it the pod starts."""
    probed(daemon, mac={"source": "FromIP"})
    daemon.start()
    with answering(here.far):
        with pytest.raises(CniError, match="somebody on the wire answers") as refused:
            daemon.call("ADD", here.sandbox.path, pod="shop/web")
        assert refused.value.code == 11
        assert {**leftovers(daemon, here), "addresses": []} == NOTHING
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    [link] = here.sandbox.ip_json("link", "show", "net2")
    assert link["address"] == "0a:6e:0a:09:00:03"
    daemon.call("CHECK", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")


def test_a_plane_with_sysctls_and_routes_keeps_them_with_a_made_mac(
    daemon: Place, here: Node
) -> None:
    """`tuning` runs after it, and would set a MAC of CNI_ARGS anew, which removes routes."""
    route = {"dst": "10.60.0.0/16", "gw": "10.9.0.1"}
    sysctls = {"net.ipv4.conf.IFNAME.arp_ignore": "2"}
    probed(daemon, mac={"source": "FromIP"}, routes=[route], sysctls=sysctls)
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    [link] = here.sandbox.ip_json("link", "show", "net2")
    assert link["address"] == "0a:6e:0a:09:00:02"
    assert "10.60.0.0/16 via 10.9.0.1" in here.sandbox.ip("route")
    assert here.sandbox.sysctl("ipv4/conf/net2/arp_ignore") == "2"
    daemon.call("CHECK", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert leftovers(daemon, here) == NOTHING
