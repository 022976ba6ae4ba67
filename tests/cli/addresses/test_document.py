"""The examples of docs/addresses.md, section "Asking for addresses", print what they show."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.resources import IPBLOCKS, NAMESPACES
from planes.model.addresses import parse_address, parse_network
from planes.model.state.node_use import NodeUse
from planes.store.protocol import AddressOwner
from tests.cli.addresses.reporting_cluster import ReportingCluster
from tests.support.command_line import netplane
from tests.support.kube.served_kube import served

DOCUMENT = Path(__file__).parents[3] / "docs" / "addresses.md"
SPEC: dict[str, Any] = {
    "subnets": [
        {
            "cidr": "192.168.0.0/16",
            "gateway": "192.168.0.1",
            "ranges": ["192.168.10.1-192.168.10.254"],
            "staticRanges": ["192.168.100.1-192.168.100.31"],
        }
    ],
    "staticIPs": {
        "allow": "Any",
        "reservations": [{"ip": "192.168.100.40", "namespace": "shop", "owner": "db"}],
    },
}


def make_cluster() -> ReportingCluster:
    """Return the cluster that the section speaks of."""
    cluster = ReportingCluster()
    cluster.plane(**SPEC)
    cluster.kube.put_object(NAMESPACES, {"metadata": {"name": "kube-system"}})
    cluster.block("192.168.10.0/26")
    cluster.block("192.168.10.64/26", "n2")
    cluster.report("n1", business=NodeUse(2, 1))
    cluster.report("n2", business=NodeUse(1, 0))
    for number, node in ((5, "n1"), (7, "n1"), (70, "n2")):
        cluster.pod(f"web-{number}", f"192.168.10.{number}", node=node)
    cluster.pod("twin", "192.168.10.70")
    uid = cluster.pod("db-0", "192.168.100.7")
    owner = AddressOwner("c1", "net1", "shop", "db-0", uid, "n1")
    held = {parse_address("192.168.100.7"): Holder(owner, 1_799_996_400)}
    obj = static_object("business", parse_network("192.168.100.0/26"), held)
    cluster.kube.put_object(IPBLOCKS, obj)
    cluster.block("192.168.10.192/26", "n3")
    cluster.status(capacity=286, inUse=4, static=1, cooling=1, available=281)
    return cluster


def examples() -> list[tuple[str, str]]:
    """Return commands and what the section says that they print."""
    _, _, section = DOCUMENT.read_text().partition("\n## Asking for addresses\n")
    section = section.partition("\n## ")[0]
    blocks = re.findall(r"```\n(\$ netplane .*?)```", section, flags=re.S)
    parts = (part for block in blocks for part in re.split(r"^\$ ", block, flags=re.M) if part)
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


@pytest.mark.parametrize(("command", "shown"), examples(), ids=[one for one, _ in examples()])
async def test_an_example_prints_what_it_shows(tmp_path: Path, command: str, shown: str) -> None:
    report = str(tmp_path / "report.json")
    words = [report if word == "report.json" else word for word in shlex.split(command)[1:]]
    async with served(make_cluster().kube, tmp_path) as kubeconfig:
        env = {"KUBECONFIG": str(kubeconfig)}
        if "--from-report" in words:
            await asyncio.to_thread(netplane, "ip", "check", "--report", report, env=env)
        outcome = await asyncio.to_thread(netplane, *words, env=env)
    assert outcome.out == shown


def test_each_command_has_an_example() -> None:
    shown = {tuple(shlex.split(command)[1:3]) for command, _ in examples()}
    assert shown >= {("ip", word) for word in ("show", "who", "free", "check", "release")}
