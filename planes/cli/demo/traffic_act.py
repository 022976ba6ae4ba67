"""Traffic flows on every plane between pods of two nodes, and not from outside a plane."""

from __future__ import annotations

import shutil

from planes.cli.demo.pods_act import statuses
from planes.cli.demo.stage import NODES
from planes.cli.demo.verdict import Verdict
from planes.cli.demo.world import World
from planes.model.errors import JsonObject, Unavailable


def play(world: World, verdict: Verdict) -> None:
    """Ping between the replicas of storage-app, which has all three networks; then from outside."""
    pods = [pod for pod in world.pods.all() if pod["metadata"]["name"].startswith("storage-app")]
    first, second = sorted(pods, key=lambda pod: str(pod["spec"]["nodeName"]))
    nodes = {first["spec"]["nodeName"], second["spec"]["nodeName"]}
    verdict.prove("the replicas run on two nodes", holds=nodes == {node.name for node in NODES})
    for interface, what in (
        ("eth0", "the cluster network"),
        ("net1", "plane business"),
        ("storage0", "plane storage"),
    ):
        target = _address(second, interface)
        verdict.prove(
            f"a ping crosses {what} between the nodes ({interface} to {target})",
            holds=reaches(world, world.netns(first), target, interface),
            seen="no answer",
        )
    _play_guest(world, verdict, _address(first, "net1"))


def _play_guest(world: World, verdict: Verdict, target: str) -> None:
    """A pod whose namespace joined no plane has eth0 only and finds no way to a plane."""
    added = world.netplane("pod", "add", "-f", "-", node=NODES[0], stdin=world.text("guest.yaml"))
    world.show(added)
    guest = world.pods.get("guests", "guest")
    interfaces = [status.interface for status in statuses(guest)] if guest else []
    verdict.prove(
        "a pod of a namespace without plane label has eth0 only, and no plane answers it",
        holds=guest is not None
        and interfaces == ["eth0"]
        and not reaches(world, world.netns(guest), target),
        seen=str(interfaces),
    )


def reaches(world: World, netns: str, address: str, interface: str = "") -> bool:
    """Whether a ping from a namespace is answered within 2 s."""
    options = ["-c", "1", "-W", "2", *(("-I", interface) if interface else ())]
    return world.inside(netns, *_ping(), *options, address).returncode == 0


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
