"""The CNI verbs, and Multus' /delegate."""

from __future__ import annotations

from dataclasses import dataclass

from cni.composition.attaching import AttachingParts
from cni.composition.confdir import ConfDirParts
from cni.composition.plugins import PluginParts
from cni.composition.shared import Shared
from cni.devices.kubelet import NodeKubelet
from cni.planning.devices import DevicePlanner
from cni.planning.node_wires import NodeWires
from cni.planning.planner import Planner
from cni.planning.pods import Pods
from cni.reconcile.orphans import Orphans
from cni.reconcile.unjournaled_records import UnjournaledRecords
from cni.takeover.multus import MultusSandboxes
from cni.takeover.unjournaled import UnjournaledSandboxes
from cni.verbs.add import AddHandler
from cni.verbs.check import CheckHandler
from cni.verbs.delete import DeleteHandler
from cni.verbs.gc import GcHandler
from cni.verbs.hotplug import Hotplug
from cni.verbs.plugin_path import PluginPath
from cni.verbs.runtime import Handler, Runtime
from cni.verbs.status import StatusHandler
from planes.model.wire.cniversion import Verb


@dataclass(frozen=True, slots=True)
class VerbParts:
    """What carries out calls.

    Attributes:
        runtime: the verbs of the CNI spec.
        hotplug: Multus' /delegate.
    """

    runtime: Runtime
    hotplug: Hotplug


@dataclass(frozen=True, slots=True)
class _Planning:
    wires: NodeWires
    pods: Pods
    planner: Planner


def make_verbs(
    shared: Shared,
    plugins: PluginParts,
    confdir: ConfDirParts,
    attaching: AttachingParts,
    orphans: Orphans,
) -> VerbParts:
    """Make both over one planner."""
    settings, environment = shared.settings, shared.environment
    planning = _planning(shared, plugins, confdir)
    path = PluginPath(confdir.followed, settings.cni_bin_dir)
    handlers: dict[Verb, Handler] = {
        Verb.ADD: _add(shared, planning, confdir, attaching, path),
        Verb.DEL: _delete(shared, confdir, attaching, orphans, path),
        Verb.CHECK: CheckHandler(
            shared.journal,
            _unjournaled(shared, confdir),
            plugins.chains,
            environment.kernel.sandboxes,
            path,
        ),
        Verb.GC: GcHandler(
            journal=shared.journal,
            teardown=attaching.teardown,
            networks=confdir.networks,
            chains=plugins.chains,
            call_locks=shared.call_locks,
            collecting=shared.collecting,
            path=path,
        ),
        Verb.STATUS: StatusHandler(
            plugins.chains, confdir.networks, environment.store, confdir.followed, path
        ),
    }
    runtime = Runtime(shared.call_locks, handlers)
    hotplug = Hotplug(
        store=environment.store,
        node_wires=planning.wires,
        runtime=runtime,
        planner=planning.planner,
        attacher=attaching.attacher,
        call_locks=shared.call_locks,
        journal=shared.journal,
        pods=planning.pods,
        path=path,
    )
    return VerbParts(runtime, hotplug)


def _add(
    shared: Shared,
    planning: _Planning,
    confdir: ConfDirParts,
    attaching: AttachingParts,
    path: PluginPath,
) -> AddHandler:
    return AddHandler(
        store=shared.environment.store,
        node_wires=planning.wires,
        pods=planning.pods,
        planner=planning.planner,
        attacher=attaching.attacher,
        teardown=attaching.teardown,
        journal=shared.journal,
        reporter=shared.reporter,
        followed=confdir.followed,
        path=path,
        probe=shared.environment.probe,
    )


def _delete(
    shared: Shared,
    confdir: ConfDirParts,
    attaching: AttachingParts,
    orphans: Orphans,
    path: PluginPath,
) -> DeleteHandler:
    settings = shared.settings
    multus = MultusSandboxes(settings.multus_cache, shared.journal, settings.node, confdir.followed)
    return DeleteHandler(
        shared.journal,
        attaching.teardown,
        orphans,
        multus,
        _unjournaled(shared, confdir),
        records=UnjournaledRecords(
            shared.journal,
            shared.addresses,
            shared.environment.kernel.live,
            shared.environment.kernel.links,
            is_standalone=settings.is_standalone,
        ),
        path=path,
    )


def _unjournaled(shared: Shared, confdir: ConfDirParts) -> UnjournaledSandboxes:
    settings = shared.settings
    return UnjournaledSandboxes(
        confdir.networks, settings.node, is_standalone=settings.is_standalone
    )


def _planning(shared: Shared, plugins: PluginParts, confdir: ConfDirParts) -> _Planning:
    settings, environment = shared.settings, shared.environment
    devices = DevicePlanner(
        NodeKubelet(settings.kubelet_dir, settings.host_root, environment.files),
        environment.store.claimed_devices,
        shared.journal,
        shared.device_info,
    )
    return _Planning(
        NodeWires(confdir.networks, environment.kernel.host),
        Pods(environment.store, is_standalone=settings.is_standalone, node=settings.node),
        Planner(
            confdir.networks,
            plugins.plugins,
            plugins.ipams.handles,
            environment.kernel.sandboxes,
            settings.node,
            devices=devices,
            health=shared.health,
        ),
    )
