"""The connection of a daemon to a faulty API server; implements `KubeApi`.

Each request stops twice: before the server sees it, and before its answer comes back. The world
decides at each stop: it goes on, is lost, is refused, arrives when nobody waits, or arrives twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, TypeVar

from planes.kube.api import Change, Page, PatchKind, Query
from planes.kube.errors import Expired
from planes.kube.resources import Resource
from planes.model.errors import Conflict, JsonObject, PlanesError, Unavailable
from tests.chaos.machine import Process, forever_if
from tests.support.kube.fake_kube import FakeKube

T = TypeVar("T")


class Fate(Enum):
    """What becomes of a request at one of its stops."""

    ON = "goes on"
    LOST = "is lost"
    REFUSED = "is refused: 409, 410, 429 or 500"
    LATE = "is lost for its sender, and goes on"
    TWICE = "arrives twice, and the second answer counts"


class Line:
    """Requests that wait at a stop, oldest first.

    Attributes:
        lists: what the server's cache had; lists that need not be new may be answered from it.
        is_calm: no list is old any more.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[Process | None, asyncio.Future[Fate]]] = []
        self.lists: dict[Query, list[Page]] = {}
        self.strays: set[asyncio.Task[None]] = set()
        self.is_calm = False

    async def stop(self, process: Process | None) -> Fate:
        """Wait for the world's decision."""
        future: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        self.waiting.append((process, future))
        return await future

    def let(self, index: int, fate: Fate = Fate.ON) -> None:
        """Decide about one that waits."""
        _, future = self.waiting.pop(index)
        if not future.done():
            future.set_result(fate)

    def lose_late(self) -> None:
        """Lose what waits though nobody waits for it: an API server drops it after a minute."""
        for index in reversed(range(len(self.waiting))):
            process = self.waiting[index][0]
            if process is None or process.is_dead:
                self.let(index, Fate.LOST)

    def send_alone(self, work: Coroutine[Any, Any, Any]) -> None:
        """Have a request arrive for which nobody waits."""

        async def arrive() -> None:
            if await self.stop(None) is Fate.ON:
                with suppress(PlanesError):
                    await work
            else:
                work.close()

        task = asyncio.create_task(arrive())
        self.strays.add(task)
        task.add_done_callback(self.strays.discard)


class Connection:
    """What one daemon, or the leader, has of the API server.

    Args:
        kube: the server.
        line: where its requests wait.
        process: the daemon.
        is_cut: whether its machine is cut off.

    Attributes:
        flows: cleared while nothing of its watches arrives.
    """

    def __init__(
        self, kube: FakeKube, line: Line, process: Process, *, is_cut: bool = False
    ) -> None:
        self._kube = kube
        self._line = line
        self._process = process
        self.flows = asyncio.Event()
        self.cut(is_cut=is_cut)

    def cut(self, *, is_cut: bool) -> None:
        """Cut the connection, or mend it: requests fail meanwhile, and watches are silent."""
        self._has_line = not is_cut
        (self.flows.clear if is_cut else self.flows.set)()

    def stall(self) -> None:
        """Have watches be silent, or flow again."""
        if self._reaches():
            (self.flows.clear if self.flows.is_set() else self.flows.set)()

    def _reaches(self) -> bool:
        return self._has_line

    async def get(self, resource: Resource, name: str, **more: Any) -> JsonObject:
        return await self._ask(lambda: self._kube.get(resource, name, **more))

    async def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        async def whole() -> list[Page]:
            return [page async for page in self._kube.pages(query)]

        is_old = query.at_least == "0" and query in self._line.lists and not self._line.is_calm
        pages = await self._ask(whole, refusal=Expired("cannot list: too old"))
        if is_old and self._kube.resource_version[-1] in "37":
            pages = self._line.lists[query]
        self._line.lists[query] = pages
        for page in pages:
            yield page

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        return await self._ask(lambda: self._kube.create(resource, obj, namespace=namespace))

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        conflict = Conflict("cannot replace: it was written since")
        return await self._ask(lambda: self._kube.replace(resource, obj), refusal=conflict)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        namespace: str = "",
        subresource: str = "",
        kind: PatchKind = PatchKind.MERGE,
    ) -> JsonObject:
        return await self._ask(
            lambda: self._kube.patch(
                resource, name, patch, namespace=namespace, subresource=subresource, kind=kind
            )
        )

    async def delete(self, resource: Resource, name: str, **more: Any) -> None:
        conflict = Conflict("cannot delete: it was written since")
        await self._ask(lambda: self._kube.delete(resource, name, **more), refusal=conflict)

    async def watch(self, query: Query, resource_version: str) -> AsyncGenerator[Change, None]:
        async for change in self._kube.watch(query, resource_version):
            await self.flows.wait()
            await forever_if(self._process)
            yield change

    async def _ask(
        self,
        request: Callable[[], Coroutine[Any, Any, T]],
        *,
        refusal: PlanesError | None = None,
    ) -> T:
        await forever_if(self._process)
        if not self._reaches():
            raise _broken()
        fate = await self._line.stop(self._process)
        if not self._reaches():
            fate = Fate.LOST
        if fate is Fate.LATE:
            self._line.send_alone(request())
        if fate is Fate.REFUSED and refusal is not None:
            raise refusal
        if fate not in {Fate.ON, Fate.TWICE}:
            raise _broken()
        try:
            outcome = await request()
            if fate is Fate.TWICE:
                outcome = await request()
        finally:
            fate = await self._line.stop(self._process)
            await forever_if(self._process)
            if fate is not Fate.ON or not self._reaches():
                raise _broken()
        return outcome


def _broken() -> Unavailable:
    return Unavailable("cannot ask the API server: the connection broke")
