"""A Multus user's ipvlan network with a static address, unchanged; where the kernel has ipvlan."""

from __future__ import annotations

from planes.cli.demo import stage
from planes.cli.demo.pods_act import statuses
from planes.cli.demo.stage import NODES
from planes.cli.demo.verdict import Verdict
from planes.cli.demo.world import World


def play(world: World, verdict: Verdict) -> None:
    """Create the pod, look at its second interface and the events."""
    if not stage.kernel_has("ipvlan"):
        verdict.skip("the ipvlan pod", "this kernel has no ipvlan (CONFIG_IPVLAN)")
        return
    world.put("ipvlan.yaml")
    done = world.netplane(
        "pod", "add", "-f", "-", node=NODES[0], stdin=world.text("ipvlan-pod.yaml")
    )
    world.show(done)
    pod = world.pods.get("example-multus", "example-nad-pod")
    found = {status.interface: status.ips for status in statuses(pod)} if pod else {}
    verdict.prove(
        "the ipvlan pod has the address it asked for",
        holds=found.get("net1") == ("192.168.122.188",),
        seen=str(found),
    )
    said = [event["message"] for event in world.events(NODES[0])]
    message = "Add net1 [192.168.122.188/24] from example-multus/example-nad"
    verdict.prove("and the event says so", holds=message in said, seen=str(said[-2:]))
