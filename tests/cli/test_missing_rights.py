"""Each command names a right that is missing, in the same words, whether it goes on or not."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest

from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, NODES, PLANES, PODS, Resource
from tests.cli.addresses.reporting_cluster import ReportingCluster
from tests.support.command_line import netplane
from tests.support.kube.served_kube import served

COMMANDS = {
    "ip show": (PLANES, IPBLOCKS, PODS),
    "ip who 10.9.0.7": (PLANES, IPBLOCKS, PODS),
    "ip free business": (PLANES, IPBLOCKS, PODS),
    "ip check": (PLANES, IPBLOCKS, PODS, NODES),
    "ip release --claims --dry-run": (IPBLOCKS,),
    "ip release --node n9 --dry-run": (IPBLOCKS,),
    "explain address 10.9.0.7 --plane business": (PLANES, IPBLOCKS, PODS),
    "explain pod/web -n shop": (PLANES, IPBLOCKS, PODS, NAMESPACES),
    "explain namespace/shop": (PLANES, IPBLOCKS, PODS, NAMESPACES),
    "map": (PLANES, IPBLOCKS, PODS),
    "map -n shop": (PLANES, IPBLOCKS, PODS),
    "status": (PLANES, PODS, NODES),
    "migrate check": (PLANES, PODS, NADS, NAMESPACES),
    "plan export": (PLANES, NAMESPACES),
    "version": (PODS,),
    "dump -f d.tar.gz --force": (PLANES, IPBLOCKS, PODS, NODES, NADS, NAMESPACES),
    "doctor n1": (PODS,),
}


@pytest.mark.parametrize(
    ("line", "refused"),
    [(line, one) for line, several in COMMANDS.items() for one in several],
    ids=lambda value: value.plural if isinstance(value, Resource) else value,
)
async def test_a_missing_right_is_named(tmp_path: Path, line: str, refused: Resource) -> None:
    cluster = ReportingCluster()
    cluster.plane()
    label = {"plane.netplane.io/business": "enabled"}
    cluster.kube.put_object(NAMESPACES, {"metadata": {"name": "shop", "labels": label}})
    cluster.block("10.9.0.0/26")
    cluster.pod("web", "10.9.0.7")
    words = [str(tmp_path / word) if word == "d.tar.gz" else word for word in shlex.split(line)]
    async with served(cluster.kube, tmp_path, refused) as kubeconfig:
        env = {"KUBECONFIG": str(kubeconfig)}
        outcome = await asyncio.to_thread(netplane, *words, env=env)
    named = f"{refused.plural}.{refused.group}".rstrip(".")
    assert f"the right to list {named} " in outcome.out + outcome.err
