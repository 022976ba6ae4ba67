"""Port mappings leave what the reference plugin leaves, and each side finds the other's rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cni.net.kernel import Kernel
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from tests.support.node.filters import (
    CURRENT_BIN_DIR,
    call,
    iptables,
    mapping,
    nft,
    portmap,
    why_no_current_portmap,
    wire,
)
from tests.support.node.netns import Node, why_no_reference
from tests.support.node.plugins import Ours, PluginError, Reference, ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(90)]

JsonObject = dict[str, Any]

MANY = [mapping(3000 + number, 80 + number) for number in range(17)]
# Members of the netconf; each is compared with both backends where it has no syntax of one.
CASES: dict[str, JsonObject] = {
    "one": portmap(mapping(8080, 80)),
    "protocols": portmap(
        mapping(5353, 53, "udp"), mapping(8080, 80), mapping(38412, 38412, "sctp")
    ),
    "more than a rule takes": portmap(*MANY),
    "host addresses": portmap(
        mapping(8080, 80, address="192.0.2.1"),
        mapping(8081, 80, address="2001:db8::1"),
        mapping(8082, 80, address="0.0.0.0"),  # noqa: S104 - a hostIP, bound by nobody
        mapping(8083, 80, address="::"),
    ),
    "no snat": portmap(mapping(8080, 80), snat=False),
    "masqAll": portmap(mapping(8080, 80), masqAll=True),
    "mark bit": portmap(mapping(8080, 80), markMasqBit=7),
    "0.3.1": portmap(mapping(8080, 80), version="0.3.1"),
    "0.4.0": portmap(mapping(8080, 80), version="0.4.0"),
    "one family": portmap(mapping(8080, 80))
    | {
        "prevResult": {
            "cniVersion": "1.0.0",
            "interfaces": [{"name": "eth0", "sandbox": "/n"}],
            "ips": [
                {"address": "10.88.0.7/24"},
                {"address": "10.88.0.8/24", "interface": 0},
            ],
        }
    },
}
ONLY_IPTABLES: dict[str, JsonObject] = {
    "conditions": portmap(
        mapping(8080, 80),
        conditionsV4=["!", "-d", "192.0.2.0/24", "-m", "mark", "!", "--mark", "0x1"],
        conditionsV6=["-s", "2001:db8::/64"],
    ),
    "quotes": portmap(
        mapping(8080, 80), conditionsV4=["-m", "comment", "--comment", 'it\'s "quoted" \\ so']
    ),
    "mark chain": portmap(mapping(8080, 80), externalSetMarkChain="PLEASE-MARK"),
}
# Those that differ by release; masqAll is newer.
PACKAGED = {"one", "more than a rule takes", "host addresses", "0.3.1"}
# Releases before 1.5 have one backend.
BACKENDS = [
    *(("packaged", "iptables", *one) for one in CASES.items() if one[0] in PACKAGED),
    *(("current", "iptables", *one) for one in (CASES | ONLY_IPTABLES).items()),
    *(("current", "nftables", *one) for one in CASES.items() if one[0] != "mark bit"),
]
each_case = pytest.mark.parametrize(
    ("release", "backend", "conf"),
    [(release, backend, conf) for release, backend, _name, conf in BACKENDS],
    ids=["-".join(one[:3]) for one in BACKENDS],
)


def reference(node: Node, release: str, conf: JsonObject | None = None) -> Reference:
    """Return the reference plugins of a release; skip where they are not here."""
    if release == "current":
        # Before 1.10 the backend nftables ignores masqAll.
        is_newest = conf is not None and "masqAll" in conf and conf["backend"] == "nftables"
        if reason := why_no_current_portmap((1, 10)) if is_newest else why_no_current_portmap():
            pytest.skip(reason)
        return Reference(node.host, CURRENT_BIN_DIR)
    if reason := why_no_reference("portmap"):
        pytest.skip(reason)
    return Reference(node.host)


def can_check(release: str, conf: JsonObject) -> bool:
    """Report whether CHECK works there: before 1.2 it fails with addresses of both families."""
    return conf["cniVersion"] != "0.3.1" and release == "current"


def seen(node: Node) -> list[str]:
    """Return all that either side leaves, line by line."""
    localnet = node.host.sysctl("ipv4/conf/br0/route_localnet")
    return [*iptables(node.host), *nft(node.host), f"route_localnet {localnet}"]


def prepare(node: Node) -> None:
    wire(node)
    for tool in ("iptables", "ip6tables"):
        node.host.run(tool, "-t", "nat", "-N", "PLEASE-MARK")


def without_dns(raw: bytes) -> JsonObject:
    found: JsonObject = json.loads(raw)
    return {key: value for key, value in found.items() if key != "dns" or value}


@pytest.fixture
def native(node_b: Node) -> Iterator[Ours]:
    kernel = Kernel(node_b.host.path)
    yield ours(kernel)
    kernel.close()


@each_case
async def test_rules_are_those_of_the_reference(
    release: str, backend: str, conf: JsonObject, native: Ours, node_a: Node, node_b: Node
) -> None:
    """After ADD, after the ADD of a second container, and after the DEL of the first."""
    conf = {**conf, "backend": backend}
    theirs = reference(node_a, release, conf)
    results = []
    for node, side in ((node_a, theirs), (node_b, native)):
        prepare(node)
        results.append(without_dns(await side.add(call(node), conf)))
        if side is native or can_check(release, conf):
            await side.check(call(node), conf)
    assert results[0] == results[1]
    assert seen(node_b) == seen(node_a)
    for node, side in ((node_a, theirs), (node_b, native)):
        await side.add(call(node, "another"), conf)
    assert seen(node_b) == seen(node_a)
    for node, side in ((node_a, theirs), (node_b, native)):
        await side.delete(call(node), conf)
        await side.delete(call(node), conf)
    assert seen(node_b) == seen(node_a)
    assert any("another" in line for line in seen(node_b))


@each_case
async def test_each_side_checks_and_detaches_what_the_other_attached(
    release: str, backend: str, conf: JsonObject, native: Ours, node_b: Node
) -> None:
    """What is left is what all attachments share."""
    conf = {**conf, "backend": backend}
    theirs = reference(node_b, release, conf)
    prepare(node_b)
    for first, second in ((theirs, native), (native, theirs)):
        await first.add(call(node_b), conf)
        if second is native or can_check(release, conf):
            await second.check(call(node_b), conf)
        await second.delete(call(node_b), conf)
        left = seen(node_b)
        assert not [line for line in left if re.search(r"c0ffee|CNI-DN-|dnat to", line)]


REFUSED: dict[str, JsonObject] = {
    "no container port": portmap({"hostPort": 80, "protocol": "tcp"}),
    "no host port": portmap({"containerPort": 80, "protocol": "tcp"}),
    "no protocol": portmap({"hostPort": 80, "containerPort": 80}),
    "mark bit": portmap(mapping(80, 80), markMasqBit=32),
    "two marks": portmap(mapping(80, 80), markMasqBit=1, externalSetMarkChain="PLEASE-MARK"),
    "a port as text": portmap({"hostPort": "80", "containerPort": 80, "protocol": "tcp"}),
    "snat as text": portmap(mapping(80, 80), snat="yes"),
}
REFUSED_BY_THE_CURRENT: dict[str, JsonObject] = {
    "backend": portmap(mapping(80, 80), backend="pf"),
    "conditions of nftables": portmap(
        mapping(80, 80), backend="iptables", conditionsV4=["ip", "saddr", "10.0.0.1"]
    ),
    "conditions of iptables": portmap(
        mapping(80, 80), backend="nftables", conditionsV4=["-s", "10.0.0.1"]
    ),
    "mark chain": portmap(mapping(80, 80), backend="nftables", externalSetMarkChain="X"),
    "conditions for a backend that is not chosen": portmap(
        mapping(80, 80), conditionsV6=["ip6", "saddr", "fd00::1"]
    ),
}
NO_MAPPING = portmap()


@pytest.mark.parametrize(
    ("release", "conf"),
    [("packaged", one) for one in REFUSED.values()]
    + [("current", one) for one in REFUSED_BY_THE_CURRENT.values()],
    ids=[*REFUSED, *REFUSED_BY_THE_CURRENT],
)
async def test_what_the_reference_refuses_is_refused(
    release: str, conf: JsonObject, native: Ours, node_a: Node, node_b: Node
) -> None:
    """Nothing is left by us, and a DEL succeeds."""
    for node in (node_a, node_b):
        prepare(node)
    before = seen(node_b)
    with pytest.raises(PluginError):
        await reference(node_a, release).add(call(node_a), conf)
    with pytest.raises(PlanesError):
        await native.add(call(node_b), conf)
    assert [one for one in seen(node_b) if one not in before] == []
    await native.delete(call(node_b), conf)


async def test_without_mappings_nothing_is_looked_at(native: Ours, node_b: Node) -> None:
    prepare(node_b)
    before = seen(node_b)
    plugin = native.plugin("portmap")
    assert plugin.unsupported(NetConf(NO_MAPPING)) == ""
    await native.add(call(node_b), NO_MAPPING)
    await native.check(call(node_b), NO_MAPPING)
    await native.delete(call(node_b), NO_MAPPING)
    assert seen(node_b) == before
