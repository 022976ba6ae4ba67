"""A cluster with a tenant in it who writes NADs and pods to hurt: objects as bytes.

The NADs are as costly as the API server lets them be, each in another way: config, brackets,
quotes, labels, owners of fields, annotations; and most of them keep to every bound.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, PLANES, PODS
from planes.model.errors import JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATUS_ANNOTATION
from tests.bench.review_cases import namespace_objects, plane_objects

NAMESPACE: Final = "evil"
_NAME: Final = "an-object-of-the-tenant"
_NAMESPACES: Final = 1500
_ADDRESSES: Final = 18_000


def friendly(plural: str) -> list[bytes]:
    """Return the objects of a kind that were there before the attack."""
    evil = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    found: dict[str, list[JsonObject]] = {
        PLANES.plural: plane_objects(),
        NAMESPACES.plural: [*namespace_objects()[:_NAMESPACES], evil],
        NADS.plural: [_nad(_bridge(number), name=f"lan-{number}") for number in range(50)],
        PODS.plural: [],
        IPBLOCKS.plural: [],
    }
    return [orjson.dumps(_dated(obj)) for obj in found.get(plural, [])]


class HostileNads:
    """NADs of a tenant, made anew one by one: five in sixteen are as large as they can be."""

    def __init__(self) -> None:
        self._kinds = [orjson.dumps(_dated(one)) for one in _hostile_nads()]

    def __call__(self, number: int, version: int) -> bytes:
        """Return the NAD of a number."""
        return _renamed(self._kinds[number % len(self._kinds)], f"nad-{number:05}", version)


class HostilePods:
    """Metadata of pods that claim 18,000 addresses each, half by either annotation."""

    def __init__(self) -> None:
        addresses = [f"10.0.{n // 250 % 250}.{n % 250 + 1}" for n in range(_ADDRESSES)]
        half = len(addresses) // 2
        place = "netplane-system"
        asked = [{"name": "plane-0", "namespace": place, "ips": addresses[:half]}]
        shown = [{"name": f"{place}/plane-0", "interface": "net1", "ips": addresses[half:]}]
        annotations = {
            NETWORKS_ANNOTATION: orjson.dumps(asked).decode(),
            STATUS_ANNOTATION: orjson.dumps(shown).decode(),
        }
        self._whole = orjson.dumps(_dated({"metadata": _metadata(annotations=annotations)}))

    def __call__(self, number: int, version: int) -> bytes:
        """Return the pod of a number."""
        return _renamed(self._whole, f"pod-{number:05}", version)


def _hostile_nads() -> list[JsonObject]:
    ranges = [[{"subnet": f"10.{n}.0.0/24"}] for n in range(64)]
    routes = [{"dst": f"10.{n}.0.0/16", "gw": "10.0.0.1"} for n in range(250)]
    return [
        _nad('{"type":"bridge","x":"' + "x" * (1500 << 10) + '"}'),
        _nad('{"type":"bridge","x":[' + "[]," * 400_000 + "0]}"),
        _nad('{"type":"bridge","x":"' + r"\"" * (350 << 10) + '"}'),
        _nad(_bridge(1), labels={f"l{n}": "" for n in range(100_000)}),
        _nad(_bridge(1), managedFields=[{"fieldsV1": {f"f:{n}": {} for n in range(90_000)}}]),
        _nad(_bridge(1), annotations={f"a/{n}": "" for n in range(20_000)}),
        *[_nad(_bridge(1, ranges=ranges, routes=routes))] * 5,
        *[_nad('{"type":"bridge","x":[' + "{}," * 1000 + "0]}")] * 5,
    ]


def _bridge(number: int, **ipam: Any) -> str:
    network = {"cniVersion": "1.0.0", "type": "bridge", "bridge": f"br{number}"}
    return orjson.dumps({**network, "ipam": {"type": "host-local", **ipam}}).decode()


def _nad(config: str, **metadata: Any) -> JsonObject:
    return {
        "apiVersion": NADS.api_version,
        "kind": NADS.kind,
        "metadata": _metadata(**metadata),
        "spec": {"config": config},
    }


def _metadata(**more: Any) -> JsonObject:
    """Return metadata as an API server writes it of such kinds: keys in their order."""
    meta = {"name": _NAME, "namespace": NAMESPACE, "uid": f"uid-of-{_NAME}", **more}
    return dict(sorted(meta.items()))


def _dated(obj: JsonObject) -> JsonObject:
    meta = {"creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1", **obj["metadata"]}
    return {**obj, "metadata": dict(sorted(meta.items()))}


def _renamed(whole: bytes, name: str, version: int) -> bytes:
    named = whole.replace(_NAME.encode(), name.encode())
    return named.replace(b'"resourceVersion":"1"', b'"resourceVersion":"%d"' % version)
