"""One host, no Kubernetes, no pods: three bridge networks, the way any CNI client calls."""

from __future__ import annotations

import json
import subprocess
import uuid
from dataclasses import dataclass
from typing import Any

from planes.cli.demo import stage
from planes.cli.demo.stage import NODES
from planes.cli.demo.traffic_act import reaches
from planes.cli.demo.verdict import Verdict
from planes.cli.demo.world import World


@dataclass(frozen=True, slots=True)
class Client:
    """A bare CNI client on node1: a namespace, and calls of the shim with a netconf on stdin."""

    world: World
    netns: str
    container_id: str
    netconf: dict[str, Any]

    def call(self, verb: str) -> subprocess.CompletedProcess[str]:
        """Call the shim as the specification says."""
        node = NODES[0]
        env = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": self.container_id,
            "CNI_NETNS": str(stage.NETNS_FOLDER / self.netns),
            "CNI_IFNAME": "eth0",
            "CNI_PATH": "/opt/cni/bin",
            "NETPLANE_SOCKET": str(self.world.socket(node)),
            "NETPLANE_STATE_DIR": str(self.world.state(node)),
        }
        return subprocess.run(
            [self.world.shim],
            env=env,
            input=json.dumps(self.netconf),
            capture_output=True,
            text=True,
            check=False,
        )


def play(world: World, verdict: Verdict) -> None:
    """Attach two sandboxes to the first network and one to each other; take them away again."""
    has_nat = _has_nat(world)
    rules_before = _masquerade_rules(world)
    first, second, third = _netconfs(world, has_nat=has_nat)
    clients = [
        _client(world, number, netconf)
        for number, netconf in enumerate((first, first, second, third))
    ]
    try:
        for client in clients:
            stage.add_sandbox(client.netns)
        added = [client.call("ADD") for client in clients]
        if not _all_succeeded(world, verdict, "ADD", added):
            return
        addresses = [json.loads(done.stdout)["ips"][0]["address"] for done in added]
        world.screen.say(f"  cni1 carries {', '.join(addresses)}")
        neighbour = addresses[1].partition("/")[0]
        verdict.prove(
            "two sandboxes on bridge-network reach each other and the gateway",
            holds=reaches(world, clients[0].netns, neighbour)
            and reaches(world, clients[0].netns, "10.100.0.1"),
        )
        checked = [client.call("CHECK") for client in clients]
        _all_succeeded(world, verdict, "CHECK", checked)
        rules_between = _masquerade_rules(world)
        _all_succeeded(world, verdict, "DEL", [client.call("DEL") for client in clients])
        if not has_nat:
            verdict.skip("masquerading", "iptables has no nat table in this kernel")
            return
        left = sorted(_masquerade_rules(world) - rules_before)
        verdict.prove(
            "masquerade rules appear with the sandboxes and disappear with them",
            holds=len(rules_between) > len(rules_before) and not left,
            seen=str(left),
        )
    finally:
        for client in clients:
            client.call("DEL")
            stage.remove_sandbox(client.netns)


def _netconfs(world: World, *, has_nat: bool) -> list[dict[str, Any]]:
    """Wrap each network the way standalone mode takes it: as the default network's own config."""
    networks = json.loads(world.text("bridge-host.json"))
    for network in networks:
        network["ipam"]["dataDir"] = str(world.folder / "networks")
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


def _client(world: World, number: int, netconf: dict[str, Any]) -> Client:
    return Client(world, f"{stage.PREFIX}host{number}", uuid.uuid4().hex, netconf)


def _all_succeeded(
    world: World, verdict: Verdict, verb: str, calls: list[subprocess.CompletedProcess[str]]
) -> bool:
    failed = [done.stdout.strip() for done in calls if done.returncode]
    verdict.prove(
        f"{verb} by hand succeeds on all three networks",
        holds=not failed,
        seen="; ".join(failed),
    )
    return not failed


def _has_nat(world: World) -> bool:
    """Whether iptables can work here: some kernels list a table that they cannot make."""
    iptables = ("iptables", "-t", "nat")
    made = world.inside(NODES[0].netns, *iptables, "-N", "netplane-demo").returncode == 0
    if made:
        world.inside(NODES[0].netns, *iptables, "-X", "netplane-demo")
    return made


def _masquerade_rules(world: World) -> set[str]:
    """NAT rules of node1, whichever backend made them."""
    lines: set[str] = set()
    for command in (("iptables", "-t", "nat", "-S"), ("nft", "list", "ruleset")):
        done = world.inside(NODES[0].netns, *command)
        found = (line.strip() for line in done.stdout.splitlines())
        lines |= {line for line in found if "masquerade" in line.lower() or "CNI-" in line}
    return lines
