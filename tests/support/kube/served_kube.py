"""A `FakeKube` behind HTTPS, for commands that find their API server by a kubeconfig."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from aiohttp import web

from planes.kube import resources
from planes.kube.api import Query
from planes.kube.resources import Resource
from planes.model.errors import BadInput, Conflict, JsonObject, NotFound
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.scripted_api import (
    Answer,
    ScriptedApi,
    refuses,
    says,
    scripted_api,
    status_object,
)

_KINDS: Final = [one for one in vars(resources).values() if isinstance(one, Resource)]


@asynccontextmanager
async def served(kube: FakeKube, folder: Path, *refused: Resource) -> AsyncIterator[Path]:
    """Serve a cluster inside the block, as `serve` does; yield a kubeconfig in `folder`."""
    async with scripted_api(folder) as api:
        api.otherwise(serve(kube, *refused))
        yield write_kubeconfig(folder / "kubeconfig", api)


def serve(kube: FakeKube, *refused: Resource) -> Answer:
    """Answer any request out of a cluster, but watches and patches.

    A list comes in pages of one moment where the request has a limit. Kinds that are refused may
    not be listed, in the words of kube-apiserver.
    """
    pages = _Pages(kube)

    async def answer(request: web.Request) -> web.StreamResponse:
        resource, namespace, name = _place(request.path)
        if resource in refused and not name:
            return await refuses(403, "Forbidden", _no_right(resource, namespace))(request)
        try:
            if request.method != "GET":
                found = await _write(kube, request, resource, namespace, name)
            elif name:
                is_partial = _is_partial(request)
                found = await kube.get(
                    resource, name, namespace=namespace, is_metadata_only=is_partial
                )
            else:
                found = await pages.answer(request, resource, namespace)
        except NotFound as error:
            found = status_object(404, "NotFound", error.message)
        except BadInput as error:
            found = status_object(400, "BadRequest", error.message)
        except Conflict as error:
            found = status_object(409, "Conflict", error.message)
        return await says(found, found.get("code", 200))(request)

    return answer


def write_kubeconfig(path: Path, api: ScriptedApi) -> Path:
    """Write a kubeconfig of the server with one context, `prod`; its user is kim."""
    authority = path.with_suffix(".crt")
    authority.write_bytes(api.root.certificate.pem)
    cluster = {"server": api.access.server, "certificate-authority": str(authority)}
    config: dict[str, Any] = {
        "current-context": "prod",
        "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "kim"}}],
        "clusters": [{"name": "prod", "cluster": cluster}],
        "users": [{"name": "kim", "user": {"token": "t"}}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


class _Pages:
    """The rest of each list that was not read to its end, by its token."""

    def __init__(self, kube: FakeKube) -> None:
        self._kube = kube
        self._rest: dict[str, tuple[str, list[JsonObject]]] = {}
        self._tokens = map(str, count(1))

    async def answer(self, request: web.Request, resource: Resource, namespace: str) -> JsonObject:
        """Return a page of a list; 410 for a token that was never given, or was used."""
        if token := request.query.get("continue"):
            if token not in self._rest:
                return status_object(410, "Expired", "the provided continue parameter is too old")
            version, items = self._rest.pop(token)
        else:
            version, items = await self._listed(request, resource, namespace)
        most = int(request.query.get("limit", "0")) or len(items)
        metadata = {"resourceVersion": version}
        if len(items) > most:
            metadata["continue"] = next(self._tokens)
            self._rest[metadata["continue"]] = version, items[most:]
        return {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items[:most]}

    async def _listed(
        self, request: web.Request, resource: Resource, namespace: str
    ) -> tuple[str, list[JsonObject]]:
        labels, fields = (request.query.get(f"{what}Selector", "") for what in ("label", "field"))
        query = Query(resource, namespace, labels, fields, _is_partial(request))
        items = [obj async for page in self._kube.pages(query) for obj in page.items]
        return self._kube.resource_version, items


async def _write(
    kube: FakeKube, request: web.Request, resource: Resource, namespace: str, name: str
) -> JsonObject:
    body = orjson.loads(await request.read())
    if request.method == "POST":
        return await kube.create(resource, body, namespace=namespace)
    if request.method == "PUT":
        return await kube.replace(resource, body)
    if request.method == "DELETE":
        given = body.get("preconditions", {})
        uid, version = given.get("uid", ""), given.get("resourceVersion", "")
        await kube.delete(resource, name, namespace=namespace, uid=uid, resource_version=version)
        return {"kind": "Status", "status": "Success"}
    return status_object(405, "MethodNotAllowed")


def _is_partial(request: web.Request) -> bool:
    return "PartialObjectMetadata" in request.headers.get("Accept", "")


def _no_right(resource: Resource, namespace: str) -> str:
    place = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    head = f"{resource.plural}.{resource.group}".rstrip(".")
    return (
        f'{head} is forbidden: User "kim" cannot list resource "{resource.plural}" in API group '
        f'"{resource.group}" {place}'
    )


def _place(path: str) -> tuple[Resource, str, str]:
    """Return resource, namespace and name of a path."""
    parts = path.strip("/").split("/")
    for resource in _KINDS:
        head = resource.path().strip("/").split("/")
        root, plural = head[:-1], head[-1]
        rest = parts[len(root) :]
        if parts[: len(root)] != root or not rest:
            continue
        if rest[0] == plural and len(rest) <= 2:
            return resource, "", rest[1] if len(rest) > 1 else ""
        if resource.is_namespaced and rest[0] == "namespaces" and plural in rest[2:3]:
            return resource, rest[1], rest[3] if len(rest) > 3 else ""
    raise AssertionError(f"nothing is served at {path}")
