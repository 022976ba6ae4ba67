"""Type `bandwidth` shown by real packets: floods of which a burst arrives at once."""

from __future__ import annotations

import json

import pytest

from cni.net.kernel import Kernel
from tests.support.node.chained import HOST_LINK, call_of
from tests.support.node.limits import (
    EGRESS,
    GATEWAY,
    IFB,
    INGRESS,
    LIMITED,
    PACKETS,
    POD,
    flood,
    limited,
    plug_in_pod,
    why_no_qdiscs,
)
from tests.support.node.netns import Node
from tests.support.node.plugins import Ours, ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]


@pytest.fixture
def native(kernel: Kernel, a_node: Node) -> Ours:
    if reason := why_no_qdiscs("tbf", "ingress", "u32"):
        pytest.skip(reason)
    plug_in_pod(a_node)
    return ours(kernel)


@pytest.mark.parametrize("more", [INGRESS, EGRESS], ids=["ingress", "egress"])
async def test_packets_beyond_the_burst_are_dropped(
    more: dict[str, int], native: Ours, a_node: Node
) -> None:
    """The other direction stays as it was."""
    await native.add(call_of(a_node), limited(a_node, **more))
    received = flood(a_node.host, a_node.sandbox, POD)
    sent = flood(a_node.sandbox, a_node.host, GATEWAY)
    slow, fast = (received, sent) if more is INGRESS else (sent, received)
    assert slow in LIMITED
    assert fast == PACKETS


@pytest.mark.parametrize("key", ["shapedSubnets", "unshapedSubnets"])
@pytest.mark.parametrize("direction", ["ingress", "egress"])
async def test_peers_of_some_networks_alone_are_limited(
    key: str, direction: str, native: Ours, a_node: Node
) -> None:
    """In both directions it is the peer's network that counts."""
    if reason := why_no_qdiscs("htb"):
        pytest.skip(reason)
    a_node.host.ip("link", "set", "lo", "up")
    a_node.host.ip("addr", "add", "10.20.0.1/32", "dev", "lo")
    a_node.host.ip("addr", "add", "fd00:20::1/128", "dev", "lo")
    more = INGRESS if direction == "ingress" else EGRESS
    conf = limited(a_node, **more, **{key: ["10.20.0.0/16", "fd00:20::/32"]})
    call = call_of(a_node)
    conf["prevResult"] = json.loads(await native.add(call, conf))
    await native.check(call, conf)
    if direction == "egress":
        listed = flood(a_node.sandbox, a_node.host, "10.20.0.1")
        other = flood(a_node.sandbox, a_node.host, GATEWAY)
    else:
        other = flood(a_node.host, a_node.sandbox, POD)
        a_node.host.ip("route", "replace", "10.9.0.0/24", "dev", HOST_LINK, "src", "10.20.0.1")
        listed = flood(a_node.host, a_node.sandbox, POD)
    slow, fast = (listed, other) if key == "shapedSubnets" else (other, listed)
    assert slow < PACKETS
    assert fast >= PACKETS  # some of the first flood may arrive with the second
    await native.delete(call, conf)
    assert IFB not in {one["ifname"] for one in a_node.host.ip_json("link")}
