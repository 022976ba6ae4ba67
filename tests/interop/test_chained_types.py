"""`tuning`, `sbr` and `bandwidth` beside the reference plugins, on an interface made by hand.

Each side works on a node of its own; then one side detaches what the other one attached.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from tests.support.node.chained import (
    call_of,
    conf_of,
    newest_bin_dir,
    plug_in,
    previous,
    still_picture,
    why_no_current_reference,
)
from tests.support.node.netns import Node, normalised, why_no_reference
from tests.support.node.plugins import Ours, Reference, Side, ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

ADDRESSES = ("10.9.0.2/24", "fd00:9::2/64")
GATEWAYS = ("10.9.0.1", "fd00:9::1")
SYSCTL = "net.ipv4.conf.IFNAME.arp_filter"
SUBNETS_DIR = "build/reference/subnets"
"""Release 1.5.0 of `bandwidth`: CNI_PLUGINS_VERSION=v1.5.0 scripts/reference-plugins DIR."""
_COUNTED = re.compile(r"direct_packets_stat \d+")
_RANDOM = re.compile(r'"(?:handle|link|bytes|packets|drops|overlimits|requeues)": [^,}]+,? ?')


@dataclass(frozen=True)
class Case:
    """A netconf of a chained type; `is_new` where Debian's release lacks what it asks for."""

    kind: str
    more: dict[str, Any] = field(default_factory=dict)
    is_new: bool = False

    def __str__(self) -> str:
        return f"{self.kind}-{'-'.join(self.more) or 'plain'}"

    def conf(self, node: Node, directory: Path) -> dict[str, Any]:
        result = previous(node, *ADDRESSES, gateways=GATEWAYS)
        files = {"dataDir": str(directory)} if self.kind == "tuning" else {}
        return conf_of(self.kind, result, **files, **self.more)


IN = {"ingressRate": 1_000_000, "ingressBurst": 256_000}
OUT = {"egressRate": 1_000_000, "egressBurst": 256_000}
CASES = (
    Case("tuning", {"sysctl": {SYSCTL: "1"}}, is_new=True),
    Case("tuning", {"mac": "c2:11:22:33:44:55", "promisc": True, "mtu": 1400, "allmulti": True}),
    Case("tuning", {"txQLen": 77}, is_new=True),
    Case("sbr"),
    Case("sbr", {"table": 500}, is_new=True),
    Case("sbr", {"gateways": ["10.9.0.99", "fd00:9::99"]}, is_new=True),
    Case("sbr", {"addSourceHints": True}, is_new=True),
    Case("bandwidth", {**IN, **OUT}),
    Case("bandwidth", {"runtimeConfig": {"bandwidth": IN}}),
)
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def bin_dir(case: Case) -> str:
    directory = newest_bin_dir(case.kind)
    reason = why_no_current_reference(case.kind) if case.is_new else why_no_reference(case.kind)
    if reason:
        pytest.skip(reason)
    return directory


def prepare(node: Node) -> None:
    plug_in(node, *ADDRESSES)
    node.sandbox.ip("route", "add", "default", "via", GATEWAYS[0])
    node.sandbox.ip("-6", "route", "add", "default", "via", GATEWAYS[1])


def seen(node: Node, directory: Path) -> set[str]:
    """Return what either side leaves, a line each."""
    lines = {
        f"{place} {kind} {json.dumps(one, sort_keys=True)}"
        for place, space in (("pod", node.sandbox), ("host", node.host))
        for kind, found in still_picture(space).items()
        for one in found
    }
    for what in (
        ("qdisc", "show"),
        *(("filter", "show", "dev", dev, "ingress") for dev in devs(node)),
    ):
        for one in json.loads(node.host.run("tc", "-j", *what) or "[]"):
            lines.add("tc " + _RANDOM.sub("", normalised(json.dumps(one, sort_keys=True))))
    lines |= {f"txqlen {one['ifname']} {one['txqlen']}" for one in node.sandbox.ip_json("link")}
    lines |= {f"file {one.name} {one.read_text()}" for one in directory.glob("*")}
    return lines | {f"sysctl {node.sandbox.sysctl('ipv4/conf/eth0/arp_filter')}"}


def devs(node: Node) -> list[str]:
    found = json.loads(node.host.run("tc", "-j", "qdisc", "show"))
    return [one["dev"] for one in found if one["kind"] == "ingress"]


def result_of(raw: bytes, node: Node) -> Any:
    found = json.loads(normalised(raw.decode(), [(node.sandbox.path, "NETNS")]))
    found.pop("dns", None)
    return found


@pytest.fixture
def native(node_b: Node) -> Iterator[Ours]:
    kernel = Kernel(node_b.host.path)
    yield ours(kernel)
    kernel.close()


@each_case
async def test_a_chained_type_leaves_what_the_reference_leaves(
    case: Case, native: Ours, node_a: Node, node_b: Node, tmp_path: Path
) -> None:
    """Result, links, routes, rules, queueing disciplines, filters, sysctls and files are equal."""
    sides: list[tuple[Side, Node]] = [
        (Reference(node_a.host, bin_dir(case)), node_a),
        (native, node_b),
    ]
    results, pictures, ends = [], [], []
    for number, (side, node) in enumerate(sides):
        directory = tmp_path / str(number)
        directory.mkdir()
        prepare(node)
        conf = case.conf(node, directory)
        raw = await side.add(call_of(node), conf)
        results.append(result_of(raw, node))
        pictures.append(seen(node, directory))
        conf["prevResult"] = json.loads(raw)
        await side.check(call_of(node), conf)
        await side.delete(call_of(node), conf)
        ends.append(seen(node, directory))
    assert results[1] == results[0]
    assert pictures[1] ^ pictures[0] == set()
    assert ends[1] ^ ends[0] == set()


@each_case
@pytest.mark.parametrize("is_ours_first", [True, False], ids=["we-attach", "they-attach"])
async def test_either_side_checks_and_detaches_what_the_other_attached(
    case: Case, is_ours_first: bool, native: Ours, node_b: Node, tmp_path: Path
) -> None:
    """Afterwards it is as if one side had done both."""
    reference = Reference(node_b.host, bin_dir(case))
    first, second = (native, reference) if is_ours_first else (reference, native)
    prepare(node_b)
    before = seen(node_b, tmp_path)
    conf = case.conf(node_b, tmp_path)
    conf["prevResult"] = json.loads(await first.add(call_of(node_b), conf))
    await second.check(call_of(node_b), conf)
    await second.delete(call_of(node_b), conf)
    # What limits the host's end, and the tables of routes, go with the interface.
    left = {line.replace('"qdisc": "tbf"', '"qdisc": "noqueue"') for line in seen(node_b, tmp_path)}
    kept = ("sysctl", "tc", "pod routes")
    assert {line for line in left ^ before if not line.startswith(kept)} == set()


@pytest.mark.parametrize("key", ["shapedSubnets", "unshapedSubnets"])
async def test_classes_and_filters_are_those_of_the_release_with_subnets(
    key: str, native: Ours, node_a: Node, node_b: Node
) -> None:
    """For what a pod sends; 1.5.0 looked at the pod's own address in what it receives."""
    if reason := why_no_current_reference("bandwidth", SUBNETS_DIR):
        pytest.skip(reason)
    found = []
    for side, node in ((Reference(node_a.host, SUBNETS_DIR), node_a), (native, node_b)):
        prepare(node)
        conf = Case("bandwidth", {**OUT, key: ["10.20.0.0/16", "fd00:20::/32"]}).conf(node, Path())
        raw = await side.add(call_of(node), conf)
        device = json.loads(raw)["interfaces"][-1]["name"]
        shown = [
            node.host.run("tc", kind, "show", "dev", device)
            for kind in ("qdisc", "class", "filter")
        ]
        found.append(_COUNTED.sub("", "\n".join(shown)))
        (link,) = node.host.ip_json("link", "show", device)
        found.append(str((link["txqlen"], link["mtu"])))
        await side.check(call_of(node), {**conf, "prevResult": json.loads(raw)})
        await side.delete(call_of(node), conf)
    assert found[2:] == found[:2]
