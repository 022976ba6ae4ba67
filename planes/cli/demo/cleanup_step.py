"""Step: the pods are removed, and nothing is left in the nodes, on disk or on the machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from planes.cli.demo import namespaces
from planes.cli.demo.environment import DemoEnvironment
from planes.cli.demo.namespaces import NODES
from planes.cli.demo.report import DemoReport


def run(demo: DemoEnvironment, report: DemoReport) -> None:
    """Remove the pods and check what is left of them."""
    demo.show(demo.netplane("pod", "rm", "--all", node=NODES[0]))
    left = [str(pod["metadata"]["name"]) for pod in demo.pods.all()]
    report.check("all pods are removed", holds=not left, seen=str(left))
    own = {"lo", "cni0", "cni1", *(f"eth{segment}" for segment in namespaces.SEGMENTS)}
    for node in NODES:
        veths = [
            link["ifname"] for link in namespaces.links(node.netns) if link["ifname"] not in own
        ]
        report.check(f"{node.name} has no interface of a pod", holds=not veths, seen=str(veths))
    files = _records(demo)
    report.check(
        "no address, journal entry, spooled call or state file is left",
        holds=not files,
        seen=str(files),
    )


def machine(sandboxes: Iterable[str]) -> frozenset[str]:
    """Return what the demo could leave on the machine: interfaces, and namespaces of its own."""
    found = {f"interface {name}" for name in os.listdir("/sys/class/net")}
    if namespaces.NETNS_FOLDER.is_dir():
        names = {path.name for path in namespaces.NETNS_FOLDER.iterdir()}
        own = names & set(sandboxes) | {
            name for name in names if name.startswith(namespaces.PREFIX)
        }
        found |= {f"namespace {name}" for name in own}
    return frozenset(found)


def _records(demo: DemoEnvironment) -> list[str]:
    folders = [demo.addresses, demo.folder / "networks"]
    for node in NODES:
        folders += [demo.folder / node.name / part for part in ("networks", "flannel")]
        folders += [demo.state(node) / part for part in ("journal", "spool", "status")]
    return [
        str(path.relative_to(demo.folder))
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not _is_bookkeeping(path)
    ]


def _is_bookkeeping(path: Path) -> bool:
    """Report whether a file holds no address: locks and notes of the last one, which stay."""
    return path.name in {"lock", ".lock", "last"} or path.name.startswith(
        ("last_reserved_ip.", ".")
    )
