"""Who looks for orphans on the real machine: `cni.orphans`, with what it searches."""

from __future__ import annotations

from cni.data_dirs import DataDirs
from cni.gate import Gate
from cni.ipam.address_files import AddressFiles
from cni.ipam.kept import KeptAddresses
from cni.journal import Journal
from cni.leave import Leaver
from cni.live import LiveKernel
from cni.orphans import Orphans
from cni.settings import Settings
from cni.world import World


def orphans_of(
    settings: Settings, world: World, journal: Journal, leaver: Leaver, gate: Gate
) -> Orphans:
    """Give who looks for what no journal entry accounts for."""
    return Orphans(
        journal=journal,
        addresses=world.store.addresses,
        kept=KeptAddresses(AddressFiles(), DataDirs(settings.data_dirs)),
        live=LiveKernel(world.kernel),
        leaver=leaver,
        kernel=world.kernel,
        gate=gate,
        clock=world.clock,
        node=settings.node,
        shares_addresses=settings.address_dir is not None,
        files=world.files,
    )
