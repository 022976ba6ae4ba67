"""What every webhook consists of, whatever it decides by: reviews, their listener, metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from certs.serving import RotatingContext
from planes.run import metrics as exposition
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.run.supervise import Service
from planes.store.protocol import Store
from webhook.app import JUDGES, App
from webhook.clients import ClientAuthority
from webhook.limits import Limits
from webhook.metrics import ReviewMetrics
from webhook.patience import Patience
from webhook.reporting import Reporter
from webhook.server import Server
from webhook.settings import Settings


class Assembly:
    """A listener over a store, and the services around it.

    Args:
        unready: says why reviews must not be asked for now.
        is_patient: wait for a watch that is behind what the API server asks about.

    Raises:
        BadInput: the file of `--client-ca` holds no authority.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        context: RotatingContext,
        *,
        metrics: Metrics,
        clock: Clock,
        unready: Callable[[], Sequence[str]],
        is_patient: bool = False,
    ) -> None:
        self._settings = settings
        self._clients = None
        if settings.client_ca is not None:
            self._clients = ClientAuthority(settings.client_ca, context, clock)
            self._clients.look()
        self._metrics = metrics
        self._limits = limits = Limits()
        reviews = ReviewMetrics(metrics, JUDGES)
        self._app = App(
            store,
            metrics=reviews,
            limits=limits,
            reporter=Reporter(clock),
            unready=unready,
            patience=Patience(store, clock) if is_patient else None,
            clock=clock,
        )
        self._server = Server(
            self._app.handle,
            drain=self._app.drain,
            context=context.listener,
            limits=limits,
            metrics=reviews,
            grace_seconds=settings.drain_grace,
        )

    @property
    def drain_seconds(self) -> float:
        """How long the listener may take to come to its end."""
        return self._settings.drain_grace + self._limits.body_seconds + 2

    async def listen(self) -> None:
        """Take connections from now on.

        Raises:
            Unavailable: the address cannot be listened on.
        """
        await self._server.start(*self._settings.listen)

    def services(self) -> dict[str, Service]:
        """Give what has to run: the listener last, so that it ends first."""
        services: dict[str, Service] = {}
        if self._settings.metrics is not None:
            host, port = self._settings.metrics
            services["metrics"] = partial(
                exposition.serve, self._metrics, host, port, unready=self._unready
            )
        if self._clients is not None:
            services["clients"] = self._clients.run
        services["listener"] = self._server.run
        return services

    def _unready(self) -> str:
        reasons = self._app.unready()
        return f"not ready: {', '.join(reasons)}" if reasons else ""
