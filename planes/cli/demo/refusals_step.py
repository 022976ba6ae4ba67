"""Step: what policy forbids is refused with a reason and a remedy, and leaves nothing."""

from __future__ import annotations

from planes.cli.demo.environment import DemoEnvironment
from planes.cli.demo.namespaces import NODES
from planes.cli.demo.report import DemoReport


def run(demo: DemoEnvironment, report: DemoReport) -> None:
    """Ask for an address that another pod has, and for a plane that was not joined."""
    before = demo.sandboxes()
    _explain(demo, report)
    said = _refused(demo, "duplicate.yaml")
    report.check(
        "a duplicate address is refused, naming its holder and free addresses",
        holds="192.168.100.10" in said and "business-apps/ledger-0" in said,
        seen=said,
    )
    said = _refused(demo, "trespass.yaml")
    report.check(
        "a plane is refused to a namespace that has not joined it, saying how to join",
        holds="plane.netplane.io/storage" in said,
        seen=said,
    )
    report.check("a refused pod leaves no sandbox", holds=demo.sandboxes() == before)


def _explain(demo: DemoEnvironment, report: DemoReport) -> None:
    demo.console.line("  a Deployment whose three replicas share one static address, explained:")
    done = demo.netplane(
        "explain", "-f", "-", node=NODES[0], stdin=demo.text("shared-address.yaml")
    )
    refused = next((text for text in done.stdout.split("\nPod ") if "is refused" in text), "")
    for line in f"Pod {refused.removeprefix('Pod ').strip()}".splitlines():
        demo.console.line(f"    {line}")
    report.check(
        "explain finds replicas that share an address, before anything is created",
        holds=done.returncode == 1 and "asks for it already" in done.stdout,
        seen=done.stdout + done.stderr,
    )


def _refused(demo: DemoEnvironment, name: str) -> str:
    done = demo.netplane("pod", "add", "-f", "-", node=NODES[0], stdin=demo.text(name))
    demo.show(done)
    return done.stderr if done.returncode == 1 else f"it was let in: {done.stdout}"
