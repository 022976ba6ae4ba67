"""Manifests with any content: a daemon that watches them does not crash."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from planes.model.decide.decision import decide
from planes.model.objects import Namespace, Pod
from planes.model.state.catalog import Catalog
from planes.store.manifests import BrokenFileError, read_manifests
from planes.store.snapshot import Snapshot
from tests.support.planes import plane_object

_scalars = (
    st.none() | st.booleans() | st.integers(-5, 70000) | st.text(max_size=8) | st.floats(0, 9)
)
_values = st.recursive(
    _scalars | st.sampled_from(["10.9.0.0/24", "10.9.0.5", "fd00::/64", "macvlan", "shop", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
_FULL: list[Any] = [
    plane_object(
        purpose="x",
        namespaceSelector={"matchLabels": {"a": "b"}},
        interface="net1",
        order=1,
        ipam={"mode": "Plane", "cooldownSeconds": 1},
        staticIPs={"allow": "Any", "reservations": [{"ip": "10.9.0.9", "namespace": "shop"}]},
        routes=[{"dst": "10.0.0.0/8"}],
        bandwidth={"ingressRate": 1000, "ingressBurst": 1000},
        quota={"addressesPerNamespace": 5},
    ),
    {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "n", "namespace": "shop", "annotations": {"a": "b"}},
        "spec": {"config": '{"cniVersion":"1.0.0","type":"macvlan","ipam":{"type":"static"}}'},
    },
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "shop", "labels": {"plane.netplane.io/business": "enabled"}},
    },
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-0",
            "namespace": "shop",
            "labels": {"a": "b"},
            "ownerReferences": [{"kind": "StatefulSet", "name": "web", "controller": True}],
            "annotations": {
                "k8s.v1.cni.cncf.io/networks": "n",
                "k8s.v1.cni.cncf.io/network-status": "[]",
                "netplane.io/static-ips": '{"business": ["10.9.0.9"]}',
            },
        },
        "spec": {"nodeName": "n", "hostNetwork": False},
        "status": {"phase": "Running"},
    },
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children: Any = value.items() if isinstance(value, dict) else ()
    for key, child in enumerate(value) if isinstance(value, list) else children:
        found += _places(child, (*path, key))
    return found


def _changed(value: Any, path: tuple[Any, ...], fresh: Any) -> Any:
    if not path:
        return fresh
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _changed(value[path[0]], path[1:], fresh)
    return copy


@st.composite
def _hostile(draw: st.DrawFn) -> list[Any]:
    objects = _FULL
    for _ in range(draw(st.integers(1, 3))):
        objects = _changed(objects, draw(st.sampled_from(_places(objects))), draw(_values))
        if not isinstance(objects, list) or not _places(objects):
            break
    return objects


@given(_hostile())
@settings(max_examples=250, deadline=None)
def test_any_object_is_taken_named_or_passed_over(objects: list[Any]) -> None:
    """And what is taken can be indexed, and decided upon."""
    content = read_manifests(
        json.dumps(objects and {"kind": "List", "items": objects}).encode(), "m.json"
    )
    state = Snapshot(Catalog()).renewed(content.manifests, {("shop", "web-0"): "[{"})
    for pod in state.pods.values():
        decide(pod, state.namespaces.get(pod.namespace) or Namespace(pod.namespace), state.catalog)
    decide(Pod("shop", "new"), Namespace("shop"), state.catalog)


@given(st.binary(max_size=80), st.sampled_from(["m.json", "m.yaml"]))
@settings(max_examples=150, deadline=None)
def test_any_file_is_read_or_named(data: bytes, name: str) -> None:
    try:
        read_manifests(data, name)
    except BrokenFileError as error:
        where = error.problem.where
    else:
        where = f"{name}:1"
    assert where.startswith(f"{name}:")
