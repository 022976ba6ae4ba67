"""Remove holders of static addresses whose pods are gone and run nowhere any more.

A node may write only its own entries (see manifests/base/policies/nodes.yaml), so the address of a
pod whose node failed is released here: where another node waits for it, or where it was found
leaked. Both prove nothing. The pod itself is read from the API server, twice. That it is gone there
does not prove that it runs no more, because its node may be cut off. So the node is looked at, too
(see `planes.model.state.fencing`).

Invariant: an entry is removed only when two reads, a tick apart, found no pod with its UID on its
node, and the node was seen to run no pods or to have stopped this one; and only the entry that was
judged, over the version of the block that was read last.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from itertools import count, islice
from typing import Final

from planes.kube.addresses.holders import Holder, StaticBlock, read_static, rewritten
from planes.kube.addresses.pod_fate import PodFate, fate_of_pod
from planes.kube.api import KubeApi
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPAddress
from planes.model.errors import Conflict, Internal, JsonObject, NotFound
from planes.run.backoff import Randomness
from planes.run.clock import Clock
from webhook.controller.gone_holders import GoneHolder, drop_those_back
from webhook.controller.holder_turns import Held, in_turn
from webhook.controller.node_looks import LOOK_SECONDS, NodeLooks
from webhook.controller.queue import WorkQueue

_log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0
_TRIES: Final = 16
_AT_ONCE: Final = 8
"""Pods that are read for one block in one tick; the next tick goes on."""
_TICKS_EACH: Final = 4
"""Ticks for which the requests of one node go first, where many nodes have some."""
_STOPPED: Final = "its node was connected for long enough to stop it"
_NEVER: Final = "its pod runs on another node"

WaitSink = Callable[[str, str], Awaitable[None]]
"""Called with a plane's name, and the text for an address that somebody waits for in vain."""
_PATIENCE_SECONDS: Final = 30.0
"""A wish that waits for longer is told of."""
_BETWEEN_SECONDS: Final = 10.0
"""Between two that are told of: a node can make any number of wishes."""


class HolderKeeper:
    """Reconciles blocks in which an address is waited for, or was found leaked; `run` must run.

    Args:
        randomness: for delays.
        failed: called for each attempt that failed.
        looks: what is known of nodes.
        removed: called with the number of holders that were removed at once.
        waits: called once for each address that is waited for in vain.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        *,
        randomness: Randomness,
        failed: Callable[[], None],
        looks: NodeLooks | None = None,
        removed: Callable[[int], None] = lambda _count: None,
        waits: WaitSink | None = None,
    ) -> None:
        self._api = api
        self._clock = clock
        # Not `or`: one that has seen no node yet counts as false.
        self._looks = NodeLooks(api, clock) if looks is None else looks
        self._removed = removed
        self._waits = waits
        self._tell_at = 0.0
        # A queue of its own: a node with many requests delays those of others, nothing else.
        self._queue: WorkQueue[str] = WorkQueue(
            self.reconcile, clock, randomness=randomness, failed=failed
        )
        self._due: dict[str, float] = {}
        self._gone: dict[str, dict[IPAddress, GoneHolder]] = {}
        self._suspects: dict[str, Held] = {}

    @property
    def waiting(self) -> int:
        """How many holders have no pod any more, and are not yet known to have stopped."""
        return sum(map(len, self._gone.values()))

    def add(self, name: str) -> None:
        """Have a block reconciled within a tick: however often it is written, once a tick."""
        self._due[name] = self._clock.monotonic()

    def suspect(self, name: str, holders: Held) -> None:
        """Have holders of a block looked at though no node waits for their addresses."""
        self._suspects[name] = holders
        self.add(name)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run(workers=2))
            group.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_SECONDS)
            now = self._clock.monotonic()
            for name in [name for name, due in self._due.items() if due <= now]:
                del self._due[name]
                self._queue.remind(name)

    async def reconcile(self, name: str) -> bool:
        """Remove holders as far as is proven; return False, as requests may well be repeated.

        Raises:
            PlanesError: pods or nodes cannot be read, or the block could not be written.
        """
        try:
            obj = await self._api.get(IPBLOCKS, name)
            block = read_static(obj)
        except (NotFound, Internal):  # no static block (any more): the plane's status tells of it
            self._forget(name)
            return False
        suspects = self._suspects.get(name, {})
        asked = {
            address: holder
            for address, holder in block.holders.items()
            if str(address) in block.wanted or suspects.get(address) == holder
        }
        known = self._gone.get(name, {})
        gone = {a: seen for a, seen in known.items() if asked.get(a) == seen.holder}
        self._gone[name] = gone
        dead = await self._proven(block, gone)
        new = {address: holder for address, holder in asked.items() if address not in gone}
        alive = await self._read_pods(new, self._rotated(block, new), gone)
        await self._write(obj, block, alive, dead)
        left = {*asked} - {*alive} - {*dead}
        self._plan(name, left, is_full=len(dead) == _AT_ONCE)
        return False

    def _rotated(self, block: StaticBlock, holders: Held) -> Held:
        turn = int(self._clock.monotonic() / (_TICKS_EACH * TICK_SECONDS))
        return dict(islice(in_turn(holders, block.wanted, turn), _AT_ONCE))

    async def _read_pods(self, new: Held, some: Held, gone: dict[IPAddress, GoneHolder]) -> Held:
        """Read some pods for the first time; return the holders of those that exist."""
        alive = {}
        for address, holder in some.items():
            fate = await fate_of_pod(self._api, holder.owner)
            if fate is PodFate.EXISTS:
                alive[address] = new[address]
            else:
                now = self._clock.monotonic()
                gone[address] = GoneHolder(new[address], fate, now, now)
        return alive

    async def _proven(
        self, block: StaticBlock, gone: dict[IPAddress, GoneHolder]
    ) -> Mapping[IPAddress, tuple[Holder, str]]:
        """Return the holders that may be removed, each with the reason; some in one tick."""
        dead: dict[IPAddress, tuple[Holder, str]] = {}
        await drop_those_back(self._api, self._clock, gone, most=_AT_ONCE)
        for address, seen in list(gone.items()):
            reason = await self._reason(seen)
            if not reason:
                await self._tell_of(block, address, seen)
                continue
            if await fate_of_pod(self._api, seen.holder.owner) is PodFate.EXISTS:
                del gone[address]  # it is judged anew
                continue
            dead[address] = seen.holder, reason
            if len(dead) == _AT_ONCE:
                break
        return dead

    async def _reason(self, seen: GoneHolder) -> str:
        """Return why a pod that is gone runs nowhere; "" where that is not known."""
        if seen.fate is PodFate.ELSEWHERE:
            return _NEVER
        node = await self._looks.look(seen.holder.owner.node)
        if (fence := node.fence()) is not None:
            return fence.value
        return _STOPPED if node.has_stopped(seen.at) else ""

    async def _tell_of(self, block: StaticBlock, address: IPAddress, seen: GoneHolder) -> None:
        """Have people told, once, of an address that somebody waits for in vain."""
        now, owner = self._clock.monotonic(), seen.holder.owner
        node, waiting = self._looks.known(owner.node), block.wanted.get(str(address))
        if self._waits is None or node is None or waiting is None or seen.is_told:
            return
        if now - seen.at < _PATIENCE_SECONDS or now < self._tell_at:
            return
        seen.is_told, self._tell_at = True, now + _BETWEEN_SECONDS
        text = (
            f"a pod on node {waiting} waits for {address}: pod "
            f"{owner.namespace}/{owner.pod}, which held it, is gone, but node {owner.node} may "
            f"still run it: {node.doubt()}"
        )
        await self._waits(block.shape.plane, text)

    async def _write(
        self,
        obj: JsonObject,
        block: StaticBlock,
        alive: Held,
        dead: Mapping[IPAddress, tuple[Holder, str]],
    ) -> None:
        """Remove dead holders, and wishes for what is held no more or by a pod that exists.

        Nodes write into the block all the while: what was judged is removed if it is there still.
        """
        for tries in count(1):
            dead = {a: each for a, each in dead.items() if block.holders.get(a) == each[0]}
            over = {str(a) for a, h in block.holders.items() if alive.get(a) == h or a in dead}
            held = set(map(str, block.holders)) - over
            wanted = {text: node for text, node in block.wanted.items() if text in held}
            if not dead and wanted == block.wanted:
                return
            holders = {a: holder for a, holder in block.holders.items() if a not in dead}
            try:
                await self._api.replace(IPBLOCKS, rewritten(obj, block, holders, wanted))
                break
            except Conflict:
                if tries == _TRIES:
                    raise
                obj = await self._api.get(IPBLOCKS, block.shape.name)
                block = read_static(obj)
        self._removed(len(dead))
        _tell(block, dead)

    def _plan(self, name: str, left: set[IPAddress], *, is_full: bool) -> None:
        """Have the block looked at again while something of it is left; soon if some is new."""
        gone = self._gone[name]
        for address in gone.keys() - left:
            del gone[address]
        suspects = {a: h for a, h in self._suspects.get(name, {}).items() if a in left}
        if suspects:
            self._suspects[name] = suspects
        else:
            self._suspects.pop(name, None)
        if not left:
            self._forget(name)
            return
        now = self._clock.monotonic()
        is_new = any(now - seen.at < TICK_SECONDS for seen in gone.values())
        is_soon = is_full or is_new or len(left) > len(gone)
        self._due.setdefault(name, now + (0 if is_soon else self._pause(gone)))

    def _pause(self, gone: Mapping[IPAddress, GoneHolder]) -> float:
        """Return the seconds until a look at one of the nodes can show more."""
        known = [self._looks.known(seen.holder.owner.node) for seen in gone.values()]
        waits = [seen.wait() for seen in known if seen is not None and not seen.last.is_there]
        return min([LOOK_SECONDS, *(max(wait, TICK_SECONDS) for wait in waits)])

    def _forget(self, name: str) -> None:
        self._gone.pop(name, None)
        self._suspects.pop(name, None)


def _tell(block: StaticBlock, dead: Mapping[IPAddress, tuple[Holder, str]]) -> None:
    for address, (holder, reason) in dead.items():
        _log.warning(
            "freed a static address: the pod that held it no longer exists",
            extra={
                "plane": block.shape.plane,
                "address": str(address),
                "pod": f"{holder.owner.namespace}/{holder.owner.pod}",
                "uid": holder.owner.uid,
                "node": holder.owner.node,
                "reason": reason,
            },
        )
