"""Limit the plugin binaries that run at once, by namespace, with separate limits for DEL.

A binary may hang until its deadline, and a tenant who may write NADs chooses the binary and its
configuration. So each namespace has a share of the turns, and a call releases its slot in
`cni.serving.call_locks` while its binary runs. The default network of the administrator has turns
of its own, since every sandbox needs it. DEL and GC have turns of their own in both, so that ADDs
that hang do not keep addresses from being released.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from cni.plugins.plugin import Call
from planes.model.errors import Unavailable
from planes.model.wire.cniversion import Verb
from planes.run.clock import Clock
from planes.run.shares import Shares

LIMIT: Final = 64
"""Most binaries at once for ADDs, and for DELs; one namespace alone gets an eighth of them.

Each may take some MiB, which count against the memory limit of the daemon's container.
"""

_TEARDOWN: Final = frozenset({Verb.DEL, Verb.GC})
# Below the deadlines of ADD and DEL (120 s, 55 s), so that the error says why they waited.
_ADD_SECONDS: Final = 60.0
_DEL_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One running binary."""

    key: str
    kind: str
    container_id: str
    since: float


class PluginTurns:
    """Limits the plugin binaries that run at once.

    Args:
        clock: for how long a binary has run.
        on_wait: called with the container ID of a call that waits for a binary from now on.
        limit: most binaries at once of NADs, for ADD and for DEL; the default network has half as
            many more for each.
        timeouts: seconds that an ADD and a DEL wait for their turn.
    """

    def __init__(
        self,
        clock: Clock,
        on_wait: Callable[[str], None] = lambda _container_id: None,
        limit: int = LIMIT,
        timeouts: tuple[float, float] = (_ADD_SECONDS, _DEL_SECONDS),
    ) -> None:
        self._timeouts = timeouts
        self._clock = clock
        self._on_wait = on_wait
        self._places = {
            # The cluster's own plugin is trusted and runs for all pods: one namespace may have
            # half of the free turns, so that many pods created at once are not slowed down.
            (is_cluster, is_teardown): Shares(max(1, limit // 2), 1)
            if is_cluster
            else Shares(limit, 7)
            for is_cluster in (False, True)
            for is_teardown in (False, True)
        }
        self._runs: set[_Run] = set()

    def __len__(self) -> int:
        """Return the number of running binaries."""
        return len(self._runs)

    @property
    def waiting(self) -> int:
        """Return the number of calls that wait for a turn."""
        return sum(shares.waiting for shares in self._places.values())

    @asynccontextmanager
    async def turn(self, verb: Verb, call: Call, kind: str) -> AsyncIterator[None]:
        """Wait for a turn; the body may run one binary.

        Args:
            verb: the verb of the binary.
            call: the call, for its namespace and sandbox.
            kind: the plugin's type.

        Raises:
            Unavailable: code 11; no turn came free in time, as other binaries hang.
        """
        self._on_wait(call.container_id)
        is_teardown = verb in _TEARDOWN
        places = self._places[call.is_cluster_network, is_teardown]
        key = call.owner.namespace or call.container_id
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._timeouts[is_teardown]):
                    await held.enter_async_context(places.hold(key))
            except TimeoutError as error:
                raise self._timed_out(call, kind, key) from error
            run = _Run(key, kind, call.container_id, self._clock.monotonic())
            self._runs.add(run)
            held.callback(self._runs.discard, run)
            yield

    def _timed_out(self, call: Call, kind: str, key: str) -> Unavailable:
        now = self._clock.monotonic()
        theirs = sorted((one for one in self._runs if one.key == key), key=lambda one: one.since)
        whose = f"namespace {call.owner.namespace}" if call.owner.namespace else "this sandbox"
        running = ", ".join(
            f"{one.kind} for sandbox {one.container_id[:13]} since {now - one.since:.0f} s"
            for one in theirs[:3]
        )
        return Unavailable(
            f'cannot run the plugin "{kind}" yet: {len(theirs)} plugin calls of {whose} have not '
            f"ended{f' ({running})' if running else ''}",
            remedy="see what they wait for; it is tried again",
        )
