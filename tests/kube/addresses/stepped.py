"""A cluster whose every request waits until the test lets it through, in any order it likes.

Each request stops twice: before the API server sees it, and before its answer comes back. A node
that is killed gets no answers any more; what it had sent may still arrive. So may what a node gave
up waiting for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, Future
from enum import Enum
from typing import Any, TypeVar

from planes.kube.api import Change, Page, PatchKind, Query
from planes.kube.resources import Resource
from planes.model.errors import JsonObject, PlanesError, Unavailable
from tests.support.kube.fake_kube import FakeKube

T = TypeVar("T")

_TURNS = 60
"""Of the event loop: more than any step needs until it waits for its next request."""


class Fate(Enum):
    """What becomes of a request at one of its stops."""

    ON = "goes on"
    BREAK = "is lost"
    LATE = "is lost for its sender, and goes on"


class Inline(Executor):
    """Does all work at once in the calling thread, so that a test's order is its own."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class Line:
    """Requests that wait, oldest first."""

    def __init__(self) -> None:
        self.waiting: list[tuple[SteppedKube, asyncio.Future[Fate]]] = []
        self.strays: set[asyncio.Task[None]] = set()
        self.is_closed = False

    def let(self, index: int, fate: Fate = Fate.ON) -> None:
        """Let one go on; or break its connection there; or have it arrive when nobody waits."""
        _, future = self.waiting.pop(index)
        if not future.done():
            future.set_result(fate)


async def settle() -> None:
    """Let everything run until it waits."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class SteppedKube:
    """One process's connection to the API server; implements `KubeApi`."""

    def __init__(self, kube: FakeKube, line: Line) -> None:
        self._kube = kube
        self._line = line
        self.is_dead = False

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        return await self._step(
            lambda: self._kube.get(
                resource, name, namespace=namespace, is_metadata_only=is_metadata_only
            )
        )

    async def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        async def whole() -> list[Page]:
            return [page async for page in self._kube.pages(query)]

        for page in await self._step(whole):
            yield page

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        return await self._step(lambda: self._kube.create(resource, obj, namespace=namespace))

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        return await self._step(lambda: self._kube.replace(resource, obj, subresource=subresource))

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
        raise AssertionError("address books do not patch")

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        await self._step(
            lambda: self._kube.delete(
                resource, name, namespace=namespace, uid=uid, resource_version=resource_version
            )
        )

    def watch(self, query: Query, resource_version: str) -> AsyncGenerator[Change, None]:
        return self._kube.watch(query, resource_version)

    async def _step(self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        await self._go_on()
        if (fate := await self._wait()) is not Fate.ON:
            if fate is Fate.LATE:
                stray = asyncio.create_task(self._arrive(request))
                self._line.strays.add(stray)
                stray.add_done_callback(self._line.strays.discard)
            raise Unavailable("cannot ask the API server: the connection broke")
        try:
            return await request()
        finally:
            await self._go_on()
            if await self._wait() is not Fate.ON:
                raise Unavailable("cannot ask the API server: the connection broke")

    async def _arrive(self, request: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Carry out a request whose sender has given it up."""
        with contextlib.suppress(PlanesError):
            if await self._wait() is not Fate.BREAK:
                await request()

    async def _go_on(self) -> None:
        """Return unless the process was killed: then it does nothing any more."""
        if self.is_dead and not self._line.is_closed:
            await asyncio.get_running_loop().create_future()

    async def _wait(self) -> Fate:
        if self._line.is_closed:
            raise Unavailable("cannot ask the API server: the test is over")
        future: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        self._line.waiting.append((self, future))
        return await future
