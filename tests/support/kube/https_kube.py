"""A `FakeKube` behind HTTPS, for commands that find their API server by a kubeconfig."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from aiohttp import web

from planes.kube import resources
from planes.kube.api import Query
from planes.kube.resources import Resource
from planes.model.errors import NotFound
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.scripted_api import refuses, says, scripted_api

_RESOURCES = {
    (one.group, one.version, one.plural): one
    for one in vars(resources).values()
    if isinstance(one, Resource)
}
_MOST_REQUESTS = 10_000


@asynccontextmanager
async def served(kube: FakeKube, folder: Path) -> AsyncIterator[Path]:
    """Answer reads from `kube` inside the block; yield a kubeconfig, `folder/config`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await _answer(kube, request)

    async with scripted_api(folder) as api:
        api.then(*[answer] * _MOST_REQUESTS)
        (folder / "ca.crt").write_bytes(api.root.certificate.pem)
        cluster = {"server": api.access.server, "certificate-authority": "ca.crt"}
        content = {
            "current-context": "prod",
            "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (folder / "config").write_text(yaml.safe_dump(content))
        yield folder / "config"


async def _answer(kube: FakeKube, request: web.Request) -> web.StreamResponse:
    """Answer a get or a list; a list has one page."""
    resource, namespace, name = _place(request.path)
    is_metadata = "PartialObjectMetadata" in request.headers["Accept"]
    if request.method != "GET":
        return await refuses(405, "MethodNotAllowed")(request)
    if name:
        try:
            found = await kube.get(resource, name, namespace=namespace)
        except NotFound as error:
            return await refuses(404, "NotFound", error.message)(request)
        return await says(found)(request)
    labels, fields = (request.query.get(f"{what}Selector", "") for what in ("label", "field"))
    query = Query(resource, namespace, labels, fields, is_metadata_only=is_metadata)
    items = [obj async for page in kube.pages(query) for obj in page.items]
    metadata = {"resourceVersion": kube.resource_version}
    return await says({"kind": "List", "metadata": metadata, "items": items})(request)


def _place(path: str) -> tuple[Resource, str, str]:
    """Return resource, namespace and name of a path."""
    _, root, *parts = path.split("/")
    group = parts.pop(0) if root == "apis" else ""
    version, namespace = parts.pop(0), ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    return _RESOURCES[group, version, parts[0]], namespace, parts[1] if len(parts) > 1 else ""
