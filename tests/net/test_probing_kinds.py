"""Probes on links that many kernels lack: an ipvlan, which shares its master's MAC, and a vlan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from tests.net.probed_wire import V4, V6, wire
from tests.support.node.kinds import why_no_kind
from tests.support.node.netns import Namespace, Node, namespace
from tests.support.node.plugins import detach

pytestmark = [pytest.mark.kernel, pytest.mark.second_kernel, pytest.mark.timeout(60)]


@pytest.fixture(params=["ipvlan", "vlan"])
def conf(request: pytest.FixtureRequest) -> dict[str, Any]:
    if reason := why_no_kind(request.param):
        pytest.skip(reason)
    more = {"vlanId": 5} if request.param == "vlan" else {}
    return {"type": request.param, "master": "eth1", **more}


def give(far: Namespace, conf: dict[str, Any], address: str) -> None:
    """Add an address to a host of the wire."""
    card = "eth1"
    if conf["type"] == "vlan":
        card = "eth1.5"
        far.ip("link", "add", card, "link", "eth1", "type", "vlan", "id", "5")
        far.ip("link", "set", card, "up")
    far.ip("addr", "add", address, "dev", card, *(["nodad"] if ":" in address else []))


@pytest.mark.parametrize("address", ["10.9.0.2/24", "fd00:9::2/64"])
async def test_an_address_that_a_host_has_is_not_used(
    kernel: Kernel, a_node: Node, tmp_path: Path, conf: dict[str, Any], address: str
) -> None:
    give(a_node.far, conf, address)
    one = wire(kernel, tmp_path, conf, subnets=[*V4, *V6])
    call = await one.call(a_node.sandbox.path)
    result = await one.plugin().add(call, one.conf)
    assert address not in [ip.address for ip in result.ips]
    assert list(one.resting()) == [address.partition("/")[0]]
    assert len(result.ips) == 2
    await detach(kernel, one.plugin(), call, one.conf)


async def test_an_ipvlan_of_the_same_master_answers(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """It has the MAC of the one that asks."""
    if reason := why_no_kind("ipvlan"):
        pytest.skip(reason)
    with namespace("pod") as other:
        argv = ("link", "add", "ipv0", "link", "eth1", "netns", other.name, "type", "ipvlan")
        a_node.host.ip(*argv, "mode", "l2")
        other.ip("addr", "add", "10.9.0.2/24", "dev", "ipv0")
        other.ip("link", "set", "ipv0", "up")
        one = wire(kernel, tmp_path, {"type": "ipvlan", "master": "eth1"})
        call = await one.call(a_node.sandbox.path)
        result = await one.plugin().add(call, one.conf)
        assert [ip.address for ip in result.ips] == ["10.9.0.3/24"]
        await detach(kernel, one.plugin(), call, one.conf)
