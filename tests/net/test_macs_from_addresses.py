"""The MAC of an interface is made from the address that its plane gave it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from tests.net.probed_wire import MACVLAN, V4, V6, wire
from tests.support.node.netns import Node
from tests.support.node.on_master import after
from tests.support.node.plugins import detach

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

FROM_IP: dict[str, Any] = {"mac": {"source": "FromIP", "prefix": "02:58"}, "ipam": {}}
MAC = "02:58:0a:09:00:02"


@pytest.mark.parametrize(
    "conf",
    [MACVLAN, {"type": "bridge", "bridge": "br1"}, {"type": "host-device", "device": "eth1"}],
    ids=lambda conf: str(conf["type"]),
)
async def test_the_kernel_the_result_and_check_have_it(
    kernel: Kernel, a_node: Node, tmp_path: Path, conf: dict[str, Any]
) -> None:
    one = wire(kernel, tmp_path, conf, **FROM_IP)
    before = a_node.host.ip_json("link", "show", "eth1")[0]["address"]
    call = await one.call(a_node.sandbox.path)
    result = await one.plugin().add(call, one.conf)
    [link] = a_node.sandbox.ip_json("link", "show", "net1")
    assert link["address"] == MAC
    assert [each.mac for each in result.interfaces if each.sandbox] == [MAC]
    await one.plugin().check(call, after(one.conf, result))
    await detach(kernel, one.plugin(), call, one.conf)
    assert a_node.host.ip_json("link", "show", "eth1")[0]["address"] == before


async def test_of_two_families_it_is_the_ipv4_address(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    one = wire(kernel, tmp_path, MACVLAN, **{**FROM_IP, "subnets": [*V6, *V4]})
    call = await one.call(a_node.sandbox.path)
    result = await one.plugin().add(call, one.conf)
    assert [each.mac for each in result.interfaces] == [MAC]
    await detach(kernel, one.plugin(), call, one.conf)


async def test_a_mac_that_the_pod_asks_for_goes_first(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    one = wire(kernel, tmp_path, MACVLAN, **FROM_IP)
    asked = (("IgnoreUnknown", "1"), ("MAC", "c2:11:22:00:00:01"))
    call = await one.call(a_node.sandbox.path, cni_args=asked)
    result = await one.plugin().add(call, one.conf)
    assert [each.mac for each in result.interfaces] == ["c2:11:22:00:00:01"]
    await detach(kernel, one.plugin(), call, one.conf)
