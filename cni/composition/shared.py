"""The collaborators that several parts of the daemon share."""

from __future__ import annotations

from dataclasses import dataclass

from cni.attaching.address_conflicts import AddressConflicts
from cni.attaching.collecting_networks import CollectingNetworks
from cni.attaching.status_reports import StatusReporter
from cni.devices.info_files import DeviceInfoFiles
from cni.environment import Environment
from cni.ipam.complete_records import CompleteRecords
from cni.ipam.used_networks import USED_NETWORKS, UsedNetworks
from cni.journal.journal import Journal
from cni.planning.address_reports import AddressReports
from cni.planning.plane_health import PlaneHealth
from cni.plugins.plugin_turns import PluginTurns
from cni.reconcile.addresses_in_use import AddressesInUse
from cni.reconcile.lost_records import LostRecords
from cni.serving.call_locks import CallLocks
from cni.settings import Settings
from planes.store.protocol import AddressBook
from planes.store.used_addresses import ADDRESSES, UsedAddresses


@dataclass(frozen=True, slots=True)
class Shared:
    """The settings, the environment, and what most parts share.

    Attributes:
        addresses: plane addresses, handed out only where records of those in use are complete.
        in_use: the addresses in use on this node.
        lost_records: completes these records.
    """

    settings: Settings
    environment: Environment
    journal: Journal
    call_locks: CallLocks
    plugin_turns: PluginTurns
    collecting: CollectingNetworks
    reporter: StatusReporter
    health: PlaneHealth
    conflicts: AddressConflicts
    used_networks: UsedNetworks
    device_info: DeviceInfoFiles
    addresses: AddressBook
    in_use: AddressesInUse
    lost_records: LostRecords


def make_shared(settings: Settings, environment: Environment) -> Shared:
    """Make them; health and conflicts register their metrics."""
    journal = Journal(settings.state_dir / "journal", environment.files, boot=environment.boot)
    call_locks = CallLocks(settings.max_in_flight)
    store, clock = environment.store, environment.clock
    used = UsedAddresses(settings.state_dir / ADDRESSES, clock, environment.files)
    health = PlaneHealth(
        clock,
        settings.node,
        lambda: {plane.name for plane in store.catalog.planes},
        environment.publish,
        AddressReports(clock, lambda: store.catalog.planes, used.counts),
    )
    health.measure(environment.metrics)
    reporter = StatusReporter(store)
    conflicts = AddressConflicts(journal.entries, reporter.queue)
    conflicts.measure(environment.metrics)
    results = settings.multus_cache.parent / "results"
    in_use = AddressesInUse(journal, environment.kernel.live, store, results, environment.files)
    lost_records = LostRecords(in_use, store, settings.node, clock, environment.metrics)
    return Shared(
        settings,
        environment,
        journal,
        call_locks,
        PluginTurns(environment.clock, call_locks.step_aside),
        CollectingNetworks(),
        reporter,
        health,
        conflicts,
        UsedNetworks(settings.state_dir / USED_NETWORKS),
        DeviceInfoFiles(settings.device_info_dir, settings.host_root),
        CompleteRecords(store.addresses, lost_records.complete),
        in_use,
        lost_records,
    )
