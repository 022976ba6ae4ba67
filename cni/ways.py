"""Who brings sandboxes in and who takes them out, put together."""

from __future__ import annotations

from cni.attach import Attacher
from cni.chain import Chains
from cni.collecting import Collecting
from cni.detach import Detacher
from cni.holds import Holds
from cni.journal import Journal
from cni.leave import Leaver
from cni.ports import Ports
from cni.report import Reporter
from cni.sandbox import Sandboxes
from cni.tenant_bridges import TenantBridges
from cni.world import World
from planes.model.spec.nad_policy import NadPolicy


def make_ways(
    *,
    world: World,
    chains: Chains,
    journal: Journal,
    sandboxes: Sandboxes,
    reporter: Reporter,
    collecting: Collecting,
    call_seconds: float,
) -> tuple[Leaver, Attacher]:
    """Put them together for the daemon: both stand on one journal; see `Leaver` for the seconds."""
    holds = Holds(world.store.addresses, lambda: world.store.catalog)
    leaver = Leaver(
        Detacher(chains, holds, world.kernel, world.probe, world.files),
        journal,
        sandboxes,
        reporter,
        call_seconds,
    )
    attacher = Attacher(
        chains=chains,
        holds=holds,
        leaver=leaver,
        journal=journal,
        sandboxes=sandboxes,
        ports=Ports(journal, world.listeners),
        probe=world.probe,
        collecting=collecting,
        bridges=TenantBridges(
            world.kernel,
            journal,
            lambda namespace: _policy(world).restricts(namespace),
        ),
    )
    return leaver, attacher


def _policy(world: World) -> NadPolicy:
    """Give what NADs of tenants may be, as the catalog of now has it."""
    return world.store.catalog.gate.policy
