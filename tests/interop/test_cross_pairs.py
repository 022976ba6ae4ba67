"""What one side attached the other can check and detach, so a node may be switched at any time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from tests.support.node.netns import Node, picture
from tests.support.node.plugins import PluginError, Reference, Side, ours
from tests.support.node.scenarios import BRIDGE, MACVLAN, V4, Scenario, host_local

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

PAIRS = [*MACVLAN[1:6], *(one for one in BRIDGE if one.is_checked)]
# Every pair in one version; another version changes the prevResult only, so a few pairs suffice.
CASES = [(one, "1.0.0") for one in PAIRS] + [(one, "0.4.0") for one in (PAIRS[0], PAIRS[-3])]

each_case = pytest.mark.parametrize(
    ("scenario", "version"),
    CASES,
    ids=[f"{one.conf['type']}-{one.name}-{version}" for one, version in CASES],
)


def rules(node: Node) -> list[str]:
    texts = [node.host.run(f"{tool}-save", "-t", "nat") for tool in ("iptables", "ip6tables")]
    return [line for line in "\n".join(texts).splitlines() if line.startswith(("-A", ":CNI"))]


async def hand_over(
    scenario: Scenario, version: str, node: Node, directory: Path, sides: tuple[Side, Side]
) -> None:
    """Attach by the first side; check and detach by the second."""
    first, second = sides
    call = Call("c0ffee", node.sandbox.path, "eth0", scenario.cni_args)
    conf = scenario.netconf(version, str(directory))
    empty = picture(node.sandbox)
    result = json.loads(await first.add(call, conf))
    conf["prevResult"] = result
    if scenario.is_checked:
        await second.check(call, conf)
    await second.delete(call, conf)
    assert picture(node.sandbox) == empty
    assert rules(node) == []
    left = {path.name for path in (directory / "testnet").glob("*")}
    assert {name for name in left if not name.startswith(("lock", "last_reserved_ip"))} == set()
    await first.delete(call, conf)


@each_case
async def test_we_detach_what_the_reference_attached(
    scenario: Scenario, version: str, node_a: Node, tmp_path: Path
) -> None:
    """Nothing is left in the sandbox, of the rules, or of the address files."""
    kernel = Kernel(node_a.host.path)
    try:
        sides = (Reference(node_a.host), ours(kernel))
        await hand_over(scenario, version, node_a, tmp_path, sides)
    finally:
        kernel.close()


@each_case
async def test_the_reference_detaches_what_we_attached(
    scenario: Scenario, version: str, node_a: Node, tmp_path: Path
) -> None:
    """Nothing is left in the sandbox, of the rules, or of the address files."""
    kernel = Kernel(node_a.host.path)
    try:
        sides = (ours(kernel), Reference(node_a.host))
        await hand_over(scenario, version, node_a, tmp_path, sides)
    finally:
        kernel.close()


async def test_both_sides_allocate_from_one_directory(node_a: Node, tmp_path: Path) -> None:
    """Addresses alternate between the sides in one round, and each sees the other's as taken."""
    kernel = Kernel(node_a.host.path)
    conf = {
        "cniVersion": "1.0.0",
        "name": "testnet",
        "type": "macvlan",
        "master": "eth1",
        "ipam": host_local(V4, dataDir=str(tmp_path)),
    }
    sides: list[Side] = [Reference(node_a.host), ours(kernel)]
    given = []
    try:
        for number in range(6):
            call = Call(f"c{number}", node_a.sandbox.path, f"net{number}")
            raw = await sides[number % 2].add(call, conf)
            given.append(json.loads(raw)["ips"][0]["address"])
        for number in range(6):
            call = Call(f"c{number}", node_a.sandbox.path, f"net{number}")
            await sides[(number + 1) % 2].delete(call, conf)
    finally:
        kernel.close()
    assert given == [f"10.9.0.{number}/24" for number in range(2, 8)]
    assert sorted(path.name for path in (tmp_path / "testnet").iterdir()) == [
        "last_reserved_ip.0",
        "lock",
    ]


async def test_reference_refuses_the_address_we_gave_out(node_a: Node, tmp_path: Path) -> None:
    """A requested address that our side holds is not available to the reference."""
    kernel = Kernel(node_a.host.path)
    conf = {
        "cniVersion": "1.0.0",
        "name": "testnet",
        "type": "macvlan",
        "master": "eth1",
        "ipam": host_local(V4, dataDir=str(tmp_path)),
        "args": {"cni": {"ips": ["10.9.0.50"]}},
    }
    try:
        native = ours(kernel)
        await native.add(Call("c1", node_a.sandbox.path, "net1"), conf)
        with pytest.raises(PluginError, match=r"10\.9\.0\.50 is not available"):
            await Reference(node_a.host).add(Call("c2", node_a.sandbox.path, "net2"), conf)
        await native.delete(Call("c1", node_a.sandbox.path, "net1"), conf)
    finally:
        kernel.close()
