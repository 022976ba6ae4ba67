"""An API server as far as the webhook and a daemon need one, with a hostile tenant's objects.

usage: python -m tests.attacks.figures.hostile_api FOLDER

It writes `ca.pem` and `port` to the folder. `POST /attack/PLURAL?count=N&seconds=S` has the tenant
write that many objects in that time: watches are told of each, and lists have them from then on.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, PLANES, PODS
from tests.attacks.figures.hostile_objects import HostileNads, HostilePods, friendly
from tests.support.certificates import current, make_root, make_serving

_BEGIN: Final = 1000
_KINDS: Final = tuple(each.plural for each in (PLANES, NADS, NAMESPACES, PODS, IPBLOCKS))


class HostileApi:
    """Lists, watches and the attack; anything else is not found."""

    def __init__(self) -> None:
        self._version = _BEGIN
        self._writers: dict[str, Callable[[int, int], bytes]] = {
            NADS.plural: HostileNads(),
            PODS.plural: HostilePods(),
        }
        self._friendly = {plural: friendly(plural) for plural in _KINDS}
        self._written = dict.fromkeys(_KINDS, 0)
        self._watchers: dict[str, set[asyncio.Queue[bytes]]] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        plural = request.path.rstrip("/").rpartition("/")[2]
        if request.method == "POST" and request.path.startswith("/attack/"):
            return await self._attack(request, plural)
        if request.method != "GET" or plural not in _KINDS:
            status = {"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"}
            return web.json_response(status, status=404)
        if request.query.get("watch"):
            return await self._watch(request, plural)
        return await self._list(request, plural)

    async def _list(self, request: web.Request, plural: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        start = int(request.query.get("continue") or 0)
        is_limited = request.query.get("resourceVersion") != "0"
        limit = int(request.query["limit"]) if is_limited and "limit" in request.query else 1 << 40
        await response.write(b'{"apiVersion":"v1","items":[')
        known = self._friendly[plural]
        end = len(known) + self._written[plural]
        for number in range(start, min(end, start + limit)):
            hostile = number - len(known)
            obj = known[number] if hostile < 0 else self._writers[plural](hostile, _BEGIN)
            await response.write(b"," + obj if number > start else obj)
        more = start + limit if start + limit < end else ""
        metadata = {"resourceVersion": str(self._version), "continue": str(more)}
        await response.write(b'],"kind":"List","metadata":' + orjson.dumps(metadata) + b"}")
        return response

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue(2)
        watchers = self._watchers.setdefault(plural, set())
        watchers.add(queue)
        try:
            while True:
                await response.write(await queue.get())
        finally:
            watchers.discard(queue)

    async def _attack(self, request: web.Request, plural: str) -> web.StreamResponse:
        count, seconds = int(request.query["count"]), float(request.query["seconds"])
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(count):
            obj = self._writers[plural](number, _BEGIN)
            await asyncio.sleep(max(0.0, began + seconds * number / count - loop.time()))
            self._version += 1
            for queue in tuple(self._watchers.get(plural, ())):
                await queue.put(b'{"type":"ADDED","object":' + obj + b"}\n")
        self._written[plural] = count
        return web.Response(text=f"{loop.time() - began:.1f}")


async def serve(folder: Path) -> None:
    """Serve until cancelled."""
    root = make_root(current())
    pair = make_serving(root, current())
    (folder / "api.pem").write_bytes(pair.chain + pair.key)
    (folder / "ca.pem").write_bytes(root.certificate.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "api.pem")
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", HostileApi().handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    (folder / "port.new").write_text(str(runner.addresses[0][1]))
    (folder / "port.new").rename(folder / "port")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
