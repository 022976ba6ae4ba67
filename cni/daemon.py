"""The composition of the daemon: all collaborators are made here, or in `carriers` and `ways`.

Invariant: the socket appears as soon as store and journal were read, whatever hangs: cut-off calls
are undone and spooled DELs carried out behind it, each before the next call of the same sandbox;
at the end calls drain first, then events are flushed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from cni.carriers import make_carriers
from cni.chain import Chains
from cni.check import Checker
from cni.collecting import Collecting
from cni.conflist import ConflistKeeper
from cni.default_network import ConfDir
from cni.gate import Gate
from cni.gc import Collector
from cni.ground import ground_of
from cni.hotplug import Hotplug
from cni.inherited import Inheritance
from cni.journal import Journal
from cni.leave import CALL_SECONDS
from cni.measuring import HANGING_SECONDS, count_calls, show_state
from cni.networks import Networks
from cni.orphan_search import orphans_of
from cni.plan import Planner
from cni.pods import Pods
from cni.programs import Programs
from cni.recovery import Recovery
from cni.report import Reporter
from cni.retire import Retirement
from cni.runtime import Runtime
from cni.sandbox import KernelSandboxes
from cni.serving.server import Server
from cni.serving.spool import Spool
from cni.settings import Settings
from cni.settling import Settling
from cni.strangers import Strangers
from cni.synced import until_synced
from cni.ways import make_ways
from cni.world import World
from planes.model.errors import PlanesError
from planes.run.crew import told
from planes.run.metrics import Metrics, serve
from planes.run.supervise import Service, Supervisor

DRAIN_SECONDS: Final = 30.0


class Daemon:
    """One node's runtime, from its settings and the world it stands on.

    Args:
        settings: its settings.
        world: what it stands on.
        on_stop: told when it begins to end.
    """

    def __init__(
        self, settings: Settings, world: World, on_stop: Callable[[], None] = lambda: None
    ) -> None:
        self._settings = settings
        self._world = world
        self._metrics = Metrics()
        world.measure(self._metrics)
        self._journal = Journal(settings.state_dir / "journal", world.files, boot=world.boot)
        self._gate = Gate(settings.max_in_flight)
        self._programs = Programs(world.clock, self._gate.step_aside)
        self._collecting = Collecting()
        self._reporter = Reporter(world.store)
        self._sandboxes = KernelSandboxes(world.kernel)
        carriers = make_carriers(settings, world, self._programs)
        conf_dir = ConfDir(settings.cni_conf_dir, world.clock, settings.host_root)
        self._conflist = self._keeper(conf_dir)
        self._networks = Networks(world.store, conf_dir, is_standalone=settings.is_standalone)
        self._leaver, self._attacher = make_ways(
            world=world,
            chains=carriers.chains,
            journal=self._journal,
            sandboxes=self._sandboxes,
            reporter=self._reporter,
            collecting=self._collecting,
            call_seconds=min(CALL_SECONDS, settings.call_deadline / 2),
        )
        self._ground = ground_of(self._networks, world, settings.host_root)
        self._planner = Planner(
            self._networks,
            carriers.plugins,
            carriers.ipams.handles,
            self._sandboxes,
            settings.node,
        )
        self._pods = Pods(world.store, is_standalone=settings.is_standalone, node=settings.node)
        self._orphans = orphans_of(settings, world, self._journal, self._leaver, self._gate)
        self.runtime = self._runtime(carriers.chains)
        self._recovery = self._recovering()
        self._spool = Spool(settings.state_dir / "spool", self.runtime, world.clock)
        self._settling = Settling(self.runtime, self._recovery, self._spool)
        show_state(self._metrics, self._journal, self._programs, world.stuck)
        self._server = self._make_server()
        self.retirement = self._retiring()
        self._is_open = asyncio.Event()
        self._supervisor = Supervisor(
            self._services(), drain_seconds=DRAIN_SECONDS + 7, on_stop=on_stop
        )
        self._fault: PlanesError | None = None

    def _retiring(self) -> Retirement:
        return Retirement(
            self._journal,
            self._recovery,
            self._spool,
            self._leaver,
            orphans=self._orphans,
            gate=self._gate,
        )

    def _recovering(self) -> Recovery:
        return Recovery(
            journal=self._journal,
            leaver=self._leaver,
            gate=self._gate,
            reporter=self._reporter,
            store=self._world.store,
            clock=self._world.clock,
        )

    def _keeper(self, conf_dir: ConfDir) -> ConflistKeeper | None:
        """Give who keeps our file in the conf dir; on one machine its owner writes netconfs."""
        if self._settings.is_standalone:
            return None
        return ConflistKeeper(
            self._settings.cni_conf_dir,
            conf_dir,
            self._world.clock,
            self._metrics,
            replaces_multus=self._settings.replace_multus,
        )

    def _unready(self) -> str:
        """Give why a pod could start without its planes, or not at all; "" where all is well.

        An API server that is away later on is no reason: what was watched is still known, and a
        daemon that is not ready helps nobody to reach it.
        """
        if not self._is_open.is_set():
            return "starting" if self._world.store.is_synced else "planes and pods are not read yet"
        hanging = told(self._world.stuck(HANGING_SECONDS))
        return hanging or (self._conflist.unready() if self._conflist is not None else "")

    def _make_server(self) -> Server:
        settings, world = self._settings, self._world
        return Server(
            self._settling,
            settings.socket,
            world.clock,
            readiness=self._unready,
            metrics=self._metrics.render,
            delegates=self._hotplug(),
            observe=count_calls(self._metrics),
            deadline=settings.call_deadline,
            drain=DRAIN_SECONDS,
            halt=world.halt,
        )

    def _hotplug(self) -> Hotplug:
        return Hotplug(
            store=self._world.store,
            ground=self._ground,
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
            ground=self._ground,
            gate=self._gate,
            pods=self._pods,
            planner=self._planner,
            attacher=self._attacher,
            leaver=self._leaver,
            journal=self._journal,
            inheritance=Inheritance(
                self._settings.multus_cache, self._journal, self._settings.node
            ),
            strangers=Strangers(
                self._networks, self._settings.node, is_standalone=self._settings.is_standalone
            ),
            checker=Checker(chains, self._networks, self._sandboxes, world.store),
            collector=Collector(
                journal=self._journal,
                leaver=self._leaver,
                networks=self._networks,
                chains=chains,
                gate=self._gate,
                collecting=self._collecting,
            ),
            orphans=self._orphans,
            reporter=self._reporter,
            cni_path=self._settings.cni_bin_dir,
            probe=world.probe,
        )

    def _services(self) -> Mapping[str, Service]:
        """Name the services in order of start; they are stopped last first."""
        services: dict[str, Service] = {
            **self._world.services,
            "store": self._world.store.run,
            "events": self._reporter.run,
            "settling": self._when_open(self._settling.run),
            "recovery": self._when_open(self._recovery.run),
            "orphans": self._when_open(self._orphans.run),
            "spool": self._when_open(self._spool.run),
        }
        if self._settings.metrics is not None:
            host, port = self._settings.metrics
            services["metrics"] = self._guarded(
                lambda: serve(self._metrics, host, port, unready=self._unready)
            )
        services["server"] = self._guarded(self._serve)
        if self._conflist is not None:
            services["config"] = self._when_open(self._conflist.run)
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
        await until_synced(self._world.store, self._world.clock)
        await self._journal.open()
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
