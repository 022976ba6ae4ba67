"""Native plugins leave what the reference plugins leave: results, kernel, rules, files."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from tests.support.node.netns import Namespace, Node, normalised, picture
from tests.support.node.plugins import Reference, Side, ours
from tests.support.node.scenarios import BRIDGE, MACVLAN, Scenario

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

VERSIONS = ("0.3.1", "0.4.0", "1.0.0")
# Without ndisc_notify: releases of the reference before 1.2 leave it alone.
SYSCTLS = (
    "ipv4/conf/eth0/arp_notify",
    "ipv6/conf/eth0/accept_dad",
    "ipv6/conf/eth0/enhanced_dad",
    "ipv6/conf/eth0/disable_ipv6",
)
HOST_SYSCTLS = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
# Beside clocks and counters the heads of iptables' own tables: looking already makes them.
_VOLATILE = re.compile(
    r"\[\d+:\d+\]|packets \d+ bytes \d+|# (?:Generated|Completed).*|table ip6? nat \{"
)


def rules(host: Namespace) -> str:
    texts = [host.run(f"{tool}-save", "-t", "nat") for tool in ("iptables", "ip6tables")]
    text = "\n".join([*texts, host.run("nft", "list", "ruleset")])
    return normalised(_VOLATILE.sub("", text))


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


class Play:
    """One side of a comparison on its own node, with its own files."""

    def __init__(self, node: Node, side: Side, directory: Path) -> None:
        self.node = node
        self.side = side
        self.directory = directory

    def call(self, scenario: Scenario) -> Call:
        return Call("c0ffee", self.node.sandbox.path, "eth0", scenario.cni_args)

    def seen(self) -> set[str]:
        """Return everything either side leaves, a line each, so that a difference is one line."""
        places = {"sandbox": self.node.sandbox, "host": self.node.host}
        lines = {
            f"{place} {kind} {json.dumps(one, sort_keys=True)}"
            for place, space in places.items()
            for kind, found in picture(space).items()
            for one in found
        }
        lines |= {f"rule {line}" for line in rules(self.node.host).splitlines()}
        lines |= {f"file {name}: {content!r}" for name, content in files(self.directory).items()}
        lines |= {
            f"vlan {normalised(json.dumps(port))}"
            for port in json.loads(self.node.host.run("bridge", "-j", "vlan") or "[]")
        }
        return lines | {f"{key} {self.node.host.sysctl(key)}" for key in HOST_SYSCTLS}

    def sysctls(self) -> dict[str, str]:
        return {key: self.node.sandbox.sysctl(key) for key in SYSCTLS}

    def result(self, raw: bytes) -> Any:
        """Return the result as a value: the order of members differs between releases of libcni."""
        found = json.loads(normalised(raw.decode(), [(self.node.sandbox.path, "NETNS")]))
        if not found.get("dns"):  # left out by 1.0.0 and later, written as {} by older plugins
            found.pop("dns", None)
        return found


async def assert_equal(native: Play, reference: Play) -> None:
    """Wait for carrier and duplicate address detection, which take either side a moment."""
    for _attempt in range(60):
        if native.seen() == reference.seen():
            return
        await asyncio.sleep(0.1)
    assert native.seen() ^ reference.seen() == set()


async def compare(scenario: Scenario, version: str, reference: Play, native: Play) -> None:
    raw = []
    for play in (reference, native):
        conf = scenario.netconf(version, str(play.directory))
        raw.append(await play.side.add(play.call(scenario), conf))
    assert native.result(raw[1]) == reference.result(raw[0])
    await assert_equal(native, reference)
    assert native.sysctls() == reference.sysctls()
    for play, result in zip((reference, native), raw, strict=True):
        conf = scenario.netconf(version, str(play.directory))
        conf["prevResult"] = json.loads(result)
        if version != "0.3.1" and scenario.is_checked:
            await play.side.check(play.call(scenario), conf)
        if version == "0.3.1":
            del conf["prevResult"]
        await play.side.delete(play.call(scenario), conf)
        await play.side.delete(play.call(scenario), conf)
    await assert_equal(native, reference)


async def play_both(
    scenario: Scenario, version: str, node_a: Node, node_b: Node, tmp_path: Path
) -> None:
    directories = [tmp_path / "reference", tmp_path / "native"]
    for directory in directories:
        directory.mkdir()
    kernel = Kernel(node_b.host.path)
    try:
        await compare(
            scenario,
            version,
            Play(node_a, Reference(node_a.host), directories[0]),
            Play(node_b, ours(kernel), directories[1]),
        )
    finally:
        kernel.close()


@pytest.mark.parametrize("scenario", MACVLAN, ids=lambda one: one.name)
async def test_macvlan_leaves_what_the_reference_leaves(
    scenario: Scenario, node_a: Node, node_b: Node, tmp_path: Path
) -> None:
    """Result, links, addresses, routes, sysctls and address files are equal, also after DEL."""
    await play_both(scenario, "1.0.0", node_a, node_b, tmp_path)


@pytest.mark.parametrize("scenario", BRIDGE, ids=lambda one: one.name)
async def test_bridge_leaves_what_the_reference_leaves(
    scenario: Scenario, node_a: Node, node_b: Node, tmp_path: Path
) -> None:
    """Result, links, addresses, routes, sysctls, rules and files are equal, also after DEL."""
    await play_both(scenario, "1.0.0", node_a, node_b, tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scenario", [MACVLAN[4], BRIDGE[7]], ids=lambda one: one.name)
async def test_every_version_has_the_reference_form(
    scenario: Scenario, version: str, node_a: Node, node_b: Node, tmp_path: Path
) -> None:
    """The result has the form the reference gives it in that version."""
    await play_both(scenario, version, node_a, node_b, tmp_path)
