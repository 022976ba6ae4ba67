"""What must not be is refused, with a reason and a remedy, and leaves nothing behind."""

from __future__ import annotations

from planes.cli.demo.stage import NODES
from planes.cli.demo.verdict import Verdict
from planes.cli.demo.world import World


def play(world: World, verdict: Verdict) -> None:
    """Ask for an address that is held, and for a plane that was not joined."""
    before = world.sandboxes()
    _explain(world, verdict)
    said = _refused(world, "duplicate.yaml")
    verdict.prove(
        "a duplicate address is refused, naming its holder and free addresses",
        holds="192.168.100.10" in said and "business-apps/ledger-0" in said,
        seen=said,
    )
    said = _refused(world, "trespass.yaml")
    verdict.prove(
        "a plane is refused to a namespace that has not joined it, saying how to join",
        holds="plane.netplane.io/storage" in said,
        seen=said,
    )
    verdict.prove("a refused pod leaves no sandbox", holds=world.sandboxes() == before)


def _explain(world: World, verdict: Verdict) -> None:
    world.screen.say("  a Deployment whose three replicas share one static address, explained:")
    done = world.netplane(
        "explain", "-f", "-", node=NODES[0], stdin=world.text("shared-address.yaml")
    )
    lines = done.stdout.splitlines()
    second = next((n for n, line in enumerate(lines) if "is refused" in line), 0)
    for line in lines[second : second + 14]:
        world.screen.say(f"    {line}")
    verdict.prove(
        "explain finds replicas that share an address, before anything is created",
        holds=done.returncode == 1 and "asks for it already" in done.stdout,
        seen=done.stdout + done.stderr,
    )


def _refused(world: World, name: str) -> str:
    done = world.netplane("pod", "add", "-f", "-", node=NODES[0], stdin=world.text(name))
    world.show(done)
    return done.stderr if done.returncode == 1 else f"it was let in: {done.stdout}"
