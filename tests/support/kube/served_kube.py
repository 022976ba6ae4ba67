"""A `FakeKube` behind the scripted HTTPS server, for commands as a user types them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from planes.kube import resources
from planes.kube.api import Query
from planes.kube.resources import Resource
from planes.model.errors import Conflict, JsonObject, NotFound
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.scripted_api import Answer, ScriptedApi, says, status_object

_KINDS = [one for one in vars(resources).values() if isinstance(one, Resource)]


def serve(kube: FakeKube, *refused: Resource) -> Answer:
    """Answer any request out of a cluster; kinds that are refused may not be listed.

    A list is one page.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        resource, namespace, name = _place(request.path)
        if resource in refused and not name:
            text = f'{resource.plural} is forbidden: User "kim" cannot list resource'
            return await says(status_object(403, "Forbidden", text), 403)(request)
        try:
            return await says(await _answer(kube, request, resource, namespace, name))(request)
        except NotFound as error:
            return await says(status_object(404, "NotFound", str(error)), 404)(request)
        except Conflict as error:
            return await says(status_object(409, "Conflict", str(error)), 409)(request)

    return answer


def write_kubeconfig(path: Path, api: ScriptedApi) -> Path:
    """Write a kubeconfig of the server, without credentials."""
    authority = path.with_suffix(".crt")
    authority.write_bytes(api.root.certificate.pem)
    cluster = {"server": api.access.server, "certificate-authority": str(authority)}
    config: dict[str, Any] = {
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "kim"}}],
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "kim", "user": {"token": "t"}}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


async def _answer(
    kube: FakeKube, request: web.Request, resource: Resource, namespace: str, name: str
) -> JsonObject:
    is_partial = "PartialObjectMetadata" in request.headers.get("Accept", "")
    if name:
        return await kube.get(resource, name, namespace=namespace, is_metadata_only=is_partial)
    query = Query(
        resource,
        namespace,
        request.query.get("labelSelector", ""),
        request.query.get("fieldSelector", ""),
        is_partial,
    )
    items = [obj async for page in kube.pages(query) for obj in page.items]
    metadata = {"resourceVersion": kube.resource_version or "1"}
    return {"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items}


def _place(path: str) -> tuple[Resource, str, str]:
    parts = path.strip("/").split("/")
    for resource in _KINDS:
        head = resource.path().strip("/").split("/")
        root, plural = head[:-1], head[-1]
        rest = parts[len(root) :]
        if parts[: len(root)] != root or not rest:
            continue
        if rest[0] == plural:
            return resource, "", rest[1] if len(rest) > 1 else ""
        if resource.is_namespaced and rest[0] == "namespaces" and plural in rest[2:3]:
            return resource, rest[1], rest[3] if len(rest) > 3 else ""
    raise AssertionError(f"nothing is served at {path}")
