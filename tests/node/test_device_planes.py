"""A plane of type `host-device`, from the Plane to the interface, through daemon and shim."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.node.manifests import BUSINESS, namespace_object
from tests.support.node.netns import Namespace
from tests.support.node.node import (
    NAMESPACE,
    LiveNode,
    addresses_in,
    end_call,
    netconf,
)
from tests.support.planes import plane_object

pytestmark = pytest.mark.kernel

CARD = plane_object(
    "card",
    network={"type": "host-device", "master": "eth2"},
    interface="card0",
    subnets=[{"cidr": "10.8.0.0/24"}],
)


@pytest.fixture
def card_node(own_node: LiveNode) -> LiveNode:
    """A running node whose shop has a plane of eth2; eth2 has an address and an MTU."""
    own_node.host.ip("addr", "add", "192.0.2.9/24", "dev", "eth2")
    own_node.host.ip("link", "set", "eth2", "mtu", "1400")
    own_node.put(BUSINESS, CARD, namespace_object(NAMESPACE, "card"))
    own_node.start()
    own_node.put_pod("db")
    return own_node


def card_of(node: LiveNode) -> tuple[int, list[str]]:
    """Return MTU and IPv4 addresses of eth2 on the node."""
    [shown] = node.host.ip_json("addr", "show", "eth2")
    found = [one["local"] for one in shown["addr_info"] if one["family"] == "inet"]
    return shown["mtu"], found


def test_a_pod_gets_the_device_of_its_plane_and_the_node_gets_it_back(
    card_node: LiveNode, sandbox: Namespace
) -> None:
    """The pod has an address of the plane on it; afterwards it is as it was found."""
    answer = card_node.call("ADD", "c1", sandbox, stdin=netconf(), pod="db")
    assert answer.status == 0, answer.stdout
    assert addresses_in(sandbox)["card0"] == ["10.8.0.1/24"]
    assert "eth2" not in {one["ifname"] for one in card_node.host.ip_json("link")}
    [status] = [one for one in card_node.status_of("db") if one["interface"] == "card0"]
    assert status["ips"] == ["10.8.0.1"]
    assert card_node.call("DEL", "c1", sandbox, stdin=netconf(), pod="db").status == 0
    assert card_of(card_node) == (1400, ["192.0.2.9"])


def test_a_killed_daemon_gives_the_device_back_after_its_restart(
    card_node: LiveNode, sandbox: Namespace
) -> None:
    answer = card_node.call("ADD", "c1", sandbox, stdin=netconf(), pod="db")
    assert answer.status == 0, answer.stdout
    card_node.stop(signal.SIGKILL)
    card_node.start()
    assert card_node.call("DEL", "c1", sandbox, stdin=netconf(), pod="db").status == 0
    assert card_of(card_node) == (1400, ["192.0.2.9"])


def test_a_plane_of_the_nodes_uplink_moves_nothing(card_node: LiveNode, sandbox: Namespace) -> None:
    """The node would be cut off; the pod is refused, and the node keeps its default route."""
    card_node.host.ip("route", "add", "default", "via", "192.0.2.1")
    refused = card_node.call("ADD", "c1", sandbox, stdin=netconf(), pod="db")
    assert "cannot move eth2 into a sandbox: the node's default route is" in refused.error["msg"]
    assert "plane card" in refused.error["msg"]
    assert "default via 192.0.2.1 dev eth2" in card_node.host.ip("route")
    assert addresses_in(sandbox) == {}


def test_a_second_pod_is_told_which_pod_has_the_device(
    card_node: LiveNode, sandboxes: Callable[[int], list[Namespace]]
) -> None:
    first, second = sandboxes(2)
    card_node.put_pod("web")
    answer = card_node.call("ADD", "c1", first, stdin=netconf(), pod="db")
    assert answer.status == 0, answer.stdout
    refused = card_node.call("ADD", "c2", second, stdin=netconf(), pod="web")
    assert "cannot use device eth2: container" in refused.error["msg"]
    assert "which is pod shop/db of this node" in refused.error["msg"]
    assert card_node.call("DEL", "c1", first, stdin=netconf(), pod="db").status == 0
    started = card_node.call("ADD", "c2", second, stdin=netconf(), pod="web")
    assert started.status == 0, started.stdout
    assert card_node.call("DEL", "c2", second, stdin=netconf(), pod="web").status == 0
    assert card_of(card_node) == (1400, ["192.0.2.9"])


@pytest.mark.timeout(180)
def test_a_kill_at_any_moment_of_an_add_loses_nothing(
    card_node: LiveNode, sandbox: Namespace
) -> None:
    """The next daemon gives the device back, whatever had been done of the ADD."""
    env = card_node.env("ADD", "c1", sandbox, pod="db")
    for turn in range(4):
        call = card_node.begin_call(env)
        time.sleep(0.012 * turn)
        card_node.stop(signal.SIGKILL)
        end_call(call)
        card_node.start()
        assert card_node.call("DEL", "c1", sandbox, stdin=netconf(), pod="db").status == 0
        assert card_of(card_node) == (1400, ["192.0.2.9"])
        assert addresses_in(sandbox) == {}
