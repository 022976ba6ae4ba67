"""Planes for tests: the shortest spec that says what a test is about."""

from __future__ import annotations

from typing import Any

from planes.model.errors import JsonObject
from planes.model.spec.plane import API_VERSION, parse_plane
from planes.model.spec.plane_spec import Plane


def plane_object(name: str = "business", **spec: Any) -> JsonObject:
    """Return a Plane manifest: a macvlan with 10.9.0.0/24 where the test says nothing else."""
    spec.setdefault("network", {"type": "macvlan", "master": "eth1"})
    spec.setdefault("subnets", [{"cidr": "10.9.0.0/24", "gateway": "10.9.0.1"}])
    return {
        "apiVersion": API_VERSION,
        "kind": "Plane",
        "metadata": {"name": name},
        "spec": spec,
    }


def make_plane(name: str = "business", **spec: Any) -> Plane:
    """Return a Plane value, see `plane_object`."""
    return parse_plane(plane_object(name, **spec))
