"""An API server of its own with planes, policies and users' roles, and the same objects as a store.

Policies concern every pod and namespace of a server, so tests of them share none with others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from planes.model.errors import JsonObject
from planes.model.names import JOINED_LABEL, PLANE_LABEL_PREFIX
from planes.model.objects import Nad, NadRef, Namespace
from planes.model.spec.plane import parse_plane
from planes.model.spec.plane_spec import REQUIRED
from tests.cluster.apiserver import ApiServer, running_api_server
from tests.cluster.rest import MANIFESTS, NAMESPACES, PLANES, Rest, pods, serve_planes, wait_for
from tests.support.plane_corpus import NAD_REF, corpus_plane
from tests.support.store import FakeStore

BY_EXPRESSIONS = {
    "matchLabels": {"tier": "web"},
    "matchExpressions": [
        {"key": "track", "operator": "NotIn", "values": ["canary"]},
        {"key": "zone", "operator": "In", "values": ["a", "b"]},
        {"key": "app", "operator": "Exists"},
        {"key": "legacy", "operator": "DoesNotExist"},
    ],
}
_SPECS: dict[str, dict[str, Any]] = {
    "business": {},
    "selected": {"podSelector": BY_EXPRESSIONS},
    "asked": {"attachment": "OnRequest"},
    "by-hand": NAD_REF,
    "by-label": {"namespaceSelector": {"matchLabels": {"team": "web"}}},
    "everywhere": {"allNamespaces": True, "podSelector": {"matchLabels": {"tier": "none"}}},
    "warning": {"enforcement": {"pods": "Warn"}},
}
PLANE_SPECS: dict[str, dict[str, Any]] = {
    name: {"network": {"type": "macvlan", "master": f"eth{number}"}, **spec}
    for number, (name, spec) in enumerate(_SPECS.items(), 1)
}
"""Planes, each on a wire of its own: all of them are in force."""
LABELS: dict[str, dict[str, str]] = {
    "shop": {"business": REQUIRED},
    "chosen": {"selected": REQUIRED},
    "asking": {"asked": REQUIRED},
    "hand": {"by-hand": REQUIRED},
    "unlabelled": {"by-label": REQUIRED},
    "labelled": {"by-label": REQUIRED},
    "covered": {"everywhere": REQUIRED},
    "warned": {"warning": REQUIRED},
    "free": {"business": "enabled"},
    "outside": {},
    "two": {"business": REQUIRED, "by-hand": REQUIRED},
}
"""Namespaces and their planes; `labelled` has the label that plane by-label selects."""


def namespace_object(name: str, planes: dict[str, str] | None = None) -> JsonObject:
    """Return a namespace manifest with plane labels, and the mark where it has any."""
    labels = {PLANE_LABEL_PREFIX + plane: value for plane, value in (planes or {}).items()}
    if planes:
        labels[JOINED_LABEL] = "true"
    if name == "labelled":
        labels["team"] = "web"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def policed_store() -> FakeStore:
    """Return the same objects as a store, with the NAD that plane by-hand names."""
    config = '{"cniVersion": "1.0.0", "name": "eth.1", "type": "macvlan", "master": "eth1"}'
    ref = NadRef("shop", "eth.1")
    return FakeStore(
        planes=[parse_plane(corpus_plane(spec, name)) for name, spec in PLANE_SPECS.items()],
        nads=[Nad(ref.namespace, ref.name, config)],
        namespaces=[
            Namespace.from_object(namespace_object(name, planes)) for name, planes in LABELS.items()
        ],
    )


@contextlib.contextmanager
def policed_server() -> Iterator[ApiServer]:
    """Run an API server with CRD, policies, roles, planes and namespaces, all in force."""
    with running_api_server() as server:
        rest = Rest(server)
        try:
            serve_planes(server, rest)
            for folder in ("policies", "user-roles"):
                server.kubectl("apply", "--server-side", "-k", str(MANIFESTS / "base" / folder))
            for name, spec in PLANE_SPECS.items():
                assert rest.create(PLANES, corpus_plane(spec, name)).is_success
            for name, planes in LABELS.items():
                assert rest.create(NAMESPACES, namespace_object(name, planes)).is_success
            _wait_until_in_force(rest)
        finally:
            rest.close()
        yield server


def _wait_until_in_force(rest: Rest) -> None:
    # The planes are created in this order and seen in it, so the last one stands for all.
    wait_for(lambda: rest.try_out(pods("warned"), plain_pod("warned")), lambda r: r.status == 403)
    joining = namespace_object("new", {"business": "enabled"})
    wait_for(
        lambda: rest.try_out(NAMESPACES, joining, user="nobody"),
        lambda reply: "may not put namespaces" in reply.message or "cannot create" in reply.message,
    )


def plain_pod(namespace: str, networks: str | None = None, **labels: str) -> JsonObject:
    """Return a pod, with a networks annotation where given."""
    meta: JsonObject = {"name": "web", "namespace": namespace, "labels": labels}
    if networks is not None:
        meta["annotations"] = {"k8s.v1.cni.cncf.io/networks": networks}
    spec = {"containers": [{"name": "main", "image": "app"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
