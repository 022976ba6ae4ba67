"""Whatever a netconf says: after ADD, succeeded or not, and DEL a node is as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from tests.net import netconfs
from tests.support.node.netns import Node, namespace
from tests.support.node.plugins import Ours, ours
from tests.support.node.scenarios import V4, V6
from tests.support.node.sight import files, seen

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

run = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
IFNAME = "net1"
_second = pytest.mark.second_kernel
SINGLE = (
    *("macvlan", "bridge", "ptp", "host-device"),
    *(pytest.param(kind, marks=_second) for kind in ("ipvlan", "vlan", "dummy")),
)
CHAINED = (
    *("tuning", "bandwidth", "portmap", "sbr", "firewall"),
    pytest.param("vrf", marks=_second),
)
BASES: dict[str, dict[str, Any]] = {
    "portmap": {"type": "bridge", "bridge": "br-test", "isDefaultGateway": True},
    "firewall": {"type": "bridge", "bridge": "br-test", "isDefaultGateway": True},
    "bandwidth": {"type": "bridge", "bridge": "br-test", "isDefaultGateway": True},
}

_LOCAL = 255  # RT_TABLE_LOCAL, linux/rtnetlink.h
_ASKED_FOR = 0x301  # IFF_UP, IFF_PROMISC and IFF_ALLMULTI, linux/if.h
_OF_A_LINK = "IFNAME MTU TXQLEN MASTER ADDRESS"


class Place:
    """A node whose state is compared, with a pod beside the one that is attached.

    Args:
        node: the node.
        side: our plugins on it.
        other: path of the other pod's namespace.
        directory: where plugins and IPAM keep their files.
    """

    def __init__(self, node: Node, side: Ours, other: str, directory: Path) -> None:
        self.node = node
        self.side = side
        self.directory = str(directory)
        self.calls = Call("other", other, IFNAME), Call("c0ffee", node.sandbox.path, IFNAME)

    def state(self) -> set[str]:
        """Return what is to be the same afterwards; a round of addresses goes on."""
        lines: set[str] = set()
        for space in (self.node.host, self.node.sandbox):
            found = seen(space, with_rules=False, with_vlans=False)
            lines |= {f"{space.name}: {one}" for line in found if (one := steady(line))}
        kept = {one for one in files(Path(self.directory)) if "last_reserved" not in one}
        return lines | {one for one in kept if "/lock " not in one}


def steady(line: str) -> str:
    """Return a line without what the kernel changes later: carrier, routes of addresses."""
    kind, _, text = line.partition(" {")
    if not text:
        return line
    found = json.loads("{" + text)
    if "fe80::" in line or found.get("RTA_TABLE") == _LOCAL:
        return ""
    if found.get("FRA_L3MDEV"):  # the kernel's own, since the first VRF of a namespace
        return ""
    if kind == "link":
        kept = {key: found.get(f"IFLA_{key}") for key in _OF_A_LINK.split()}
        made = found.get("IFLA_LINKINFO", {}).get("IFLA_INFO_KIND")
        return f"link {kept} {made} flags {found['flags'] & _ASKED_FOR:#x}"
    for flags in ("flags", "IFA_FLAGS"):
        found.pop(flags, None)
    return f"{kind} {json.dumps(found)}"


def rules(node: Node) -> set[str]:
    """Return the rules of the attached pod, where this kernel has a packet filter."""
    try:
        texts = [node.host.run(tool) for tool in ("iptables-save", "ip6tables-save")]
        texts.append(node.host.run("nft", "list", "ruleset"))
    except AssertionError:
        return set()
    return {line for line in "\n".join(texts).splitlines() if "c0ffee" in line}


@pytest.fixture
def place(a_node: Node, kernel: Kernel, tmp_path: Path) -> Iterator[Place]:
    a_node.host.ip("link", "add", "card", "type", "veth", "peer", "name", "plug")
    with namespace("pod") as other:
        yield Place(a_node, ours(kernel), other.path, tmp_path)


async def attach(side: Ours, call: Call, conf: dict[str, Any]) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(await side.add(call, conf))
    except PlanesError:
        return None
    return found


def conf_of(drawn: dict[str, Any], previous: dict[str, Any] | None = None) -> dict[str, Any]:
    made = {"cniVersion": "1.0.0", "name": "testnet", **drawn}
    return {**made, "prevResult": previous} if previous else made


def native(side: Ours, conf: dict[str, Any]) -> bool:
    plugin = side.find(conf["type"])
    return plugin is not None and plugin.unsupported(NetConf(conf)) == ""


@contextmanager
def unchanged(place: Place) -> Iterator[None]:
    before = place.state()
    yield
    assert place.state() ^ before == set()
    assert rules(place.node) == set()


@pytest.mark.parametrize("kind", SINGLE)
@given(data=st.data())
@run
async def test_an_interface_leaves_a_node_as_it_was(kind: str, data: Any, place: Place) -> None:
    """Beside another pod of the same network, so that what pods share is there before."""
    drawn = data.draw(netconfs.single(place.directory)[kind])
    conf = conf_of(drawn)
    if place.side.find(kind) is None:
        pytest.skip(f"{kind} is not native")
    if not native(place.side, conf):
        return
    other, call = place.calls
    await attach(place.side, other, conf)
    try:
        with unchanged(place):
            result = await attach(place.side, call, conf)
            await place.side.delete(call, conf_of(drawn, result))
            await place.side.delete(call, conf)
    finally:
        await place.side.delete(other, conf)


@pytest.mark.parametrize("kind", CHAINED)
@given(data=st.data())
@run
async def test_a_chained_plugin_leaves_a_node_as_it_was(kind: str, data: Any, place: Place) -> None:
    """Its work is gone with the interface that it was done on."""
    drawn = data.draw(netconfs.chained(place.directory)[kind])
    if place.side.find(kind) is None:
        pytest.skip(f"{kind} is not native")
    if not native(place.side, conf_of(drawn)):
        return
    ipam = {"type": "host-local", "dataDir": place.directory, "ranges": [[V4], [V6]]}
    base = {**BASES.get(kind, {"type": "macvlan", "master": "eth1"}), "ipam": ipam}
    other, call = place.calls
    chains = [conf_of(base), conf_of(drawn)]
    await attach_chain(place.side, other, *chains)
    try:
        with unchanged(place):
            result = await attach_chain(place.side, call, *chains)
            await detach_chain(place.side, call, result, *chains)
    finally:
        await detach_chain(place.side, other, None, *chains)


async def attach_chain(
    side: Ours, call: Call, base: dict[str, Any], conf: dict[str, Any]
) -> dict[str, Any] | None:
    previous = await attach(side, call, base)
    assert previous is not None
    return await attach(side, call, {**conf, "prevResult": previous})


async def detach_chain(
    side: Ours,
    call: Call,
    result: dict[str, Any] | None,
    base: dict[str, Any],
    conf: dict[str, Any],
) -> None:
    previous = {"prevResult": result} if result else {}
    for one in (conf, base):
        await side.delete(call, {**one, **previous})
