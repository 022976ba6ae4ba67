"""Reconciling the journal with the node: at start, on timers, for forget and for uninstall."""

from __future__ import annotations

from dataclasses import dataclass

from cni.attaching.teardown import Teardown
from cni.composition.shared import Shared
from cni.host.data_dirs import DataDirs
from cni.ipam.host_local_files import HostLocalFiles
from cni.ipam.kept import KeptAddresses
from cni.reconcile.address_check import AddressCheck
from cni.reconcile.address_report import AddressReport
from cni.reconcile.adoption import AddressAdoption
from cni.reconcile.drain_node import NodeDrain
from cni.reconcile.left_by_power_cut import BOOT_MARKER, LeftByPowerCut
from cni.reconcile.lost_allocations import LostAllocations
from cni.reconcile.orphans import Orphans
from cni.reconcile.own_addresses import OwnAddresses
from cni.reconcile.pending_removal import PendingRemoval
from cni.reconcile.reconciler import Reconciler
from cni.reconcile.shown_addresses import ShownAddresses
from cni.reconcile.startup import StartupOrder
from cni.serving.protocol import SandboxVerbs
from cni.serving.spool import Spool


@dataclass(frozen=True, slots=True)
class ReconcileParts:
    """What works without being called by the container runtime.

    Attributes:
        reconciler: undoes cut-off ADDs and retries DELs.
        orphans: releases addresses that no journal entry accounts for.
        spool: carries out DELs that the shim kept while no daemon ran.
        startup: the verbs, whose ADDs wait for what the last run left.
        pending_removal: drops what cannot be detached, for `forget`.
        node_drain: empties the journal, for `uninstall`.
        own_addresses: reports planes that have addresses of the node.
        address_check: makes records of addresses again that are missing.
        report: lists what is wrong with addresses, for `check-addresses`.
        adoption: takes over addresses of other IPAMs, for `adopt`.
    """

    reconciler: Reconciler
    orphans: Orphans
    spool: Spool
    startup: StartupOrder
    pending_removal: PendingRemoval
    node_drain: NodeDrain
    own_addresses: OwnAddresses
    address_check: AddressCheck
    report: AddressReport
    adoption: AddressAdoption


def make_orphans(shared: Shared, teardown: Teardown) -> Orphans:
    """Make what GC needs as well as the timers."""
    settings, environment = shared.settings, shared.environment
    kept = KeptAddresses(HostLocalFiles(), DataDirs(settings.data_dirs))
    left = LeftByPowerCut(
        journal=shared.journal,
        kept=kept,
        used=shared.used_networks,
        live=environment.kernel.live,
        call_locks=shared.call_locks,
        clock=environment.clock,
        boot=environment.boot,
        marker=settings.state_dir / BOOT_MARKER,
        files=environment.files,
    )
    return Orphans(
        journal=shared.journal,
        addresses=environment.store.addresses,
        kept=kept,
        left=left,
        live=environment.kernel.live,
        shown=ShownAddresses(environment.store),
        teardown=teardown,
        kernel=environment.kernel.links,
        call_locks=shared.call_locks,
        clock=environment.clock,
        node=settings.node,
        metrics=environment.metrics,
        shares_addresses=settings.address_dir is not None,
        files=environment.files,
    )


def make_reconcile(
    shared: Shared, teardown: Teardown, orphans: Orphans, verbs: SandboxVerbs
) -> ReconcileParts:
    """Make all of it over one journal and one spool."""
    settings, environment = shared.settings, shared.environment
    journal, locks = shared.journal, shared.call_locks
    reconciler = Reconciler(
        journal=journal,
        teardown=teardown,
        call_locks=locks,
        reporter=shared.reporter,
        store=environment.store,
        clock=environment.clock,
    )
    spool = Spool(settings.state_dir / "spool", verbs, environment.clock)
    pending_removal = PendingRemoval(journal, teardown, locks, orphans)
    check = _make_check(shared)
    return ReconcileParts(
        reconciler,
        orphans,
        spool,
        StartupOrder(verbs, reconciler, spool),
        pending_removal,
        NodeDrain(
            journal,
            reconciler,
            spool,
            teardown,
            orphans=orphans,
            call_locks=locks,
            pending_removal=pending_removal,
        ),
        OwnAddresses(
            environment.kernel.own,
            environment.store,
            shared.reporter,
            environment.clock,
            settings.node,
        ),
        check,
        _make_report(shared, check, orphans),
        _make_adoption(shared),
    )


def _make_report(shared: Shared, check: AddressCheck, orphans: Orphans) -> AddressReport:
    store = shared.environment.store
    return AddressReport(
        check,
        orphans,
        shared.lost_records,
        in_use=shared.in_use,
        live=shared.environment.kernel.live,
        shown=ShownAddresses(store),
        store=store,
    )


def _make_adoption(shared: Shared) -> AddressAdoption:
    settings, environment = shared.settings, shared.environment
    return AddressAdoption(
        shared.in_use,
        shared.lost_records,
        KeptAddresses(HostLocalFiles(), DataDirs(settings.data_dirs)),
        results=settings.multus_cache.parent / "results",
        foreign=environment.foreign,
        store=environment.store,
        node=settings.node,
        files=environment.files,
    )


def _make_check(shared: Shared) -> AddressCheck:
    environment, journal = shared.environment, shared.journal
    return AddressCheck(
        journal=journal,
        store=environment.store,
        allocations=LostAllocations(
            journal,
            HostLocalFiles(),
            shared.used_networks,
            shared.call_locks,
            environment.files,
        ),
        call_locks=shared.call_locks,
        reporter=shared.reporter,
        clock=environment.clock,
        metrics=environment.metrics,
        node=shared.settings.node,
    )
