"""What the daemon depends on: kernel, plugin binaries, clock, files, and the store.

`machine` makes the real one; tests make theirs from fakes.

Invariant: the Kubernetes adapter is imported on a cluster only; a single machine never loads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from cni.attaching.detacher import LinkRemover
from cni.host.containment import Containment, owner_of, unfinished_of
from cni.host.data_dirs import DataDirs
from cni.host.exec import Exec, SystemExec
from cni.host.listening_sockets import ListeningSockets, ProcListeningSockets
from cni.ipam.ipams import Ipams, PluginLookup
from cni.native.device_records import DEVICE_RECORDS
from cni.native.engine import KernelJobs
from cni.native.registry import native_plugins
from cni.net.idle_bridges import HostBridges, KernelBridges
from cni.net.kernel import Kernel
from cni.net.live_addresses import Live, LiveKernel
from cni.net.sandboxes import KernelSandboxes, Sandboxes
from cni.planning.node_wires import Host, KernelHost
from cni.plugins.plugin import NativePlugins
from cni.plugins.probe import NoProbe, Probe
from cni.reconcile.own_addresses import KernelOwnHost, OwnHost
from cni.settings import PROG, Settings
from planes.model.decide.adoption import Fact
from planes.model.events import Event
from planes.model.spec.plane_spec import Plane
from planes.run.clock import Clock, SystemClock
from planes.run.gc_freeze import freeze_while_loading
from planes.run.metrics import Metrics
from planes.run.service_manager import ServiceManager, service_manager
from planes.run.supervise import Service
from planes.run.thread_pool import ThreadPool
from planes.run.worker_threads import StuckThread
from planes.store.directory import DirStore
from planes.store.protocol import Store

# A DEL waits 5 to 20 ms for the kernel's grace period, and many can wait at the same time.
KERNEL_THREADS: Final = 32
# Of the event loop: for asyncio.to_thread and the name service.
LOOP_THREADS: Final = 8
# Journal, status, address files: short, and more threads would only contend for the interpreter.
FILE_THREADS: Final = 3
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

NativeTypes = Callable[[Ipams, PluginLookup], NativePlugins]


@dataclass(frozen=True, slots=True)
class NodeKernel:
    """The kernel of the node, one protocol for each use.

    Attributes:
        sandboxes: surveys network namespaces and sets their default routes.
        links: removes links of a network namespace.
        jobs: carries out steps of native plugins.
        live: reads the addresses of all network namespaces.
        host: reads the links of the host.
        own: reads the addresses of the host.
        bridges: marks and removes bridges of the host.
        native: returns the native plugin types, by name.
        close: ends the threads; blocks for so many seconds at most.
    """

    sandboxes: Sandboxes
    links: LinkRemover
    jobs: KernelJobs
    live: Live
    host: Host
    own: OwnHost
    bridges: HostBridges
    native: NativeTypes
    close: Callable[[float], None] = lambda _seconds: None


async def _nothing_open() -> None:
    return None


async def _no_facts() -> Sequence[Fact]:
    return ()


@dataclass(frozen=True, slots=True)
class Environment:
    """What the daemon depends on.

    Attributes:
        system: runs plugin binaries.
        probe: is called at the steps of a call; tests interrupt calls there.
        files: threads for short work on files; None = those of the event loop.
        listeners: finds the sockets that listen on the node.
        boot: the boot ID of the machine; "" where it is not known.
        services: run beside the store for as long as the daemon does, by name.
        metrics: has the metrics of these parts, and those of the daemon.
        halt: kills all plugin binaries and refuses new ones: the deadline of the drain is over.
        retire: gives back to the cluster what this node has of planes and does not use.
        publish: writes this node's report on its planes; None: there is nowhere to write it.
        foreign: reads which addresses other IPAMs of the cluster gave to pods of this node.
        manager: the service manager, which is told how the daemon does.
        stuck: lists the threads that have been at one job for so many seconds.
        close: closes the connections; called last.
    """

    store: Store
    kernel: NodeKernel
    system: Exec
    clock: Clock
    probe: Probe
    files: Executor | None = None
    listeners: ListeningSockets = field(default_factory=ProcListeningSockets)
    boot: str = ""
    services: Mapping[str, Service] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    halt: Callable[[], None] = lambda: None
    retire: Callable[[], Awaitable[None]] = _nothing_open
    publish: Callable[[str], Awaitable[None]] | None = None
    foreign: Callable[[], Awaitable[Sequence[Fact]]] = _no_facts
    manager: ServiceManager = field(default_factory=ServiceManager)
    stuck: Callable[[float], list[StuckThread]] = lambda _seconds: []
    close: Callable[[], Awaitable[None]] = _nothing_open


def machine(settings: Settings, env: Mapping[str, str]) -> Environment:
    """Return the environment of production: this machine's kernel, binaries, clock and files.

    Raises:
        PlanesError: the API server's address or our credentials cannot be read.
    """
    clock, metrics = SystemClock(), Metrics()
    files = ThreadPool(FILE_THREADS, "files")
    if settings.standalone is None:
        backend = _cluster(settings, env, clock, metrics, files)
    else:
        backend = _manifests(settings, settings.standalone, clock, files)
    system, kernel = _system_exec(settings, env, clock), Kernel(threads=KERNEL_THREADS)
    return Environment(
        backend.store,
        node_kernel(kernel, settings, clock),
        system,
        clock,
        NoProbe(),
        files,
        boot=boot_id(),
        services=backend.services,
        metrics=metrics,
        halt=system.halt,
        retire=backend.retire,
        publish=backend.publish,
        foreign=backend.foreign,
        manager=service_manager(env),
        stuck=_stuck(kernel, files),
        close=backend.close,
    )


def node_kernel(kernel: Kernel, settings: Settings, clock: Clock) -> NodeKernel:
    """Return all uses of one `Kernel`."""
    return NodeKernel(
        sandboxes=KernelSandboxes(kernel, clock, settings.host_root),
        links=kernel,
        jobs=kernel,
        live=LiveKernel(kernel),
        host=KernelHost(kernel, clock, settings.host_root),
        own=KernelOwnHost(kernel),
        bridges=KernelBridges(kernel),
        native=partial(
            native_plugins,
            kernel,
            disabled=settings.not_native,
            dirs=DataDirs(settings.data_dirs),
            root=settings.host_root,
            records=settings.state_dir / DEVICE_RECORDS,
        ),
        close=kernel.close,
    )


def boot_id() -> str:
    """Return the boot ID of the machine; "" where the kernel has none."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


@dataclass(frozen=True, slots=True)
class _Backend:
    """A store and what belongs to it; see the attributes of `Environment`."""

    store: Store
    services: Mapping[str, Service] = field(default_factory=dict)
    retire: Callable[[], Awaitable[None]] = _nothing_open
    publish: Callable[[str], Awaitable[None]] | None = None
    foreign: Callable[[], Awaitable[Sequence[Fact]]] = _no_facts
    close: Callable[[], Awaitable[None]] = _nothing_open


def _manifests(settings: Settings, directory: Path, clock: Clock, files: Executor) -> _Backend:
    return _Backend(
        DirStore(
            directory,
            settings.state_dir,
            clock=clock,
            node=settings.node,
            addresses_dir=settings.address_dir,
            executor=files,
            namespace_isolation=settings.namespace_isolation,
            global_namespaces=settings.global_namespaces,
            nad_policy=settings.nad_policy,
        )
    )


def _cluster(
    settings: Settings, env: Mapping[str, str], clock: Clock, metrics: Metrics, files: Executor
) -> _Backend:
    # A machine without a cluster need not pay for these in memory.
    from planes.kube.addresses.address_book import KubeAddressBook  # noqa: PLC0415
    from planes.kube.client.access import connect  # noqa: PLC0415
    from planes.kube.store.foreign_addresses import ForeignAddresses  # noqa: PLC0415
    from planes.kube.store.health_writer import HealthWriter  # noqa: PLC0415
    from planes.kube.store.store import KubeStore  # noqa: PLC0415

    agent = f"{PROG}/{version('netplane')}"
    client = connect(settings.kubeconfig, user_agent=agent, env=env, clock=clock)

    def plane_of(name: str) -> Plane | None:
        return store.catalog.plane(name)

    async def emit(event: Event) -> None:
        await store.emit(event)

    book = KubeAddressBook(
        client,
        settings.node,
        settings.state_dir,
        clock,
        executor=files,
        plane_of=plane_of,
        emit=emit,
    )
    store = KubeStore.for_node(
        client,
        settings.node,
        clock=clock,
        metrics=metrics,
        addresses=book,
        namespace_isolation=settings.namespace_isolation,
        global_namespaces=settings.global_namespaces,
        nad_policy=settings.nad_policy,
    )
    return _Backend(
        store,
        services={
            "addresses": book.run,
            "heap": lambda: freeze_while_loading(lambda: store.is_synced, clock),
        },
        retire=book.retire,
        publish=HealthWriter(client, settings.pod).put if settings.pod else None,
        foreign=ForeignAddresses(client, settings.node).facts,
        close=client.close,
    )


def _stuck(kernel: Kernel, files: ThreadPool) -> Callable[[float], list[StuckThread]]:
    """Replace the threads of the event loop by ones that are watched, too."""
    loop_threads = ThreadPool(LOOP_THREADS, "loop")
    asyncio.get_running_loop().set_default_executor(loop_threads)

    def stuck(seconds: float) -> list[StuckThread]:
        return [one for pool in (kernel, files, loop_threads) for one in pool.stuck(seconds)]

    return stuck


def _system_exec(settings: Settings, env: Mapping[str, str], clock: Clock) -> SystemExec:
    owner = owner_of(settings.state_dir)
    unfinished = unfinished_of(settings.state_dir) if settings.is_standalone else None
    return SystemExec(env, clock, settings.host_root, Containment(owner, unfinished))
