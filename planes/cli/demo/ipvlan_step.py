"""Step: a Multus user's ipvlan network with a static address, if the kernel has ipvlan."""

from __future__ import annotations

from planes.cli.demo import namespaces
from planes.cli.demo.environment import DemoEnvironment
from planes.cli.demo.namespaces import NODES
from planes.cli.demo.pods_step import statuses
from planes.cli.demo.report import DemoReport


def run(demo: DemoEnvironment, report: DemoReport) -> None:
    """Create the pod; check its second interface and the event."""
    if not namespaces.kernel_has("ipvlan"):
        report.skip("the ipvlan pod", "this kernel has no ipvlan (CONFIG_IPVLAN)")
        return
    demo.put("ipvlan.yaml")
    done = demo.netplane("pod", "add", "-f", "-", node=NODES[0], stdin=demo.text("ipvlan-pod.yaml"))
    demo.show(done)
    pod = demo.pods.get("example-multus", "example-nad-pod")
    found = {status.interface: status.ips for status in statuses(pod)} if pod else {}
    report.check(
        "the ipvlan pod has the address it asked for",
        holds=found.get("net1") == ("192.168.122.188",),
        seen=str(found),
    )
    said = [event["message"] for event in demo.events(NODES[0])]
    message = "Add net1 [192.168.122.188/24] from example-multus/example-nad"
    report.check("and the event says so", holds=message in said, seen=str(said[-2:]))
