"""How the doctor reaches an API server: as the daemon's pod, or by a kubeconfig."""

from __future__ import annotations

import asyncio
import os.path
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from planes.model.errors import PlanesError, Unavailable

if TYPE_CHECKING:
    from planes.kube.api import KubeApi
    from planes.kube.client.client import Client

T = TypeVar("T")
_GRACE_SECONDS: Final = 1.0
ServerDate = Callable[[], str]
"""Returns the header Date of the API server's last response."""


class ApiSource(Protocol):
    """Asks an API server.

    Attributes:
        is_daemon: whether it does so with the account of the daemon's pod.
    """

    is_daemon: bool

    def ask(self, work: Callable[[KubeApi, ServerDate], Awaitable[T]]) -> T:
        """Do something with it; blocks.

        Raises:
            PlanesError: of the work, or it does not answer in time.
        """
        ...


class ApiAccess:
    """An API server over HTTPS: one client, in an event loop of its own, for all checks.

    Checks run in threads. A client for each would log in as often.

    Args:
        kubeconfig: how to reach it; None for the account of this pod.
        context: of the kubeconfig, "" for its current one.
        env: has the address of the API server in a pod.
        seconds: until it is given up.

    Attributes:
        is_daemon: whether the account is that of the daemon's pod.
    """

    def __init__(
        self, kubeconfig: Path | None, context: str, env: Mapping[str, str], seconds: float
    ) -> None:
        self.is_daemon = kubeconfig is None
        self._kubeconfig = kubeconfig
        self._context = context
        self._env = env
        self._seconds = seconds
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Client | None = None

    def ask(self, work: Callable[[KubeApi, ServerDate], Awaitable[T]]) -> T:
        """Do something with it; see `ApiSource.ask`."""
        asked = asyncio.run_coroutine_threadsafe(self._ask(work), self._started())
        try:
            return asked.result(self._seconds + _GRACE_SECONDS)
        except TimeoutError as error:  # also of what blocks the loop, such as a kubeconfig's disk
            asked.cancel()
            raise Unavailable(
                f"cannot go on: no answer of the API server within {self._seconds:.0f} s"
            ) from error

    def close(self) -> None:
        """Close the connections, unless that takes too long."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        client = self._client
        if client is not None:
            closing = asyncio.run_coroutine_threadsafe(client.close(), loop)
            with suppress(TimeoutError, PlanesError):
                closing.result(_GRACE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)

    async def _ask(self, work: Callable[[KubeApi, ServerDate], Awaitable[T]]) -> T:
        if self._client is None:
            # They take longer to load than all that a machine without a cluster needs.
            from planes.kube.client.access import connect  # noqa: PLC0415

            agent = f"netplane/{version('netplane')}"
            self._client = connect(
                self._kubeconfig,
                user_agent=agent,
                env=self._env,
                context=self._context,
                follows_proxies=True,
            )
        client = self._client
        async with asyncio.timeout(self._seconds):
            return await work(client, lambda: client.server_date)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=_run, args=(self._loop,), name="doctor-api", daemon=True
                ).start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def find_access(
    kubeconfig: str | None, context: str, env: Mapping[str, str], seconds: float
) -> ApiAccess | None:
    """Return the way to the API server; None where nothing says where there is one.

    Args:
        kubeconfig: as given; then KUBECONFIG, the account of the pod, and ~/.kube/config.
        context: as given.
        env: the environment.
        seconds: until it is given up.
    """
    given = kubeconfig or env.get("KUBECONFIG", "").partition(":")[0]
    if given:
        return ApiAccess(Path(given), context, env, seconds)
    if env.get("KUBERNETES_SERVICE_HOST") and not context:
        return ApiAccess(None, "", env, seconds)
    usual = Path(env.get("HOME") or "/") / ".kube" / "config"
    return ApiAccess(usual, context, env, seconds) if context or os.path.isfile(usual) else None
