"""Who may run a plugin binary now: a share for each namespace, and places apart for DEL.

A binary may hang for as long as its deadline lets it, and whoever may write a NAD chooses which
binary and what it waits for. So what runs by exec is bounded by namespace, and its call gives its
own slot away meanwhile (`cni.gate`). The administrator's default network has places of its own:
every sandbox needs it, and no NAD takes them. DEL has places of its own in both, since ADDs that
hang must not keep anybody's addresses from coming back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from cni.plugin import Call
from planes.model.errors import Unavailable
from planes.model.wire.cniversion import Verb
from planes.run.clock import Clock
from planes.run.shares import Shares

LIMIT: Final = 64
"""Most binaries at once of one kind of work; one namespace alone gets an eighth of them.

Each may take some MiB, which count against the memory limit of the daemon's container.
"""

_LEAVING: Final = frozenset({Verb.DEL, Verb.GC})
# Below what an ADD and a DEL may take as a whole (120 s, 55 s), so that the reason is told.
_ADD_PATIENCE: Final = 60.0
_DEL_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One binary that runs."""

    key: str
    kind: str
    container_id: str
    since: float


class Programs:
    """Admits runs of plugin binaries.

    Args:
        clock: tells how long a binary has run.
        on_wait: told of the sandbox whose call waits for a binary from here on.
        limit: most binaries at once for NADs, attaching or leaving; half as many more for each of
            the two at the default network.
        patience: seconds that an ADD and a DEL wait for their turn.
    """

    def __init__(
        self,
        clock: Clock,
        on_wait: Callable[[str], None] = lambda _container_id: None,
        limit: int = LIMIT,
        patience: tuple[float, float] = (_ADD_PATIENCE, _DEL_PATIENCE),
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._on_wait = on_wait
        self._places = {
            # The cluster's own plugin is one that works, and works at all pods: half of what is
            # free for one namespace, so that many pods created at once are as quick as before.
            (is_cluster, is_leaving): Shares(max(1, limit // 2), 1)
            if is_cluster
            else Shares(limit, 7)
            for is_cluster in (False, True)
            for is_leaving in (False, True)
        }
        self._runs: set[_Run] = set()

    def __len__(self) -> int:
        """Count the binaries that run."""
        return len(self._runs)

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn to run one."""
        return sum(shares.waiting for shares in self._places.values())

    @asynccontextmanager
    async def place(self, verb: Verb, call: Call, kind: str) -> AsyncIterator[None]:
        """Be allowed to run a binary inside the block.

        Args:
            verb: what it is to do.
            call: for whom.
            kind: the plugin's type.

        Raises:
            Unavailable: code 11; too many of the namespace's run and do not end.
        """
        self._on_wait(call.container_id)
        is_leaving = verb in _LEAVING
        places = self._places[call.is_cluster_network, is_leaving]
        key = call.owner.namespace or call.container_id
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._patience[is_leaving]):
                    await held.enter_async_context(places.hold(key))
            except TimeoutError as error:
                raise self._crowded(call, kind, key) from error
            run = _Run(key, kind, call.container_id, self._clock.monotonic())
            self._runs.add(run)
            held.callback(self._runs.discard, run)
            yield

    def _crowded(self, call: Call, kind: str, key: str) -> Unavailable:
        now = self._clock.monotonic()
        theirs = sorted((one for one in self._runs if one.key == key), key=lambda one: one.since)
        whose = f"namespace {call.owner.namespace}" if call.owner.namespace else "this sandbox"
        told = ", ".join(
            f"{one.kind} for sandbox {one.container_id[:13]} since {now - one.since:.0f} s"
            for one in theirs[:3]
        )
        return Unavailable(
            f'cannot run the plugin "{kind}" yet: {len(theirs)} plugin calls of {whose} have not '
            f"ended{f' ({told})' if told else ''}",
            remedy="see what they wait for; it is tried again",
        )
