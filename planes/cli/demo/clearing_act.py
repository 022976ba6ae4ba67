"""Everything goes, and nothing is left: in the nodes, on disk, on the machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from planes.cli.demo import stage
from planes.cli.demo.stage import NODES
from planes.cli.demo.verdict import Verdict
from planes.cli.demo.world import World


def play(world: World, verdict: Verdict) -> None:
    """Remove the pods; count what is left of them."""
    world.show(world.netplane("pod", "rm", "--all", node=NODES[0]))
    left = [str(pod["metadata"]["name"]) for pod in world.pods.all()]
    verdict.prove("all pods are removed", holds=not left, seen=str(left))
    own = {"lo", "cni0", "cni1", *(f"eth{segment}" for segment in stage.SEGMENTS)}
    for node in NODES:
        veths = [link["ifname"] for link in stage.links(node.netns) if link["ifname"] not in own]
        verdict.prove(f"{node.name} has no interface of a pod", holds=not veths, seen=str(veths))
    files = _records(world)
    verdict.prove(
        "no address, journal entry, spooled call or state file is left",
        holds=not files,
        seen=str(files),
    )


def machine(sandboxes: Iterable[str]) -> frozenset[str]:
    """What the demo could leave on the machine itself: interfaces, and namespaces of its own."""
    found = {f"interface {name}" for name in os.listdir("/sys/class/net")}
    if stage.NETNS_FOLDER.is_dir():
        names = {path.name for path in stage.NETNS_FOLDER.iterdir()}
        own = names & set(sandboxes) | {name for name in names if name.startswith(stage.PREFIX)}
        found |= {f"namespace {name}" for name in own}
    return frozenset(found)


def _records(world: World) -> list[str]:
    folders = [world.addresses, world.folder / "networks"]
    for node in NODES:
        folders += [world.folder / node.name / part for part in ("networks", "flannel")]
        folders += [world.state(node) / part for part in ("journal", "spool", "status")]
    return [
        str(path.relative_to(world.folder))
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not _is_bookkeeping(path)
    ]


def _is_bookkeeping(path: Path) -> bool:
    """Locks and "last handed out" notes stay, as host-local's do; they hold no address."""
    return path.name in {"lock", ".lock", "last"} or path.name.startswith(
        ("last_reserved_ip.", ".")
    )
