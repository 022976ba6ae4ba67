"""Step: three bridge networks on one host without pods, called as any CNI client calls."""

from __future__ import annotations

import json
import subprocess
import uuid
from dataclasses import dataclass
from typing import Any

from planes.cli.demo import namespaces
from planes.cli.demo.environment import DemoEnvironment
from planes.cli.demo.namespaces import NODES
from planes.cli.demo.report import DemoReport
from planes.cli.demo.traffic_step import reaches


@dataclass(frozen=True, slots=True)
class BridgeClient:
    """A CNI client on node1: a namespace, and calls of the shim with a netconf on stdin."""

    demo: DemoEnvironment
    netns: str
    container_id: str
    netconf: dict[str, Any]

    def call(self, verb: str) -> subprocess.CompletedProcess[str]:
        """Run the shim with a verb, as the CNI specification has it."""
        node = NODES[0]
        env = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": self.container_id,
            "CNI_NETNS": str(namespaces.NETNS_FOLDER / self.netns),
            "CNI_IFNAME": "eth0",
            "CNI_PATH": "/opt/cni/bin",
            "NETPLANE_SOCKET": str(self.demo.socket(node)),
            "NETPLANE_STATE_DIR": str(self.demo.state(node)),
        }
        return subprocess.run(
            [self.demo.shim],
            env=env,
            input=json.dumps(self.netconf),
            capture_output=True,
            text=True,
            check=False,
        )


def run(demo: DemoEnvironment, report: DemoReport) -> None:
    """Attach two sandboxes to the first network and one to each other network; detach them."""
    has_nat = _has_nat(demo)
    rules_before = _masquerade_rules(demo)
    first, second, third = _netconfs(demo, has_nat=has_nat)
    clients = [
        _client(demo, number, netconf)
        for number, netconf in enumerate((first, first, second, third))
    ]
    try:
        for client in clients:
            namespaces.add_sandbox(client.netns)
        added = [client.call("ADD") for client in clients]
        if not _all_succeeded(demo, report, "ADD", added):
            return
        addresses = [json.loads(done.stdout)["ips"][0]["address"] for done in added]
        demo.console.line(f"  cni1 carries {', '.join(addresses)}")
        neighbour = addresses[1].partition("/")[0]
        report.check(
            "two sandboxes on bridge-network reach each other and the gateway",
            holds=reaches(demo, clients[0].netns, neighbour)
            and reaches(demo, clients[0].netns, "10.100.0.1"),
        )
        checked = [client.call("CHECK") for client in clients]
        _all_succeeded(demo, report, "CHECK", checked)
        rules_between = _masquerade_rules(demo)
        _all_succeeded(demo, report, "DEL", [client.call("DEL") for client in clients])
        if not has_nat:
            report.skip("masquerading", "iptables has no nat table in this kernel")
            return
        left = sorted(_masquerade_rules(demo) - rules_before)
        report.check(
            "masquerade rules appear with the sandboxes and disappear with them",
            holds=len(rules_between) > len(rules_before) and not left,
            seen=str(left),
        )
    finally:
        for client in clients:
            client.call("DEL")
            namespaces.remove_sandbox(client.netns)


def _netconfs(demo: DemoEnvironment, *, has_nat: bool) -> list[dict[str, Any]]:
    """Return netconfs for the shim, each with one network as `delegate`."""
    networks = json.loads(demo.text("bridge-host.json"))
    for network in networks:
        network["ipam"]["dataDir"] = str(demo.folder / "networks")
        network["ipMasq"] = has_nat and network.get("ipMasq", False)
    return [
        {
            "cniVersion": network["cniVersion"],
            "name": network["name"],
            "type": "netplane",
            "delegate": network,
        }
        for network in networks
    ]


def _client(demo: DemoEnvironment, number: int, netconf: dict[str, Any]) -> BridgeClient:
    return BridgeClient(demo, f"{namespaces.PREFIX}host{number}", uuid.uuid4().hex, netconf)


def _all_succeeded(
    demo: DemoEnvironment,
    report: DemoReport,
    verb: str,
    calls: list[subprocess.CompletedProcess[str]],
) -> bool:
    failed = [done.stdout.strip() for done in calls if done.returncode]
    report.check(
        f"{verb} by hand succeeds on all three networks",
        holds=not failed,
        seen="; ".join(failed),
    )
    return not failed


def _has_nat(demo: DemoEnvironment) -> bool:
    """Report whether iptables has a nat table: some kernels list one that they cannot make."""
    iptables = ("iptables", "-t", "nat")
    made = demo.inside(NODES[0].netns, *iptables, "-N", "netplane-demo").returncode == 0
    if made:
        demo.inside(NODES[0].netns, *iptables, "-X", "netplane-demo")
    return made


def _masquerade_rules(demo: DemoEnvironment) -> set[str]:
    """Return the NAT rules of node1, of iptables and nftables."""
    lines: set[str] = set()
    for command in (("iptables", "-t", "nat", "-S"), ("nft", "list", "ruleset")):
        done = demo.inside(NODES[0].netns, *command)
        found = (line.strip() for line in done.stdout.splitlines())
        lines |= {line for line in found if "masquerade" in line.lower() or "CNI-" in line}
    return lines
