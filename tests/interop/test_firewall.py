"""The firewall's rules are those of the reference plugin, and each side finds the other's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from cni.net.kernel import Kernel
from planes.model.errors import PlanesError
from tests.support.node.filters import CURRENT_BIN_DIR, call, iptables, result, wire
from tests.support.node.netns import Node, why_no_reference
from tests.support.node.plugins import Ours, PluginError, Reference, ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(90)]

JsonObject = dict[str, Any]
RECORD = "CNI-FW-"


def firewall(version: str = "1.0.0", **more: Any) -> JsonObject:
    """Return a netconf; with the backend named, the reference asks no D-Bus."""
    return {
        "cniVersion": version,
        "name": "testnet",
        "type": "firewall",
        "backend": "iptables",
        "prevResult": result(version),
        **more,
    }


CASES: dict[str, JsonObject] = {
    "plain": firewall(),
    "0.4.0": firewall("0.4.0"),
    "open": firewall(ingressPolicy="open"),
    "admin chain": firewall(iptablesAdminChainName="MY-ADMIN"),
    "same-bridge": firewall(ingressPolicy="same-bridge"),
    "isolated": firewall(ingressPolicy="isolated"),
    "one family": firewall(prevResult=result("1.0.0", 6)),
    "no addresses": firewall(prevResult=result() | {"ips": []}),
}
each_case = pytest.mark.parametrize("conf", CASES.values(), ids=CASES)


# Debian's release has other comments for same-bridge, and no isolated.
NEWER = ("same-bridge", "isolated")


def reference(node: Node, conf: JsonObject) -> Reference:
    """Return the reference plugins, of a release that has the policy; skip without them."""
    if conf.get("ingressPolicy") not in NEWER:
        return Reference(node.host)
    if not os.access(f"{CURRENT_BIN_DIR}/firewall", os.X_OK):
        pytest.skip(f"no current firewall in {CURRENT_BIN_DIR}")
    return Reference(node.host, CURRENT_BIN_DIR)


@pytest.fixture
def native(node_b: Node) -> Iterator[Ours]:
    kernel = Kernel(node_b.host.path)
    yield ours(kernel)
    kernel.close()


@pytest.fixture(autouse=True)
def _reference_here() -> None:
    if reason := why_no_reference("firewall"):
        pytest.skip(reason)


def seen(node: Node) -> list[str]:
    """Return the rules in their order, without our records of addresses."""
    return [line for line in iptables(node.host, "filter") if RECORD not in line]


def without_dns(raw: bytes) -> JsonObject:
    found: JsonObject = json.loads(raw)
    return {key: value for key, value in found.items() if key != "dns" or value}


def another(conf: JsonObject) -> JsonObject:
    """Return the netconf for a second sandbox with other addresses."""
    text = json.dumps(conf).replace("10.88.0.2", "10.88.0.3").replace("fd88::2", "fd88::3")
    found: JsonObject = json.loads(text)
    return found


@each_case
async def test_rules_are_those_of_the_reference(
    conf: JsonObject, native: Ours, node_a: Node, node_b: Node
) -> None:
    """After ADD, after the ADD of a second sandbox, and after the DEL of the first."""
    theirs = reference(node_a, conf)
    sides = ((node_a, theirs), (node_b, native))
    results = []
    for node, side in sides:
        wire(node)
        results.append(without_dns(await side.add(call(node), conf)))
        await side.check(call(node), conf)
    assert results[0] == results[1]
    assert seen(node_b) == seen(node_a)
    for node, side in sides:
        await side.add(call(node, "another"), another(conf))
    assert seen(node_b) == seen(node_a)
    for node, side in sides:
        await side.delete(call(node), conf)
        await side.delete(call(node), conf)
    assert seen(node_b) == seen(node_a)
    for node, side in sides:
        await side.delete(call(node, "another"), another(conf))
    assert seen(node_b) == seen(node_a)
    assert not [line for line in iptables(node_b.host, "filter") if RECORD in line]


@each_case
async def test_each_side_checks_and_detaches_what_the_other_attached(
    conf: JsonObject, native: Ours, node_b: Node
) -> None:
    """No rule of an address is left; our record is, where the reference detaches."""
    theirs = reference(node_b, conf)
    wire(node_b)
    for first, second in ((theirs, native), (native, theirs)):
        await first.add(call(node_b), conf)
        await second.check(call(node_b), conf)
        await second.delete(call(node_b), conf)
        assert not [line for line in seen(node_b) if "10.88.0.2" in line or "fd88::2" in line]


@pytest.mark.parametrize(
    "conf",
    [
        {key: value for key, value in firewall().items() if key != "prevResult"},
        firewall(ingressPolicy="closed"),
        firewall(ingressPolicy="same-bridge", prevResult=result() | {"interfaces": [], "ips": []}),
        firewall(iptablesAdminChainName="a chain that is longer than the kernel takes"),
    ],
    ids=["no result", "policy", "no interfaces", "chain"],
)
async def test_what_the_reference_refuses_is_refused(
    conf: JsonObject, native: Ours, node_a: Node, node_b: Node
) -> None:
    """We leave no rule, and a DEL succeeds."""
    wire(node_b)
    with pytest.raises(PluginError):
        await Reference(node_a.host).add(call(node_a), conf)
    with pytest.raises(PlanesError):
        await native.add(call(node_b), conf)
    assert seen(node_b) == []
    await native.delete(call(node_b), conf)
