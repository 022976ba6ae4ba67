"""How the doctor reaches an API server: as the daemon's pod, or by a kubeconfig."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from planes.model.errors import Unavailable

if TYPE_CHECKING:
    from planes.kube.api import KubeApi

T = TypeVar("T")
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
    """An API server over HTTPS.

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

    def ask(self, work: Callable[[KubeApi, ServerDate], Awaitable[T]]) -> T:
        """Do something with it; see `ApiSource.ask`."""
        # They take longer to load than all that a machine without a cluster needs.
        from planes.kube.client.access import connect  # noqa: PLC0415

        async def run() -> T:
            agent = f"netplane/{version('netplane')}"
            client = connect(
                self._kubeconfig, user_agent=agent, env=self._env, context=self._context
            )
            async with client as api:
                try:
                    async with asyncio.timeout(self._seconds):
                        return await work(api, lambda: client.server_date)
                except TimeoutError as error:
                    raise Unavailable(
                        f"cannot go on: no answer of the API server within {self._seconds:.0f} s"
                    ) from error

        return asyncio.run(run())


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
    return ApiAccess(usual, context, env, seconds) if context or usual.is_file() else None
