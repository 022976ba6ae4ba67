"""A plane whose master passes no frames: its pods are refused, and start once it does."""

from __future__ import annotations

import pytest

from tests.node.manifests import BUSINESS, STORAGE
from tests.support.node.netns import Namespace
from tests.support.node.node import LiveNode, addresses_in, netconf

pytestmark = pytest.mark.kernel


def test_a_pod_waits_for_the_master_of_its_plane(own_node: LiveNode, sandbox: Namespace) -> None:
    own_node.host.ip("link", "set", "eth2", "down")
    own_node.start()
    own_node.put_pod("db")
    refused = own_node.call("ADD", "c1", sandbox, stdin=netconf(), pod="db")
    assert refused.error["code"] == 11
    assert refused.error["msg"] == (
        "cannot attach san0 to plane storage (NAD netplane-system/storage): cannot pass frames: "
        "interface eth2 on node node1 is down"
    )
    assert "`ip link set dev eth2 up` on node node1" in refused.error["details"]
    assert addresses_in(sandbox) == {}
    own_node.host.ip("link", "set", "eth2", "up")
    started = own_node.call("ADD", "c1", sandbox, stdin=netconf(), pod="db")
    assert started.status == 0, started.stdout
    assert set(addresses_in(sandbox)) == {"eth0", "net1", "san0"}
    assert own_node.call("DEL", "c1", sandbox, stdin=netconf(), pod="db").status == 0


def test_a_pod_may_start_without_carrier_where_its_plane_says_so(
    own_node: LiveNode, sandbox: Namespace
) -> None:
    own_node.host.ip("link", "set", "eth2", "down")
    network = {**STORAGE["spec"]["network"], "requireCarrier": False}
    own_node.put(BUSINESS, {**STORAGE, "spec": {**STORAGE["spec"], "network": network}})
    own_node.start()
    own_node.put_pod("db")
    answer = own_node.call("ADD", "c1", sandbox, stdin=netconf(), pod="db")
    assert answer.status == 0, answer.stdout
    assert own_node.call("DEL", "c1", sandbox, stdin=netconf(), pod="db").status == 0
