"""A failed ADD leaves nothing: refused, failed or cancelled at any step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cni.ipam.ipams import Ipams
from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call, NativePlugin
from planes.model.errors import Conflict, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from tests.net.names import link_names
from tests.support.node.netns import Node, picture
from tests.support.node.plugins import NoPlugin, detach, ipams
from tests.support.node.scenarios import V4, host_local

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

MACVLAN = {"type": "macvlan", "master": "eth1"}
BRIDGE = {"type": "bridge", "bridge": "br-test", "isGateway": True, "ipMasq": True}
CHECKED = {**BRIDGE, "macspoofchk": True, "portIsolation": True, "ipMasqBackend": "nftables"}
PTP = {"type": "ptp", "ipMasq": True}
EVERY = pytest.mark.parametrize(
    "conf", [MACVLAN, BRIDGE, CHECKED, PTP], ids=["macvlan", "bridge", "checked-bridge", "ptp"]
)


def netconf(conf: dict[str, Any], directory: Path, **ipam: Any) -> NetConf:
    made = host_local(V4, dataDir=str(directory), **ipam)
    return NetConf({"cniVersion": "1.0.0", "name": "testnet", **conf, "ipam": made})


def plugin(kernel: Kernel, conf: NetConf, given: Ipams | None = None) -> NativePlugin:
    return native_plugins(kernel, given or ipams(), NoPlugin())[conf.type]


def masquerading(node: Node) -> list[str]:
    text = node.host.run("iptables-save", "-t", "nat") + node.host.run("nft", "list", "ruleset")
    marks = ("CNI-", "net: testnet", "cni-br-iface", "macspoofchk")
    return [line for line in text.splitlines() if any(mark in line for mark in marks)]


def held(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("testnet/[0-9f]*"))


@asynccontextmanager
async def nothing_left(node: Node, directory: Path) -> AsyncIterator[None]:
    before = picture(node.sandbox)
    yield
    assert picture(node.sandbox) == before
    assert masquerading(node) == []
    assert held(directory) == []
    veths = [link for link in node.host.ip_json("link") if link["ifname"].startswith("veth")]
    assert veths == []


@EVERY
async def test_a_route_the_kernel_refuses_undoes_all(
    conf: dict[str, Any], kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """An unreachable gateway is found last, after link, addresses and the rest."""
    given = netconf(conf, tmp_path, routes=[{"dst": "10.1.0.0/16", "gw": "172.31.0.1"}])
    call = Call("c1", a_node.sandbox.path, "net1")
    async with nothing_left(a_node, tmp_path):
        with pytest.raises(PlanesError, match=r"cannot add route to 10\.1\.0\.0/16"):
            await plugin(kernel, given).add(call, given)


@EVERY
async def test_a_taken_interface_name_keeps_what_has_it(
    conf: dict[str, Any], kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """A second ADD is refused, and neither link nor address of the first is taken back."""
    given = netconf(conf, tmp_path)
    call = Call("c1", a_node.sandbox.path, "net1")
    one = plugin(kernel, given)
    await one.add(call, given)
    before = (picture(a_node.sandbox), held(tmp_path), masquerading(a_node))
    with pytest.raises(Conflict, match="the sandbox has one of that name"):
        await one.add(call, given)
    assert (picture(a_node.sandbox), held(tmp_path), masquerading(a_node)) == before
    await detach(kernel, one, call, given)


async def test_a_name_in_use_on_the_host_is_free_in_the_sandbox(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    given = netconf(MACVLAN, tmp_path)
    call = Call("c1", a_node.sandbox.path, "eth1")
    result = await plugin(kernel, given).add(call, given)
    assert result.interfaces[0].name == "eth1"
    await detach(kernel, plugin(kernel, given), call, given)


async def test_an_unknown_master_is_named(kernel: Kernel, a_node: Node, tmp_path: Path) -> None:
    given = netconf({**MACVLAN, "master": "eth7"}, tmp_path)
    async with nothing_left(a_node, tmp_path):
        with pytest.raises(NotFound, match="cannot find master device eth7"):
            await plugin(kernel, given).add(Call("c1", a_node.sandbox.path, "net1"), given)


async def test_no_address_left_removes_the_link(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    small = {"type": "host-local", "subnet": "10.9.0.0/30", "dataDir": str(tmp_path)}
    given = NetConf({"cniVersion": "1.0.0", "name": "testnet", **MACVLAN, "ipam": small})
    one = plugin(kernel, given)
    await one.add(Call("c1", a_node.sandbox.path, "net1"), given)
    with pytest.raises(PlanesError, match="no IP addresses available in range set"):
        await one.add(Call("c2", a_node.sandbox.path, "net2"), given)
    await detach(kernel, one, Call("c1", a_node.sandbox.path, "net1"), given)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}


@EVERY
async def test_cancelled_at_any_moment_nothing_is_left(
    conf: dict[str, Any], kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """Cancel after more and more turns of the event loop, until an ADD gets through."""
    given = netconf(conf, tmp_path)
    call = Call("c1", a_node.sandbox.path, "net1")
    one = plugin(kernel, given)
    completed = False
    delay = 0.0
    async with nothing_left(a_node, tmp_path):
        while not completed:
            task = asyncio.create_task(one.add(call, given))
            await asyncio.sleep(delay)
            task.cancel()
            try:
                await task
                completed = True
            except asyncio.CancelledError:
                assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
                assert held(tmp_path) == []
            delay = delay * 1.05 + (0.0007 if conf is MACVLAN else 0.003)
        await detach(kernel, one, call, given)


class RefusingIpams(Ipams):
    """IPAM that has to be awaited, and whose ADD gives no address."""

    def local(self, conf: NetConf) -> None:
        return None

    async def add(self, call: Call, conf: NetConf) -> Result:
        return Result()


async def test_an_ipam_without_addresses_is_refused(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    given = netconf(BRIDGE, tmp_path)
    no_book: Any = None
    refusing = RefusingIpams(no_book, no_book, NoPlugin())
    async with nothing_left(a_node, tmp_path):
        with pytest.raises(PlanesError, match="IPAM plugin returned missing IP config"):
            await plugin(kernel, given, refusing).add(
                Call("c1", a_node.sandbox.path, "net1"), given
            )


@EVERY
async def test_a_local_ipam_without_addresses_is_refused(
    conf: dict[str, Any], kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    given = NetConf({"cniVersion": "1.0.0", "name": "testnet", **conf, "ipam": {"type": "static"}})
    async with nothing_left(a_node, tmp_path):
        with pytest.raises(PlanesError, match="IPAM plugin returned missing IP config"):
            await plugin(kernel, given).add(Call("c1", a_node.sandbox.path, "net1"), given)
