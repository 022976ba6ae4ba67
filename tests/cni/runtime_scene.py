"""The scene of most runtime tests: pod shop/web with two NADs, in a namespace with a plane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from planes.model.objects import Nad, Namespace, Pod
from tests.support.cni.runtime import Bench
from tests.support.planes import make_plane
from tests.support.store import FakeStore

JsonObject = dict[str, Any]

DEFAULT: JsonObject = {
    "cniVersion": "1.0.0",
    "name": "cluster",
    "plugins": [
        {"type": "one", "ip": "10.0.0.5/24"},
        {"type": "meta", "capabilities": {"portMappings": True}},
    ],
}
CHAIN: JsonObject = {
    "cniVersion": "1.0.0",
    "name": "chain",
    "plugins": [
        {"type": "two", "ip": "10.1.0.5/24", "capabilities": {"ips": True}},
        {"type": "meta"},
    ],
}
INSIDE: JsonObject = {
    "cniVersion": "1.0.0",
    "name": "inside",
    "type": "inside",
    "ip": "10.2.0.5/24",
}


def shop_store(**annotations: str) -> FakeStore:
    """Return a store: namespace shop joins plane `business` and has NADs `chain` and `inside`."""
    networks = annotations.pop("networks", "chain, inside")
    return FakeStore(
        planes=[make_plane("business", network={"type": "macvlan", "master": "eth1"})],
        nads=[
            Nad("shop", "chain", json.dumps(CHAIN)),
            Nad("shop", "inside", json.dumps(INSIDE)),
        ],
        namespaces=[
            Namespace("shop", {"plane.netplane.io/business": "enabled"}),
            Namespace("plain"),
        ],
        pods=[
            Pod("shop", "web", uid="u1", annotations={"k8s.v1.cni.cncf.io/networks": networks}),
        ],
    )


async def bench(root: Path, store: FakeStore | None = None, **options: Any) -> Bench:
    """Return an open runtime in that scene; binaries stand in for macvlan too."""
    made = await Bench(
        root, store or shop_store(), options.pop("default", DEFAULT), **options
    ).open()
    made.exec.scripts["macvlan"] = made.exec.scripts["one"]
    return made
