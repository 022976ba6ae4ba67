"""The order of a daemon's run: what starts when, when the socket appears, drain and stop.

Invariant: the socket appears as soon as store and journal were read, whatever hangs. Cut-off calls
are undone and spooled DELs carried out after that, each before the next call of the same sandbox.
At the end calls drain first, then events are flushed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from cni.composition.first_state import until_synced
from cni.composition.metrics import HANGING_SECONDS, count_calls, show_pending, show_state
from cni.composition.parts import compose
from cni.environment import Environment
from cni.host.state_lock import watch_state_dir
from cni.journal.pending import readiness_note
from cni.reconcile.address_report import CHECK_ADDRESSES
from cni.reconcile.adoption import ADOPT
from cni.serving.server import Server
from cni.settings import Settings
from planes.model.errors import PlanesError
from planes.run.metrics import serve
from planes.run.supervise import Service, Supervisor
from planes.run.worker_threads import describe_stuck

DRAIN_SECONDS: Final = 30.0
_ALL_SECONDS: Final = DRAIN_SECONDS + 7  # calls, and what is stopped after them


class Daemon:
    """One node's runtime.

    Args:
        lock: of the state directory.
        on_stop: called when it begins to stop.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        lock: int,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._lock = lock
        self._settings = settings
        self._environment = environment
        self._metrics = environment.metrics
        self._parts = compose(settings, environment)
        self._show()
        self._server = self._make_server()
        self._is_open = asyncio.Event()
        self._parts.shared.health.tell_readiness(
            lambda: self._unready() if self._is_open.is_set() else ""
        )
        self._on_stop = on_stop
        self._supervisor = Supervisor(
            self._services(), drain_seconds=_ALL_SECONDS, on_stop=self._begin_to_stop
        )
        self._fault: PlanesError | None = None

    async def run(self) -> int:
        """Serve until a signal; the exit status.

        Raises:
            PlanesError: the daemon could not serve.
        """
        status = await self._supervisor.run()
        if self._fault is not None:
            raise self._fault
        return status

    def _show(self) -> None:
        shared, environment = self._parts.shared, self._environment
        show_state(
            self._metrics, shared.journal, shared.plugin_turns, environment.stuck, self._unready
        )
        show_pending(self._metrics, shared.journal, environment.clock)

    def _make_server(self) -> Server:
        settings, parts = self._settings, self._parts
        return Server(
            parts.reconcile.startup,
            settings.socket,
            self._environment.clock,
            readiness=self._unready,
            metrics=self._metrics.render,
            delegates=parts.verbs.hotplug,
            observe=count_calls(self._metrics),
            deadline=settings.call_deadline,
            drain=DRAIN_SECONDS,
            halt=self._environment.halt,
            notes=lambda: readiness_note(parts.shared.journal),
            forget=parts.reconcile.pending_removal.forget,
            commands={
                CHECK_ADDRESSES: parts.reconcile.report.answer,
                ADOPT: parts.reconcile.adoption.answer,
            },
        )

    def _services(self) -> Mapping[str, Service]:
        """Name the services in order of start; they are stopped last first."""
        environment, shared = self._environment, self._parts.shared
        confdir, reconcile = self._parts.confdir, self._parts.reconcile
        services: dict[str, Service] = {
            "service manager": lambda: environment.manager.run(
                environment.clock, is_serving=self._is_open.is_set, status=self._status
            ),
            **environment.services,
            "store": environment.store.run,
            "events": shared.reporter.run,
            "health": shared.health.run,
            "settling": self._when_open(reconcile.startup.run),
            "recovery": self._when_open(reconcile.reconciler.run),
            "lost records": self._when_open(shared.lost_records.run),
            "orphans": self._when_open(reconcile.orphans.run),
            "address check": self._when_open(reconcile.address_check.run),
            "spool": self._when_open(reconcile.spool.run),
            "multus": self._when_open(confdir.notice.run),
            "own addresses": self._when_open(reconcile.own_addresses.run),
        }
        if self._settings.metrics is not None:
            host, port = self._settings.metrics
            services["metrics"] = self._guarded(
                lambda: serve(self._metrics, host, port, unready=self._unready)
            )
        services["state directory"] = self._guarded(
            lambda: watch_state_dir(self._settings.state_dir, self._lock, environment.clock)
        )
        services["server"] = self._guarded(self._serve)
        if confdir.keeper is not None:
            services["config"] = self._when_open(confdir.keeper.run)
        return services

    async def _serve(self) -> None:
        await until_synced(self._environment.store, self._environment.clock)
        await self._parts.shared.journal.open()
        await self._server.run(self._is_open)

    def _when_open(self, service: Service) -> Service:
        async def run() -> None:
            await self._is_open.wait()
            await service()

        return run

    def _guarded(self, service: Service) -> Service:
        """Stop the daemon with an expected error as its reason, printed in one line."""

        async def run() -> None:
            try:
                await service()
            except PlanesError as error:
                self._fault = error
                self._supervisor.stop()

        return run

    def _begin_to_stop(self) -> None:
        self._environment.manager.stopping("finishing the calls in flight")
        self._parts.confdir.followed.stop_waiting()
        self._on_stop()

    def _status(self) -> str:
        if reason := self._unready():
            return reason
        note = readiness_note(self._parts.shared.journal)
        return f"serving; {note}" if note else "serving"

    def _unready(self) -> str:
        """Return why a pod could start without its planes, or not at all; "" where all is well.

        An API server that is away later on is no reason: what was watched is still known, and a
        daemon that is not ready helps nobody to reach it.
        """
        if not self._is_open.is_set():
            is_synced = self._environment.store.is_synced
            return "starting" if is_synced else "planes and pods are not read yet"
        hanging = describe_stuck(self._environment.stuck(HANGING_SECONDS))
        keeper = self._parts.confdir.keeper
        return hanging or (keeper.unready() if keeper is not None else "")
