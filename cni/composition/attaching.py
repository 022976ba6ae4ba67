"""Attaching sandboxes to networks, and tearing that down."""

from __future__ import annotations

from dataclasses import dataclass

from cni.attaching.attacher import Attacher
from cni.attaching.detacher import Detacher
from cni.attaching.device_files import DeviceFiles
from cni.attaching.durability import Durability
from cni.attaching.held_addresses import HeldAddresses
from cni.attaching.teardown import CALL_SECONDS, Teardown
from cni.attaching.tenant_bridges import TenantBridges
from cni.composition.plugins import PluginParts
from cni.composition.shared import Shared
from cni.native.engine import Engine
from cni.planning.host_ports import Ports


@dataclass(frozen=True, slots=True)
class AttachingParts:
    """Both directions, over one journal."""

    attacher: Attacher
    teardown: Teardown


def make_attaching(shared: Shared, plugins: PluginParts) -> AttachingParts:
    """Make them; a teardown within a call gets half of the call's deadline at most."""
    environment, journal = shared.environment, shared.journal
    chains = plugins.chains
    engine = Engine(environment.kernel.jobs, plugins.ipams, environment.probe)
    kernel, store = environment.kernel, environment.store

    def is_tenant(namespace: str) -> bool:
        return store.catalog.nad_checks.policy.restricts(namespace)

    devices = DeviceFiles(shared.device_info, environment.files)
    holds = HeldAddresses(shared.addresses, lambda: store.catalog)
    teardown = Teardown(
        Detacher(chains, engine, holds, kernel.links, environment.probe),
        journal,
        kernel.sandboxes,
        shared.reporter,
        devices=devices,
        clock=environment.clock,
        call_seconds=min(CALL_SECONDS, shared.settings.call_deadline / 2),
    )
    attacher = Attacher(
        chains=chains,
        engine=engine,
        durability=Durability(plugins.ipams.handles),
        holds=holds,
        teardown=teardown,
        journal=journal,
        sandboxes=kernel.sandboxes,
        ports=Ports(journal, environment.listeners),
        probe=environment.probe,
        collecting=shared.collecting,
        health=shared.health,
        devices=devices,
        bridges=TenantBridges(kernel.bridges, journal, is_tenant),
        is_tenant=is_tenant,
    )
    return AttachingParts(attacher, teardown)
