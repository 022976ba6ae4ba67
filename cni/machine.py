"""What the daemon stands on in production: this machine, and the cluster or directory around it.

Invariant: the Kubernetes adapter is imported on a cluster only; a single machine never loads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from cni.contain import Containment, owner_of, unfinished_of
from cni.net.kernel import Kernel
from cni.probe import Silent
from cni.settings import PROG, Settings
from cni.system import SystemExec
from cni.world import World
from planes.run.clock import Clock, SystemClock
from planes.run.crew import Stuck
from planes.run.heap import settle_heap
from planes.run.threads import Threads
from planes.store.directory import DirStore

# A DEL waits 5 to 20 ms for the kernel's grace period, and many can wait at the same time.
KERNEL_THREADS: Final = 32
# The event loop's own: what asyncio.to_thread is given, and the name service.
LOOP_THREADS: Final = 8
# Journal, status, address files: short, and more threads would only contend for the interpreter.
FILE_THREADS: Final = 3
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def machine(settings: Settings, env: Mapping[str, str]) -> World:
    """Make the world of production: this machine's kernel, programs, clock and files.

    Raises:
        PlanesError: the API server's address or our credentials cannot be read.
    """
    if settings.standalone is None:
        return _on_cluster(settings, env)
    return _alone(settings, settings.standalone, env)


def _alone(settings: Settings, manifests: Path, env: Mapping[str, str]) -> World:
    clock = SystemClock()
    files = Threads(FILE_THREADS, "files")
    store = DirStore(
        manifests,
        settings.state_dir,
        clock=clock,
        node=settings.node,
        addresses_dir=settings.address_dir,
        executor=files,
        namespace_isolation=settings.namespace_isolation,
        global_namespaces=settings.global_namespaces,
        nad_policy=settings.nad_policy,
    )
    system, kernel = _programs(settings, env, clock), Kernel(threads=KERNEL_THREADS)
    return World(
        store,
        kernel,
        system,
        clock,
        Silent(),
        files,
        boot=boot_id(),
        halt=system.halt,
        stuck=_stuck(kernel, files),
    )


def boot_id() -> str:
    """Give what tells this start of the machine from all others; "" where the kernel does not."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _on_cluster(settings: Settings, env: Mapping[str, str]) -> World:
    # A machine without a cluster need not pay for these in memory.
    from planes.kube.access import connect  # noqa: PLC0415
    from planes.kube.address_book import KubeAddressBook  # noqa: PLC0415
    from planes.kube.store import KubeStore  # noqa: PLC0415

    clock = SystemClock()
    files = Threads(FILE_THREADS, "files")
    agent = f"{PROG}/{version('netplane')}"
    client = connect(settings.kubeconfig, user_agent=agent, env=env, clock=clock)
    book = KubeAddressBook(client, settings.node, settings.state_dir, clock, executor=files)
    store = KubeStore.for_node(
        client,
        settings.node,
        clock=clock,
        addresses=book,
        namespace_isolation=settings.namespace_isolation,
        global_namespaces=settings.global_namespaces,
        nad_policy=settings.nad_policy,
    )
    system, kernel = _programs(settings, env, clock), Kernel(threads=KERNEL_THREADS)
    return World(
        store,
        kernel,
        system,
        clock,
        Silent(),
        files,
        boot=boot_id(),
        services={
            "addresses": book.run,
            "heap": lambda: settle_heap(lambda: store.is_synced, clock),
        },
        measure=store.measure,
        close=client.close,
        halt=system.halt,
        stuck=_stuck(kernel, files),
    )


def _stuck(kernel: Kernel, files: Threads) -> Callable[[float], list[Stuck]]:
    """Make the event loop's own threads ones that may hang, too; give who tells of all."""
    own = Threads(LOOP_THREADS, "loop")
    asyncio.get_running_loop().set_default_executor(own)

    def stuck(seconds: float) -> list[Stuck]:
        return [one for pool in (kernel, files, own) for one in pool.stuck(seconds)]

    return stuck


def _programs(settings: Settings, env: Mapping[str, str], clock: Clock) -> SystemExec:
    owner = owner_of(settings.state_dir)
    unfinished = unfinished_of(settings.state_dir) if settings.is_standalone else None
    containment = Containment(owner, unfinished)
    return SystemExec(env, clock, settings.host_root, containment)
