"""Leader election: one Lease, held by at most one replica, as in client-go.

Invariant: a replica regards itself as the leader only until `renew` seconds after the moment it
began its last successful write; no other replica takes over before `lease` seconds have passed
since it saw that write. The times in the Lease are for people: each replica counts by its own
clock from when it saw a change, so clocks may be wrong as long as they run equally fast.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from planes.kube.api import KubeApi
from planes.kube.errors import AlreadyExists
from planes.kube.resources import LEASES
from planes.model.errors import Conflict, JsonObject, NotFound, PlanesError, Unavailable
from planes.run.backoff import Randomness
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

T = TypeVar("T")

_RELEASED_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds; the defaults are client-go's. `renew` must be well below `lease`.

    Attributes:
        lease: how long other replicas wait after the holder's last write.
        renew: how long the holder goes on leading after its last successful write.
        retry: between attempts; a follower waits up to 1.2 times more, at random.
    """

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0


class LeaderElection:
    """Contends for a Lease while `run` runs.

    Args:
        identity: of this process and no other one: the pod's name and something random.
        randomness: makes followers wait longer, so that replicas do not try in step.
        tell: called with each change of `is_leader`, for a metric.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        *,
        namespace: str,
        name: str,
        identity: str,
        randomness: Randomness,
        times: LeaseTimes | None = None,
        tell: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._randomness = randomness
        self._times = times or LeaseTimes()
        self._tell = tell
        self._until = clock.monotonic()
        self._seen: JsonObject | None = None
        self._seen_at = 0.0
        self._led = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()
        self._work: set[asyncio.Task[None]] = set()

    @property
    def is_leader(self) -> bool:
        """Whether this replica leads now; also right where the event loop was blocked."""
        return self._led.is_set() and self._clock.monotonic() < self._until

    def check(self) -> None:
        """Check that this replica leads.

        Raises:
            Unavailable: another one leads, or may do so.
        """
        if not self.is_leader:
            raise Unavailable(
                f"cannot act: {self._identity} does not hold the lease {self._name}",
                remedy="it is left to whoever does",
            )

    async def run(self) -> None:
        """Contend until cancelled; then release the lease, once all work has ended."""
        try:
            while True:
                await self._clock.sleep(await self._try_once())
        finally:
            await self._stop_leading()

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run work for each term in which this replica leads, until cancelled.

        At the end of a term the work is cancelled. Work that ends or fails by itself ends this,
        too, with its result or exception.
        """
        while True:
            await self._led.wait()
            task = asyncio.ensure_future(_run(work))
            ended = asyncio.ensure_future(self._lost.wait())
            self._work.add(task)
            try:
                await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
                if task.done() and not ended.done():
                    task.result()
                    return
            finally:
                ended.cancel()
                await _stopped(task)
                self._work.discard(task)

    async def _try_once(self) -> float:
        """Try once; return the seconds until the next attempt."""
        started = self._clock.monotonic()
        if not self.is_leader:
            self._change(is_leader=False)
        left = self._until - started if self._led.is_set() else self._times.renew
        try:
            is_held = await self._within(left, self._attempt())
        except PlanesError as error:
            _log.warning("lease not renewed", extra={"lease": self._name, "reason": str(error)})
            is_held = None
        now = self._clock.monotonic()
        if is_held:
            self._until = started + self._times.renew
        if is_held is False or now >= self._until:
            self._change(is_leader=False)
        elif is_held:
            self._change(is_leader=True)
        retry = self._times.retry
        if not self._led.is_set():
            return retry * (1 + 1.2 * self._randomness())
        return max(0.0, min(retry, self._until - now))

    async def _attempt(self) -> bool | None:
        """Take or renew the lease where allowed; return whether it is held, None if not known."""
        try:
            found = await self._api.get(LEASES, self._name, namespace=self._namespace)
        except NotFound:
            # It was deleted: its last holder still regards itself as the leader for a while.
            return await self._create() if self._may_take(self._seen or {}) else False
        spec = found.get("spec") or {}
        if not self._may_take(spec):
            return False
        wanted = {**found, "spec": self._spec(spec)}
        try:
            written = await self._api.replace(LEASES, wanted)
        except (Conflict, NotFound):
            return None
        self._observe(written.get("spec") or {})
        return True

    async def _create(self) -> bool:
        metadata = {"name": self._name, "namespace": self._namespace}
        lease = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": metadata,
            "spec": self._spec({}),
        }
        try:
            written = await self._api.create(LEASES, lease, namespace=self._namespace)
        except AlreadyExists:
            return False
        self._observe(written.get("spec") or {})
        return True

    def _may_take(self, spec: JsonObject) -> bool:
        self._observe(spec)
        if (spec.get("holderIdentity") or "") in {"", self._identity}:
            return True
        seconds = spec.get("leaseDurationSeconds")
        wait = seconds if isinstance(seconds, int) and seconds > 0 else self._times.lease
        return self._clock.monotonic() >= self._seen_at + wait

    def _observe(self, spec: JsonObject) -> None:
        if spec != self._seen:
            self._seen, self._seen_at = spec, self._clock.monotonic()

    def _spec(self, old: JsonObject) -> JsonObject:
        now = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            **old,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._times.lease),
            "renewTime": now,
        }
        if old.get("holderIdentity") != self._identity:
            transitions = old.get("leaseTransitions")
            count = transitions if isinstance(transitions, int) else 0
            spec["acquireTime"] = now
            spec["leaseTransitions"] = count + 1 if old else 0
        return spec

    def _change(self, *, is_leader: bool) -> None:
        if is_leader == self._led.is_set():
            return
        if is_leader:
            self._led.set()
            self._lost.clear()
        else:
            self._led.clear()
            self._lost.set()
        self._tell(is_leader)
        event = "leading" if is_leader else "not leading any more"
        _log.info(event, extra={"lease": self._name, "identity": self._identity})

    async def _stop_leading(self) -> None:
        was_leader = self.is_leader
        self._change(is_leader=False)
        for task in tuple(self._work):
            await _stopped(task)
        if not was_leader or self._clock.monotonic() >= self._until:
            return
        try:
            await self._within(self._times.retry, self._release())
        except PlanesError as error:
            _log.info("lease not released", extra={"lease": self._name, "reason": str(error)})

    async def _release(self) -> bool:
        found = await self._api.get(LEASES, self._name, namespace=self._namespace)
        spec: dict[str, Any] = found.get("spec") or {}
        if spec.get("holderIdentity") != self._identity:
            return False
        spec = {**self._spec(spec), "holderIdentity": ""}
        spec["leaseDurationSeconds"] = _RELEASED_SECONDS
        await self._api.replace(LEASES, {**found, "spec": spec})
        return True

    async def _within(self, seconds: float, attempt: Awaitable[T]) -> T:
        """Await an attempt, with a timeout.

        Raises:
            Unavailable: it took longer.
        """
        task = asyncio.ensure_future(attempt)
        alarm = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Unavailable(
                f"cannot renew the lease {self._name}: no answer within {seconds:.1f} s",
                remedy="it is tried again",
            )
        finally:
            for each in (task, alarm):
                await _stopped(each)


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def _stopped(task: asyncio.Future[Any]) -> None:
    """Cancel a task and wait for its end; its result or exception is dropped."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    with suppress(asyncio.CancelledError):
        task.exception()
