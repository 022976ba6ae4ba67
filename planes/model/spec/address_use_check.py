"""Check that a plane's network can do what the plane says of probes and MACs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from planes.model.errors import Finding
from planes.model.spec.plane_spec import IpamMode, Plane

TYPES_WITH_MAC: Final = ("macvlan", "bridge", "sriov", "host-device")
"""A vlan or ipvlan has the MAC of its master."""


def check_address_use(plane: Plane) -> Iterator[Finding]:
    """Yield a finding for probes, or MACs from addresses, that the network cannot have."""
    hands_out = plane.ipam_mode is IpamMode.PLANE
    network = plane.network
    if plane.probe is not None:
        field = "spec.ipam.conflictDetection"
        if not hands_out:
            yield Finding(
                field,
                "cannot probe addresses that the plane does not hand out",
                "use ipam.mode Plane, or conflictDetection None",
            )
        if network is not None and network.type == "ipvlan" and network.mode in {"l3", "l3s"}:
            yield Finding(
                field,
                f"cannot probe addresses of an ipvlan in mode {network.mode}: it has no ARP",
                "use mode l2, or conflictDetection None",
            )
    if plane.macs is not None:
        field = "spec.mac.source"
        if not hands_out:
            yield Finding(
                field,
                "cannot make MACs from addresses that the plane does not hand out",
                "use ipam.mode Plane, or source Random",
            )
        if network is not None and network.type not in TYPES_WITH_MAC:
            yield Finding(
                field,
                f"cannot give interfaces of type {network.type} MACs: they have their master's",
                f"use {', '.join(TYPES_WITH_MAC)}, or source Random",
            )
