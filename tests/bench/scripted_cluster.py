"""A large cluster as an API server would list it: 50 planes, 2,000 NADs, namespaces, pods.

Three pods in ten are on three planes, with annotations and network-status; the others carry a
status of the default network only. Objects are made page by page, as bytes, and decoded like those
of a real answer: nothing of the cluster itself stays in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from planes.kube.api import Change, Kind, Page, Query
from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, PLANES, PODS
from planes.model.errors import JsonObject
from tests.bench.review_cases import namespace_objects, plane_objects
from tests.support.kube.fake_kube import FakeKube

NADS_COUNT: Final = 2000
_PAGE: Final = 500
_PLANES_OF_POD: Final = 3
_FIRST_VERSION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """How many objects there are."""

    namespaces: int = 5000
    pods: int = 150_000


def nad_object(number: int, config: str = "") -> JsonObject:
    """Return a hand-written NAD."""
    network = {
        "cniVersion": "1.0.0",
        "name": f"nad-{number}",
        "type": "bridge",
        "bridge": f"br{number % 100}",
        "ipam": {"type": "host-local", "ranges": [[{"subnet": f"10.200.{number % 250}.0/24"}]]},
    }
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": f"nad-{number}", "namespace": f"team-{number}"},
        "spec": {"config": config or orjson.dumps(network).decode()},
    }


def pod_metadata(number: int, size: Size) -> JsonObject:
    """Return a pod's metadata as the API server keeps it, of some 2 to 3 kB."""
    namespace, name = f"team-{number % size.namespaces}", f"web-7c9d8f6b5d-{number:06x}"
    uid = f"00000000-0000-4000-8000-{number:012x}"
    return {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "resourceVersion": str(number + 1),
        "creationTimestamp": "2026-11-21T08:00:00Z",
        "generateName": "web-7c9d8f6b5d-",
        "labels": {
            "app.kubernetes.io/name": "web",
            "app.kubernetes.io/instance": f"web-{namespace}",
            "pod-template-hash": "7c9d8f6b5d",
        },
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "web-7c9d8f6b5d",
                "uid": f"11111111-0000-4000-8000-{number:012x}",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
        "annotations": _annotations(number),
        "managedFields": _MANAGED,
    }


def _annotations(number: int) -> dict[str, str]:
    default = {
        "name": "cbr0",
        "interface": "eth0",
        "ips": [f"10.{64 + number // 65536}.{number // 256 % 256}.{number % 256}"],
        "mac": "0a:58:0a:40:00:01",
        "default": True,
        "dns": {},
    }
    if number % 10 >= _PLANES_OF_POD:
        return {"k8s.v1.cni.cncf.io/network-status": _text([default])}
    planes = [(number + step * 7) % 50 for step in range(_PLANES_OF_POD)]
    status = [
        {
            "name": f"netplane-system/plane-{plane}",
            "interface": f"net{place + 1}",
            "ips": [f"10.{plane}.{1 + number // 250 % 99}.{number % 250}"],
            "mac": "0a:58:0a:09:00:07",
            "dns": {},
        }
        for place, plane in enumerate(planes)
    ]
    asked = ",".join(f"netplane-system/plane-{plane}@net{i + 1}" for i, plane in enumerate(planes))
    return {
        "k8s.v1.cni.cncf.io/networks": asked,
        "k8s.v1.cni.cncf.io/network-status": _text([default, *status]),
        "netplane.io/injected": _text({"planes": planes, "hash": "0123456789abcdef"}),
    }


def _managed(manager: str) -> JsonObject:
    fields: JsonObject = {f"f:field{number}": {".": {}, "f:value": {}} for number in range(20)}
    return {"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsV1": fields}


_MANAGED: Final = orjson.Fragment(
    orjson.dumps([_managed("kube-controller-manager"), _managed("kubelet")])
)


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


class ScriptedCluster(FakeKube):
    """An API server that lists a large cluster, and sends the watches what a test gives it.

    Everything but `pages` and `watch` is a `FakeKube`'s.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self._size = size
        self._changes: dict[str, asyncio.Queue[bytes]] = {}

    async def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        """List the cluster's objects of a kind, decoding each page as it comes."""
        make, count = self._source(query)
        for start in range(0, count, _PAGE):
            numbers = range(start, min(start + _PAGE, count))
            data = orjson.dumps({"items": [make(number) for number in numbers]})
            await asyncio.sleep(0)  # what made the page is not what is measured
            yield Page(orjson.loads(data)["items"], str(_FIRST_VERSION))

    async def watch(self, query: Query, resource_version: str) -> AsyncGenerator[Change, None]:
        """Yield the changes that were given to `send`."""
        del resource_version
        queue = self._changes.setdefault(query.resource.plural, asyncio.Queue())
        while True:
            yield Change(Kind.MODIFIED, orjson.loads(await queue.get()))

    def send(self, plural: str, objects: Iterable[JsonObject]) -> None:
        """Send these to the watch of a kind, as changed."""
        queue = self._changes.setdefault(plural, asyncio.Queue())
        for obj in objects:
            queue.put_nowait(orjson.dumps(obj))

    def changed_pods(self, count: int) -> Iterator[JsonObject]:
        """Return pods of the cluster that ask for an address on their first plane."""
        for number in range(0, count * 10, 10):
            meta = pod_metadata(number, self._size)
            address = f"11.{number // 65536}.{number // 256 % 256}.{number % 256}"
            network = f"plane-{number % 50}"
            asked = [{"name": network, "namespace": "netplane-system", "ips": [address]}]
            meta["annotations"]["k8s.v1.cni.cncf.io/networks"] = _text(asked)
            yield {"metadata": {**meta, "resourceVersion": str(_FIRST_VERSION + number)}}

    def _source(self, query: Query) -> tuple[Callable[[int], JsonObject], int]:
        planes, namespaces = plane_objects(), namespace_objects()[: self._size.namespaces]
        return {
            PLANES: (lambda number: planes[number], len(planes)),
            NADS: (nad_object, NADS_COUNT),
            NAMESPACES: (lambda number: namespaces[number], len(namespaces)),
            IPBLOCKS: (lambda number: {"metadata": {"name": str(number)}}, 0),
            PODS: (lambda n: {"metadata": pod_metadata(n, self._size)}, self._size.pods),
        }[query.resource]
