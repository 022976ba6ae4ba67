"""Bridge ports: MACs that may not be forged, VLANs, ports apart; and what a failed tool leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cni.native.engine import Engine
from cni.native.masquerade import Masquerade
from cni.native.packet_filter import PacketFilter
from cni.native.plugin import SteppedPlugin
from cni.native.spoof_check import SpoofCheck
from cni.native.types.bridge import Bridge
from cni.native.types.bridge_conf import read_bridge_conf
from cni.net.execute import ToolResult, Tools
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from tests.net.names import link_names
from tests.support.node.netns import Namespace, Node, namespace, why_no_vlan_filtering
from tests.support.node.plugins import detach, ipams, ours
from tests.support.node.scenarios import V4, host_local, static

pytestmark = pytest.mark.kernel

CALL = Call("c1", "/run/netns/none", "net1")


@dataclass(frozen=True)
class Faulty(Tools):
    """The host's tools, of which some calls fail.

    Attributes:
        words: of the calls that fail.
        status: their exit status; 127 for a missing tool.
    """

    words: tuple[str, ...] = ()
    status: int = 1

    def execute(self, argv: Sequence[str], text: str = "") -> ToolResult:
        if any(word in argv for word in self.words):
            if self.status == 127:
                raise NotFound(f"cannot run {argv[0]}: it is not installed on this node")
            return ToolResult(self.status, "", "Error: made up")
        return super().execute(argv, text)


@dataclass(frozen=True)
class FailsIn(Tools):
    """The host's tools, of which one fails to change anything the attachment needs."""

    tool: str = ""

    def execute(self, argv: Sequence[str], text: str = "") -> ToolResult:
        if argv[0] == self.tool and "-N" in text:
            return ToolResult(1, "", "made up")
        return super().execute(argv, text)


def netconf(**conf: Any) -> NetConf:
    return NetConf({"cniVersion": "1.0.0", "name": "testnet", "type": "bridge", **conf})


def bridge(kernel: Kernel, tools: Tools | None = None) -> SteppedPlugin:
    used = tools or Tools()
    given = ipams()
    made = Bridge(Masquerade(PacketFilter(kernel, used)), SpoofCheck(PacketFilter(kernel, used)))
    return SteppedPlugin(made, Engine(kernel, given), given)


def with_previous(conf: NetConf, result: Result) -> NetConf:
    return NetConf({**conf.raw, "prevResult": result.to_version("1.0.0")})


def at(address: str, **more: Any) -> NetConf:
    return netconf(ipam=static({"address": address}), **more)


def pings(space: Namespace, address: str) -> bool:
    return "1 received" in space.run("sh", "-c", f"ping -c 1 -W 1 {address} || true")


def spoof_rules(node: Node) -> list[str]:
    text = node.host.run("nft", "list", "ruleset")
    return [line for line in text.splitlines() if "macspoofchk" in line or "cni-br-iface" in line]


async def test_frames_of_a_forged_mac_are_dropped(kernel: Kernel, a_node: Node) -> None:
    """A pod that changes its MAC reaches nothing, until it has its own again."""
    one = bridge(kernel)
    with namespace("pod") as other:
        calls = [Call("c1", a_node.sandbox.path, "net1"), Call("c2", other.path, "net1")]
        confs = [at("10.9.0.2/24", macspoofchk=True), at("10.9.0.3/24")]
        results = [await one.add(call, conf) for call, conf in zip(calls, confs, strict=True)]
        mac = results[0].interfaces[2].mac
        assert pings(a_node.sandbox, "10.9.0.3")
        a_node.sandbox.ip("link", "set", "net1", "address", "c2:11:22:33:44:55")
        assert not pings(a_node.sandbox, "10.9.0.3")
        a_node.sandbox.ip("link", "set", "net1", "address", mac)
        assert pings(a_node.sandbox, "10.9.0.3")
        for call, conf in zip(calls, confs, strict=True):
            await detach(kernel, one, call, conf)
    assert spoof_rules(a_node) == []


async def test_spoof_rules_go_without_sandbox_and_result(kernel: Kernel, a_node: Node) -> None:
    """The reference leaves them where the namespace is gone; other attachments keep theirs."""
    one, conf = bridge(kernel), netconf(macspoofchk=True)
    with namespace("pod") as other:
        kept, gone = Call("c2", other.path, "net1"), Call("c1", a_node.sandbox.path, "net1")
        await one.add(kept, conf)
        before = spoof_rules(a_node)
        await one.add(gone, conf)
        a_node.sandbox.ip("link", "del", "net1")
        await detach(kernel, one, Call("c1", "", "net1"), conf)
        assert spoof_rules(a_node) == before
        await detach(kernel, one, Call("c1", "/run/netns/np-t-none", "net1"), conf)
        assert spoof_rules(a_node) == before
        await detach(kernel, one, kept, conf)


async def test_spoof_rules_of_an_earlier_add_are_replaced(kernel: Kernel, a_node: Node) -> None:
    """A sandbox that lost its interface without DEL gets one set of rules, not two."""
    one, conf = bridge(kernel), netconf(macspoofchk=True)
    call = Call("c1", a_node.sandbox.path, "net1")
    await one.add(call, conf)
    once = len(spoof_rules(a_node))
    a_node.sandbox.ip("link", "del", "net1")
    await one.add(call, conf)
    assert len(spoof_rules(a_node)) == once
    await detach(kernel, one, call, conf)


@pytest.mark.parametrize("ifname", ['a"b', "a@b{", "-x;y"])
async def test_no_interface_name_is_syntax_in_spoof_rules(
    ifname: str, kernel: Kernel, a_node: Node
) -> None:
    one, conf = bridge(kernel), netconf(macspoofchk=True)
    call = Call("c1", a_node.sandbox.path, ifname)
    await one.add(call, conf)
    assert any(f"c1-{ifname}" in line for line in spoof_rules(a_node))
    await detach(kernel, one, call, conf)
    assert spoof_rules(a_node) == []


async def test_no_interface_name_is_another_s_in_spoof_rules(kernel: Kernel, a_node: Node) -> None:
    """A pod names interfaces: the chain of net1-mac would be that with the MAC of net1."""
    one, conf = bridge(kernel), netconf(macspoofchk=True)
    call, other = (Call("c1", a_node.sandbox.path, name) for name in ("net1", "net1-mac"))
    await one.add(call, conf)
    before = spoof_rules(a_node)
    with pytest.raises(BadInput, match="cannot check source MACs of net1-mac") as caught:
        await one.add(other, conf)
    assert caught.value.remedy
    await detach(kernel, one, other, conf)
    assert spoof_rules(a_node) == before
    await detach(kernel, one, call, conf)


async def test_a_missing_nft_matters_only_after_an_add_that_succeeded(
    kernel: Kernel, a_node: Node
) -> None:
    one, conf = bridge(kernel), netconf(macspoofchk=True)
    without = bridge(kernel, Faulty(words=("nft",), status=127))
    call = Call("c1", a_node.sandbox.path, "net1")
    with pytest.raises(NotFound, match="not installed"):
        await without.add(call, conf)
    await detach(kernel, without, call, conf)
    result = await one.add(call, conf)
    with pytest.raises(NotFound, match="not installed"):
        await detach(kernel, without, call, with_previous(conf, result))
    await detach(kernel, one, call, with_previous(conf, result))
    assert spoof_rules(a_node) == []


@pytest.mark.parametrize("failing", ["nft", "iptables-restore", "ip6tables-restore"])
async def test_a_tool_that_fails_leaves_nothing(
    failing: str, kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """Rules of one family, or of the spoof check, go where the next ones cannot be made."""
    ipam = host_local(V4, {"subnet": "fd00:9::/64"}, dataDir=str(tmp_path))
    conf = netconf(macspoofchk=True, ipMasq=True, ipMasqBackend="iptables", ipam=ipam)
    tools = Faulty(words=("-f",)) if failing == "nft" else FailsIn(tool=failing)
    one = bridge(kernel, tools)
    call = Call("c1", a_node.sandbox.path, "net1")
    with pytest.raises(PlanesError, match="cannot change the"):
        await one.add(call, conf)
    assert spoof_rules(a_node) == []
    for tool in ("iptables-save", "ip6tables-save"):
        assert "CNI-" not in a_node.host.run(tool, "-t", "nat")
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
    assert list(tmp_path.glob("testnet/10.*")) == []


async def test_isolated_ports_do_not_reach_each_other(kernel: Kernel, a_node: Node) -> None:
    one = bridge(kernel)
    with namespace("pod") as second, namespace("pod") as third:
        spaces = [a_node.sandbox, second, third]
        confs = [at(f"10.9.0.{n}/24", portIsolation=n < 4) for n in (2, 3, 4)]
        calls = [Call(f"c{n}", space.path, "net1") for n, space in enumerate(spaces)]
        for call, conf in zip(calls, confs, strict=True):
            await one.add(call, conf)
        assert not pings(a_node.sandbox, "10.9.0.3")
        assert pings(a_node.sandbox, "10.9.0.4")
        for call, conf in zip(calls, confs, strict=True):
            await detach(kernel, one, call, conf)


async def test_vlans_are_refused_where_the_kernel_has_none(kernel: Kernel, a_node: Node) -> None:
    """The error names the cause; neither bridge nor port is left."""
    if not why_no_vlan_filtering():
        pytest.skip("this kernel has VLAN filtering of bridges")
    call, before = Call("c1", a_node.sandbox.path, "net1"), a_node.host.ip_json("link")
    with pytest.raises(BadInput, match="has no VLAN filtering of bridges"):
        await bridge(kernel).add(call, netconf(vlan=100))
    assert len(a_node.host.ip_json("link")) == len(before)
    a_node.host.ip("link", "add", "cni0", "type", "bridge")
    with pytest.raises(BadInput, match="has no VLAN filtering of bridges"):
        await bridge(kernel).add(call, netconf(vlan=100))
    assert [one for one in a_node.host.ip_json("link") if one.get("master") == "cni0"] == []


@pytest.mark.parametrize(
    ("trunk", "ranges"),
    [
        (None, ()),
        ([], ()),
        ([{}], ()),
        ([{"id": 101}], ((101, 101),)),
        ([{"minID": 200, "maxID": 210}, {"id": 211}], ((200, 211),)),
        ([{"id": 4094}, {"minID": 1, "maxID": 2}, {"id": 2}], ((1, 2), (4094, 4094))),
        ([{"minID": 1, "maxID": 4094}] * 50, ((1, 4094),)),
        ([{"MINID": 5, "maxid": 7, "id": 9}], ((5, 7), (9, 9))),
    ],
)
def test_a_trunk_is_the_union_of_its_entries(
    trunk: list[Any] | None, ranges: tuple[tuple[int, int], ...]
) -> None:
    vlans = read_bridge_conf(CALL, netconf(vlanTrunk=trunk)).port.vlans
    assert vlans.trunk == ranges
    assert vlans.makes_filter == (trunk is not None)


@pytest.mark.parametrize(
    ("conf", "text"),
    [
        ({"vlan": -1}, "invalid VLAN ID"),
        ({"vlan": 4095}, "invalid VLAN ID"),
        ({"vlan": "5"}, "vlan must be an integer"),
        ({"vlanTrunk": [{"minID": 0, "maxID": 5}]}, "incorrect trunk minID parameter 0"),
        ({"vlanTrunk": [{"minID": 5, "maxID": 4095}]}, "incorrect trunk maxID parameter 4095"),
        ({"vlanTrunk": [{"minID": 5, "maxID": 4}]}, "minID is greater than maxID"),
        ({"vlanTrunk": [{"minID": 5}]}, "maxID is missing"),
        ({"vlanTrunk": [{"id": 1}, {"maxID": 5}]}, r"vlanTrunk\[1\]: minID is missing"),
        ({"vlanTrunk": [{"id": -7}]}, "incorrect trunk id parameter -7"),
        ({"vlanTrunk": [None]}, "must be an object"),
        ({"vlanTrunk": {"id": 5}}, "must be a list"),
        ({"mtu": -1}, "cannot use MTU -1"),
        ({"hairpinMode": True, "promiscMode": True}, "at the same time"),
        ({"disableContainerInterface": True, "ipam": static()}, "cannot use IPAM"),
        ({"ipMasq": True, "ipMasqBackend": "pf", "ipam": static()}, "no backend 'pf'"),
        (
            {"bridge": "a-name-that-fit", "vlan": 100, "isGateway": True, "ipam": static()},
            "a-name-that-fit.100",
        ),
    ],
)
def test_what_the_reference_refuses_is_refused_before_the_first_step(
    conf: dict[str, Any], text: str
) -> None:
    with pytest.raises(BadInput, match=text):
        read_bridge_conf(CALL, netconf(**conf))


async def test_bridge_is_native_whatever_its_keys(kernel: Kernel) -> None:
    plugin = ours(kernel).plugin("bridge")
    assert plugin.unsupported(netconf(vlan=5, vlanTrunk=[{"id": 6}], macspoofchk=True)) == ""
