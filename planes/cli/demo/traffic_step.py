"""Step: pods of two nodes reach each other on every plane; pods outside a plane do not."""

from __future__ import annotations

import shutil

from planes.cli.demo.environment import DemoEnvironment
from planes.cli.demo.namespaces import NODES
from planes.cli.demo.pods_step import statuses
from planes.cli.demo.report import DemoReport
from planes.model.errors import JsonObject, Unavailable


def run(demo: DemoEnvironment, report: DemoReport) -> None:
    """Ping between the replicas of storage-app on its three networks, then from outside."""
    pods = [pod for pod in demo.pods.all() if pod["metadata"]["name"].startswith("storage-app")]
    if len(pods) != len(NODES):
        report.check(
            "two replicas of storage-app run, to send traffic between",
            holds=False,
            seen=f"{len(pods)} of {len(NODES)} run",
        )
        return
    first, second = sorted(pods, key=lambda pod: str(pod["spec"]["nodeName"]))
    nodes = {first["spec"]["nodeName"], second["spec"]["nodeName"]}
    report.check("the replicas run on two nodes", holds=nodes == {node.name for node in NODES})
    for interface, what in (
        ("eth0", "the cluster network"),
        ("net1", "plane business"),
        ("storage0", "plane storage"),
    ):
        target = _address(second, interface)
        report.check(
            f"a ping crosses {what} between the nodes ({interface} to {target})",
            holds=reaches(demo, demo.netns(first), target, interface),
            seen="no answer",
        )
    _check_outsider(demo, report, _address(first, "net1"))


def _check_outsider(demo: DemoEnvironment, report: DemoReport, target: str) -> None:
    """Check that a pod whose namespace joined no plane has eth0 only and reaches no plane."""
    added = demo.netplane("pod", "add", "-f", "-", node=NODES[0], stdin=demo.text("guest.yaml"))
    demo.show(added)
    guest = demo.pods.get("guests", "guest")
    interfaces = [status.interface for status in statuses(guest)] if guest else []
    report.check(
        "a pod of a namespace without plane label has eth0 only, and no plane answers it",
        holds=guest is not None
        and interfaces == ["eth0"]
        and not reaches(demo, demo.netns(guest), target),
        seen=str(interfaces),
    )


def reaches(demo: DemoEnvironment, netns: str, address: str, interface: str = "") -> bool:
    """Report whether a ping from a namespace is answered within 2 s."""
    options = ["-c", "1", "-W", "2", *(("-I", interface) if interface else ())]
    return demo.inside(netns, *_ping(), *options, address).returncode == 0


def _ping() -> tuple[str, ...]:
    if shutil.which("ping"):
        return ("ping",)
    if shutil.which("busybox"):
        return ("busybox", "ping")
    raise Unavailable(
        "cannot send a ping: neither ping nor busybox is installed",
        remedy="apt-get install busybox",
    )


def _address(pod: JsonObject, interface: str) -> str:
    return next(status.ips[0] for status in statuses(pod) if status.interface == interface)
