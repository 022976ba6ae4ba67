"""Admission or the daemon is down: no pod starts without its planes, and nothing leaks."""

from __future__ import annotations

import time
import uuid
from typing import Any

from planes.cli.demo import stage
from planes.cli.demo.stage import NODES
from planes.cli.demo.verdict import Verdict
from planes.cli.demo.world import World
from planes.cli.sandbox import Sandbox, Shim

REPLAY_SECONDS = 10.0


def play(world: World, verdict: Verdict) -> None:
    """Create a pod that admission never saw; delete it while the daemon is down."""
    node = NODES[0]
    world.screen.say("  the webhook is stopped; a pod is created as with failurePolicy Ignore")
    world.stop_webhook()
    try:
        pod = _unseen_pod(node.name)
        world.pods.put(pod)
        meta = pod["metadata"]
        sandbox = Sandbox(meta["namespace"], meta["name"], meta["uid"])
        shim = Shim(world.shim, str(world.socket(node)), str(world.state(node)))
        sandbox.make_netns()
        shim.call("ADD", sandbox)
        found = {link["ifname"] for link in stage.links(sandbox.netns_name)}
        verdict.prove(
            "with the webhook down the node attaches the plane all the same",
            holds="net1" in found,
            seen=str(sorted(found)),
        )
        repaired = [e["message"] for e in world.events(node) if e["reason"] == "PlaneRepaired"]
        for message in repaired:
            world.screen.say(f"    PlaneRepaired  {message}")
        verdict.prove("event PlaneRepaired says so", holds=bool(repaired))
        _delete_without_daemon(world, verdict, sandbox, shim)
    finally:
        world.start_webhook()


def _delete_without_daemon(world: World, verdict: Verdict, sandbox: Sandbox, shim: Shim) -> None:
    node = NODES[0]
    world.screen.say("  the daemon is stopped; the pod is deleted")
    world.stop_daemon(node)
    started = time.monotonic()
    shim.call("DEL", sandbox)
    seconds = time.monotonic() - started
    sandbox.remove_netns()
    world.pods.remove(sandbox.namespace, sandbox.pod)
    spool = world.state(node) / "spool"
    verdict.prove(
        "DEL succeeds at once and is kept",
        holds=seconds < 1 and any(spool.iterdir()),
        seen=f"{seconds:.1f} s",
    )
    world.start_daemon(node)
    verdict.prove(
        "the daemon carries it out when it is back: no address and no record stay",
        holds=_becomes_empty(world, sandbox),
        seen="something is left",
    )


def _becomes_empty(world: World, sandbox: Sandbox) -> bool:
    deadline = time.monotonic() + REPLAY_SECONDS
    while time.monotonic() < deadline:
        if not _holders(world, sandbox.container_id):
            return True
        time.sleep(0.1)
    return False


def _holders(world: World, container_id: str) -> list[str]:
    """Files below the demo's folder that still name a sandbox; logs and events may."""
    return [
        str(path)
        for path in world.folder.rglob("*")
        if path.is_file()
        and path.suffix not in {".log", ".jsonl"}
        and (container_id in path.name or container_id.encode() in path.read_bytes())
    ]


def _unseen_pod(node: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "unseen", "namespace": "business-apps", "uid": str(uuid.uuid4())},
        "spec": {"nodeName": node, "containers": [{"name": "app", "image": "nginx"}]},
    }
