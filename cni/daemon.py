"""The composition of the daemon: every collaborator is made here, and nowhere else.

Invariant: the socket appears only when the store was read, cut-off calls are undone and spooled
DELs replayed; at the end calls drain first, then events are flushed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.attach import Attacher
from cni.chain import Chains, Plugins
from cni.check import Checker
from cni.default_network import ConfDir
from cni.delegate import ExecPlugin
from cni.detach import Detacher
from cni.gate import Gate
from cni.gc import Collector
from cni.hotplug import Hotplug
from cni.inherited import Inheritance
from cni.ipam.ipams import Ipams
from cni.journal import Journal
from cni.leave import Leaver
from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.networks import Networks
from cni.plan import Planner
from cni.pods import Pods
from cni.probe import Probe
from cni.recovery import Recovery
from cni.report import Reporter
from cni.runtime import Runtime
from cni.sandbox import KernelSandboxes
from cni.serving.server import Server
from cni.serving.spool import Spool, SpoolFirst
from cni.settings import Settings
from cni.system import Exec
from planes.model.errors import PlanesError, Unavailable
from planes.run.clock import Clock
from planes.run.metrics import Metrics, serve
from planes.run.supervise import Service, Supervisor
from planes.store.protocol import Store

_LOOK_SECONDS: Final = 0.01
DRAIN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class World:
    """What the daemon stands on; tests put in what they watch.

    Attributes:
        files: threads for short work on files; None = the event loop's own.
    """

    store: Store
    kernel: Kernel
    system: Exec
    clock: Clock
    probe: Probe
    files: Executor | None = None


class Daemon:
    """One node's runtime, from its settings and the world it stands on."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings = settings
        self._world = world
        self._metrics = Metrics()
        self._journal = Journal(settings.state_dir / "journal", world.files)
        self._gate = Gate(settings.max_in_flight)
        self._reporter = Reporter(world.store)
        self._sandboxes = KernelSandboxes(world.kernel)
        chains, ipams = self._chains()
        self._networks = Networks(
            world.store, ConfDir(settings.cni_conf_dir, world.clock), is_standalone=True
        )
        self._leaver = Leaver(
            Detacher(chains, world.kernel, world.probe, world.files),
            self._journal,
            self._sandboxes,
            self._reporter,
        )
        self._attacher = Attacher(chains, self._leaver, self._journal, self._sandboxes, world.probe)
        self._planner = Planner(
            self._networks, self._plugins, ipams.handles, self._sandboxes, settings.node
        )
        self._pods = Pods(world.store, is_standalone=True)
        self.runtime = self._runtime(chains)
        self._recovery = Recovery(
            journal=self._journal,
            leaver=self._leaver,
            gate=self._gate,
            reporter=self._reporter,
            store=world.store,
            clock=world.clock,
        )
        self._spool = Spool(settings.state_dir / "spool", self.runtime, world.clock)
        self._server = Server(
            SpoolFirst(self.runtime, self._spool),
            settings.socket,
            world.clock,
            metrics=self._metrics.render,
            delegates=self._hotplug(),
            observe=self._observer(),
            deadline=settings.call_deadline,
            drain=DRAIN_SECONDS,
        )
        self._is_open = asyncio.Event()
        self._supervisor = Supervisor(self._services(), drain_seconds=DRAIN_SECONDS + 5)
        self._fault: PlanesError | None = None

    def _chains(self) -> tuple[Chains, Ipams]:
        world, settings = self._world, self._settings

        def binary(kind: str) -> ExecPlugin:
            return ExecPlugin(world.system, kind, settings.plugin_deadline)

        ipams = Ipams(
            world.store.addresses,
            lambda: world.store.catalog,
            binary,
            disabled=settings.not_native,
        )
        native = native_plugins(world.kernel, ipams, binary, disabled=settings.not_native)
        self._plugins = Plugins(native, world.system, settings.plugin_deadline)
        return Chains(self._plugins, ipams, world.probe), ipams

    def _hotplug(self) -> Hotplug:
        return Hotplug(
            runtime=self.runtime,
            planner=self._planner,
            attacher=self._attacher,
            gate=self._gate,
            journal=self._journal,
            pods=self._pods,
            cni_path=self._settings.cni_bin_dir,
        )

    def _runtime(self, chains: Chains) -> Runtime:
        world = self._world
        return Runtime(
            store=world.store,
            gate=self._gate,
            pods=self._pods,
            planner=self._planner,
            attacher=self._attacher,
            leaver=self._leaver,
            journal=self._journal,
            inheritance=Inheritance(
                self._settings.multus_cache, self._journal, self._settings.node
            ),
            checker=Checker(chains, self._networks, self._sandboxes, world.store),
            collector=Collector(self._journal, self._leaver, self._networks, chains),
            kernel=world.kernel,
            reporter=self._reporter,
            cni_path=self._settings.cni_bin_dir,
            probe=world.probe,
        )

    def _observer(self) -> Callable[[str, int, float], None]:
        """Count calls and measure them; watch the journal's length."""
        labels = ("verb", "code")
        calls = self._metrics.counter("calls", "CNI calls by verb and error code (0: none)", labels)
        seconds = self._metrics.seconds("call", "how long CNI calls took", ("verb",))
        entries = self._metrics.gauge("journal_entries", "calls the journal remembers")
        entries.set_function(lambda: len(self._journal))

        def observe(verb: str, code: int, duration: float) -> None:
            calls.labels(verb, str(code)).inc()
            seconds.labels(verb).observe(duration)

        return observe

    def _services(self) -> Mapping[str, Service]:
        """Name the services in order of start; they are stopped last first."""
        services: dict[str, Service] = {
            "store": self._world.store.run,
            "events": self._reporter.run,
            "recovery": self._when_open(self._recovery.run),
            "spool": self._when_open(self._spool.run),
        }
        if self._settings.metrics is not None:
            host, port = self._settings.metrics
            services["metrics"] = self._guarded(lambda: serve(self._metrics, host, port))
        services["server"] = self._guarded(self._serve)
        return services

    def _when_open(self, service: Service) -> Service:
        async def run() -> None:
            await self._is_open.wait()
            await service()

        return run

    def _guarded(self, service: Service) -> Service:
        """Turn an expected fault into the reason the daemon ends with, told in one line."""

        async def run() -> None:
            try:
                await service()
            except PlanesError as error:
                self._fault = error
                self._supervisor.stop()

        return run

    async def _serve(self) -> None:
        while not self._world.store.is_synced:
            await self._world.clock.sleep(_LOOK_SECONDS)
        await self._journal.open()
        await self._recovery.start()
        await self._spool.replay()
        await self._server.run(self._is_open)

    async def run(self) -> int:
        """Serve until a signal; the exit status.

        Raises:
            PlanesError: the daemon could not serve.
        """
        status = await self._supervisor.run()
        if self._fault is not None:
            raise self._fault
        return status


def hold_state(directory: Path) -> int:
    """Make the state directory and hold it for this process; the descriptor that holds it.

    Raises:
        Unavailable: it cannot be made, or another daemon holds it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(
            directory / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise Unavailable(
            f"cannot use the state directory {directory}: {error.strerror or error}",
            remedy="run as root, or choose another --state-dir",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Unavailable(
            f"cannot use the state directory {directory}: another daemon uses it",
            remedy="stop it, or choose another --state-dir",
        ) from error
    return descriptor
