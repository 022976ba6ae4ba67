"""The admission listener: reviews over TLS, with their metrics and log, over any store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from certs.serving import RotatingContext
from planes.run import metrics as exposition
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.run.service_manager import ServiceManager
from planes.run.supervise import Service
from planes.store.protocol import Store
from webhook.app import HANDLERS, AnswerHandler, App
from webhook.client_ca import ClientCA
from webhook.limits import AdmissionLimits
from webhook.metrics import ReviewMetrics
from webhook.problems import listing
from webhook.review_log import ReviewLog
from webhook.server import AdmissionServer
from webhook.settings import WebhookSettings
from webhook.watch_lag import WatchLag


class AdmissionListener:
    """A listener over a store, and the services that run with it.

    Args:
        unready: returns why this replica must not get reviews now.
        waits_for_watch: wait for a watch that is behind a review, as on a cluster.
        on_answer: called with every answer.
        manager: the service manager, which is told how this replica does; None for none.

    Raises:
        BadInput: the file of `--client-ca` holds no CA.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        store: Store,
        context: RotatingContext,
        *,
        metrics: Metrics,
        clock: Clock,
        unready: Callable[[], Sequence[str]],
        waits_for_watch: bool = False,
        on_answer: AnswerHandler | None = None,
        manager: ServiceManager | None = None,
    ) -> None:
        self._clock = clock
        self._manager = manager or ServiceManager()
        self._settings = settings
        self._store = store
        self._client_ca = None
        if settings.client_ca is not None:
            self._client_ca = ClientCA(settings.client_ca, context, clock)
            self._client_ca.reload()
        self._metrics = metrics
        self._limits = limits = AdmissionLimits()
        reviews = ReviewMetrics(metrics, HANDLERS)
        self._app = App(
            store,
            metrics=reviews,
            limits=limits,
            review_log=ReviewLog(clock),
            unready=unready,
            watch_lag=WatchLag(store, clock) if waits_for_watch else None,
            clock=clock,
            on_answer=on_answer,
        )
        self._server = AdmissionServer(
            self._app.handle,
            drain=self._app.drain,
            context=context.listener,
            limits=limits,
            metrics=reviews,
            grace_seconds=settings.drain_grace,
        )

    @property
    def drain_seconds(self) -> float:
        """How long draining the listener may take, in seconds."""
        return self._settings.drain_grace + self._limits.body_seconds + 2

    async def listen(self) -> None:
        """Accept connections from now on.

        Raises:
            Unavailable: the address cannot be listened on.
        """
        await self._server.start(*self._settings.listen)

    def services(self) -> dict[str, Service]:
        """Return the services to run, by name: the listener last, so that it stops first."""
        services: dict[str, Service] = {
            "service manager": lambda: self._manager.run(
                self._clock,
                is_serving=lambda: not self._unready(),
                status=lambda: self._unready() or "answering reviews",
            )
        }
        if self._settings.metrics is not None:
            host, port = self._settings.metrics
            services["metrics"] = partial(
                exposition.serve,
                self._metrics,
                host,
                port,
                unready=self._unready,
                problems=lambda: listing(self._store.problems()),
            )
        if self._client_ca is not None:
            services["clients"] = self._client_ca.run
        services["listener"] = self._server.run
        return services

    def begin_to_stop(self) -> None:
        """Report to the service manager that the orderly end has begun."""
        self._manager.stopping("answering the last reviews")

    def _unready(self) -> str:
        reasons = self._app.unready()
        return f"not ready: {', '.join(reasons)}" if reasons else ""
