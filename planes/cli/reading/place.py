"""Where a command works: a cluster by kubeconfig, or the manifests of one machine.

With `--manifests` (or its variable) commands read the directory; with `--kubeconfig` or
`--context`, or without any of them, the cluster of the kubeconfig.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from planes.cli.command import MANIFESTS, STATE_DIR, Context, UsageError
from planes.cli.reading.rights import with_right
from planes.kube.errors import Forbidden
from planes.model.errors import NotFound, Unavailable
from planes.run.clock import Clock, SystemClock
from planes.run.settings import Option
from planes.run.values import whole
from planes.store.manifests import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from planes.kube.api import LogApi, ReadApi
    from planes.kube.client.client import Client

T = TypeVar("T")

_THREADS: Final = 4


def _seconds(text: str) -> int:
    return whole(text, 1, 3600)


KUBECONFIG: Final = Option(
    "--kubeconfig",
    None,
    "how to reach the API server; default: KUBECONFIG, ~/.kube/config, a pod's own account",
    metavar="FILE",
)
CONTEXT: Final = Option(
    "--context", "", "context of the kubeconfig; default: its current one", metavar="NAME"
)
REQUEST_TIMEOUT: Final = Option(
    "--request-timeout",
    "60",
    "seconds after which a command gives the API server up",
    _seconds,
    metavar="N",
)
CLUSTER_OPTIONS: Final = (KUBECONFIG, CONTEXT, REQUEST_TIMEOUT)
"""Of commands that work on a cluster only."""
PLACE_OPTIONS: Final = (*CLUSTER_OPTIONS, MANIFESTS, STATE_DIR)
"""Of commands that work on a cluster, and on manifests."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command reads.

    Attributes:
        api: answers reads.
        clock: the machine's.
        title: names it in texts, e.g. `the cluster of context prod`.
        directory: the manifests; None on a cluster.
        state_dir: of the daemon of this machine; None on a cluster.
        namespace: of what names none: that of the kubeconfig's context, or of the pod's account.
    """

    api: ReadApi
    clock: Clock
    title: str
    directory: Path | None = None
    state_dir: Path | None = None
    namespace: str = DEFAULT_NAMESPACE

    @property
    def is_cluster(self) -> bool:
        """Whether it is a cluster."""
        return self.directory is None


class _PausingClock(SystemClock):
    """The system's clock, whose sleepers wait on purpose: that time does not count.

    Args:
        deadline: until when the API server has to have answered.
    """

    def __init__(self, deadline: asyncio.Timeout) -> None:
        self._deadline = deadline

    async def sleep(self, seconds: float) -> None:
        """Wait, and put the deadline off."""
        if (when := self._deadline.when()) is not None:
            self._deadline.reschedule(when + seconds)
        await super().sleep(seconds)


def at_place(context: Context, work: Callable[[Place], Awaitable[T]], *, waits: bool = False) -> T:
    """Do a command's work where its options say; they are `PLACE_OPTIONS`; `waits` as `at_cluster`.

    Raises:
        UsageError: both a cluster and manifests are named.
        Unavailable: the API server does not answer in time.
        PlanesError: of the work.
    """
    names_cluster = bool(context.settings[KUBECONFIG.key] or context.settings[CONTEXT.key])
    if not context.settings[MANIFESTS.key]:
        return _with_client(
            context, lambda client, clock: work(_cluster(context, client, clock)), waits=waits
        )
    if names_cluster:
        raise UsageError(
            "cannot read a cluster and manifests at once",
            remedy="give either --manifests, or --kubeconfig and --context",
        )
    # What it reads with takes longer to load than all of the commands of one machine.
    from planes.cli.reading.directory_api import DirectoryApi  # noqa: PLC0415

    directory, state_dir = context.manifests_dir(), Path(context.required(STATE_DIR))
    api = DirectoryApi(directory, state_dir)
    for problem in api.problems:
        context.console.warn(f"{problem.where}: {problem.reason}")

    async def run() -> T:
        return await work(Place(api, SystemClock(), str(directory), directory, state_dir))

    return asyncio.run(run())


def at_cluster(
    context: Context, work: Callable[[LogApi, Clock], Awaitable[T]], *, waits: bool = False
) -> T:
    """Do something with the API server of the user's kubeconfig; options are `CLUSTER_OPTIONS`.

    Args:
        context: of the command.
        work: what to do.
        waits: the work may take any time, so not the whole of it has a deadline.

    Raises:
        Unavailable: it does not answer in time.
        PlanesError: there is no kubeconfig that can be used; or of the work.
    """
    return _with_client(context, work, waits=waits)


def _with_client(
    context: Context, work: Callable[[Client, Clock], Awaitable[T]], *, waits: bool
) -> T:
    # It takes longer to load than all of the other commands.
    from planes.run.thread_pool import ThreadPool  # noqa: PLC0415

    seconds = context.settings[REQUEST_TIMEOUT.key]

    async def run() -> T:
        # The look-up of a name in DNS cannot be stopped; its thread must keep nobody waiting.
        asyncio.get_running_loop().set_default_executor(ThreadPool(_THREADS, "netplane"))
        async with _client(context, seconds, has_deadline=not waits) as api:
            try:
                async with asyncio.timeout(None if waits else seconds) as deadline:
                    return await work(api, _PausingClock(deadline))
            except Forbidden as error:
                raise with_right(error) from error
            except (TimeoutError, Unavailable) as error:
                if isinstance(error, Unavailable) and not api.running_plugin:
                    raise
                raise _late(api, f"{seconds} s") from error

    return asyncio.run(run())


def _client(context: Context, seconds: float, *, has_deadline: bool) -> Client:
    """Return a client for the user's kubeconfig.

    Args:
        context: of the command.
        seconds: that the work may take, or one answer where it has no deadline.
        has_deadline: the whole work has one.

    Raises:
        PlanesError: there is no kubeconfig that can be used.
    """
    # They take longer to load than all of the other commands.
    from planes.kube.client.access import connect  # noqa: PLC0415
    from planes.kube.client.request import RequestLimits  # noqa: PLC0415

    limits = RequestLimits()
    if not has_deadline:
        limits = replace(limits, total=min(limits.total, seconds))
    files = _kubeconfigs(context, context.console.warn)
    if files and not has_cluster(context):
        raise _no_cluster(context, files[0])
    return connect(
        files[0] if files else None,
        user_agent=f"netplane/{version('netplane')}",
        env=context.env,
        clock=SystemClock(),
        context=context.settings[CONTEXT.key],
        further=files[1:],
        # Later than all that waits for it: what is cancelled twice does not end in good order.
        plugin_seconds=2 * seconds,
        follows_proxies=True,
        limits=limits,
    )


def _late(client: Client, time: str) -> Unavailable:
    if plugin := client.running_plugin:
        return Unavailable(
            f"cannot log in to the API server: the credential plugin {plugin} did not end within "
            f"{time}",
            remedy="run it by hand to see why, or give --request-timeout",
        )
    return Unavailable(
        f"cannot go on: the API server {client.server} did not answer all that it was asked "
        f"within {time}",
        remedy="look whether it answers (kubectl version), or give --request-timeout",
    )


def has_cluster(context: Context) -> bool:
    """Report whether there is a kubeconfig, or one is named, or we are in a pod."""
    if context.settings[KUBECONFIG.key] or context.settings[CONTEXT.key]:
        return True
    files = _kubeconfigs(context, lambda _: None)
    return not files or os.path.exists(files[0])


def _cluster(context: Context, client: Client, clock: Clock) -> Place:
    name = context.settings[CONTEXT.key]
    title = f"the cluster of context {name}" if name else "the cluster"
    return Place(client, clock, title, namespace=client.namespace or DEFAULT_NAMESPACE)


def _no_cluster(context: Context, path: Path) -> NotFound:
    remedy = "name a kubeconfig with --kubeconfig"
    if MANIFESTS.key in context.settings:
        remedy += ", or the directory of one machine with --manifests"
    return NotFound(f"cannot find a cluster: there is no kubeconfig {path}", remedy=remedy)


def _kubeconfigs(context: Context, warn: Callable[[str], None]) -> tuple[Path, ...]:
    """Return the kubeconfigs that count as one; none for the account of the pod we are in.

    As kubectl does: `--kubeconfig`, or the files of KUBECONFIG that exist, or `~/.kube/config`;
    where there is none of them, in a pod its service account.
    """
    if given := context.settings[KUBECONFIG.key]:
        return (Path(given),)
    listed = [Path(name) for name in context.env.get("KUBECONFIG", "").split(":") if name]
    if not listed:
        listed = [Path(context.env.get("HOME") or "/") / ".kube" / "config"]
    there = tuple(path for path in dict.fromkeys(listed) if os.path.exists(path))
    if there:
        for path in listed:
            if path not in there:
                warn(f"there is no kubeconfig {path}, which KUBECONFIG names")
        return there
    return () if context.env.get("KUBERNETES_SERVICE_HOST") else (listed[0],)
