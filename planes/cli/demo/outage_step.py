"""Step: webhook or daemon is down; no pod starts without its planes, and nothing is left."""

from __future__ import annotations

import time
import uuid
from typing import Any

from planes.cli.demo import namespaces
from planes.cli.demo.environment import DemoEnvironment
from planes.cli.demo.namespaces import NODES, Node
from planes.cli.demo.report import DemoReport
from planes.cli.sandbox import Sandbox, Shim

REPLAY_SECONDS = 10.0
_NO_WAIT_SECONDS = 10.0
"""A DEL that waits for its daemon takes a minute; three syncs of a busy disk may take a second."""


def run(demo: DemoEnvironment, report: DemoReport) -> None:
    """Create a pod while the webhook is down; delete it while the daemon is down."""
    node = NODES[0]
    demo.console.line("  the webhook is stopped; a pod is created as with failurePolicy Ignore")
    demo.stop_webhook()
    try:
        pod = _unseen_pod(node.name)
        demo.pods.put(pod)
        meta = pod["metadata"]
        sandbox = Sandbox(meta["namespace"], meta["name"], meta["uid"])
        shim = Shim(demo.shim, str(demo.socket(node)), str(demo.state(node)))
        sandbox.make_netns()
        shim.call("ADD", sandbox)
        found = {link["ifname"] for link in namespaces.links(sandbox.netns_name)}
        report.check(
            "with the webhook down the node attaches the plane all the same",
            holds="net1" in found,
            seen=str(sorted(found)),
        )
        repaired = _repaired(demo, node)
        for message in repaired:
            demo.console.line(f"    PlaneRepaired  {message}")
        report.check("event PlaneRepaired says so", holds=bool(repaired))
        _delete_without_daemon(demo, report, sandbox, shim)
    finally:
        demo.start_webhook()


def _repaired(demo: DemoEnvironment, node: Node) -> list[str]:
    """Return the messages of PlaneRepaired; events are written behind the answer to the ADD."""
    deadline = time.monotonic() + REPLAY_SECONDS
    while True:
        found = [e["message"] for e in demo.events(node) if e["reason"] == "PlaneRepaired"]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def _delete_without_daemon(
    demo: DemoEnvironment, report: DemoReport, sandbox: Sandbox, shim: Shim
) -> None:
    node = NODES[0]
    demo.console.line("  the daemon is stopped; the pod is deleted")
    demo.stop_daemon(node)
    started = time.monotonic()
    shim.call("DEL", sandbox)
    seconds = time.monotonic() - started
    sandbox.remove_netns()
    demo.pods.remove(sandbox.namespace, sandbox.pod)
    spool = demo.state(node) / "spool"
    report.check(
        "DEL succeeds at once and is kept",
        holds=seconds < _NO_WAIT_SECONDS and any(spool.iterdir()),
        seen=f"{seconds:.1f} s",
    )
    demo.start_daemon(node)
    report.check(
        "the daemon carries it out when it is back: no address and no record stay",
        holds=_becomes_empty(demo, sandbox),
        seen="something is left",
    )


def _becomes_empty(demo: DemoEnvironment, sandbox: Sandbox) -> bool:
    deadline = time.monotonic() + REPLAY_SECONDS
    while time.monotonic() < deadline:
        if not _holders(demo, sandbox.container_id):
            return True
        time.sleep(0.1)
    return False


def _holders(demo: DemoEnvironment, container_id: str) -> list[str]:
    """Return the files of the demo that still name a sandbox, except logs and events."""
    return [
        str(path)
        for path in demo.folder.rglob("*")
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
