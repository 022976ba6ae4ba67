"""A kernel without a kind of links: the error says which module is missing, and nothing is left."""

from __future__ import annotations

from typing import Any

import pytest

from cni.net.kernel import Kernel
from planes.model.errors import BadInput
from tests.support.node.netns import Node, why_no_link_kind
from tests.support.node.on_master import V4, call_in, left_as_found, plugin, with_addresses

pytestmark = pytest.mark.kernel

PREVIOUS = {"cniVersion": "1.0.0", "interfaces": [], "ips": [{"address": V4}]}


@pytest.mark.parametrize(
    ("kind", "conf", "text"),
    [
        ("ipvlan", {}, "cannot create ipvlan net1 on eth1: the kernel of this node has no ipvlan"),
        ("vlan", {"vlanId": 5}, "vlan net1 on eth1: the kernel of this node has no 8021q"),
        (
            "vrf",
            {"vrfname": "blue", "prevResult": PREVIOUS},
            "cannot create VRF blue with table 1: the kernel of this node has no vrf",
        ),
    ],
)
async def test_the_missing_module_is_named(
    kind: str, conf: dict[str, Any], text: str, kernel: Kernel, a_node: Node
) -> None:
    if not why_no_link_kind(kind):
        pytest.skip(f"this kernel has {kind}")
    a_node.sandbox.ip("link", "add", "net2", "type", "veth", "peer", "name", "net3")
    call = call_in(a_node.sandbox, "net2" if kind == "vrf" else "net1")
    with left_as_found(a_node), pytest.raises(BadInput, match=text) as refused:
        await plugin(kernel, kind).add(call, with_addresses(kind, **conf))
    assert "modprobe" in refused.value.remedy
