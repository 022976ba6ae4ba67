"""Plane specs about probes and MACs, for `tests.support.plane_corpus`."""

from __future__ import annotations

from typing import Any

IPVLAN: dict[str, Any] = {"type": "ipvlan", "master": "eth1"}
VLAN: dict[str, Any] = {"type": "vlan", "master": "eth1", "vlan": 5}
NAD_REF: dict[str, Any] = {
    "network": {"nadRef": {"namespace": "shop", "name": "eth.1"}},
    "subnets": None,
}

ACCEPTED_USES: dict[str, dict[str, Any]] = {
    "addresses that are probed": {"ipam": {"conflictDetection": "Probe"}},
    "addresses that are probed slowly": {
        "ipam": {
            "conflictDetection": "Probe",
            "probe": {"count": 5, "intervalMilliseconds": 500, "waitMilliseconds": 1000},
        }
    },
    "an ipvlan that probes": {
        "network": {**IPVLAN, "mode": "l2"},
        "ipam": {"conflictDetection": "Probe"},
    },
    "addresses that are not probed": {"ipam": {"conflictDetection": "None"}},
    "MACs from addresses": {"mac": {"source": "FromIP"}},
    "MACs with a prefix": {"mac": {"source": "FromIP", "prefix": "0A:58"}},
}

REFUSED_USES: dict[str, tuple[dict[str, Any], str]] = {
    "probes that nobody sends": ({"ipam": {"probe": {"count": 1}}}, "addresses are not probed"),
    "too many probes": (
        {"ipam": {"conflictDetection": "Probe", "probe": {"count": 6}}},
        "ipam.probe.count",
    ),
    "probes without a pause": (
        {"ipam": {"conflictDetection": "Probe", "probe": {"intervalMilliseconds": 19}}},
        "ipam.probe.intervalMilliseconds",
    ),
    "a long wait for answers": (
        {"ipam": {"conflictDetection": "Probe", "probe": {"waitMilliseconds": 1001}}},
        "ipam.probe.waitMilliseconds",
    ),
    "another detection": ({"ipam": {"conflictDetection": "Arping"}}, "conflictDetection"),
    "probes of a NAD's addresses": (
        {**NAD_REF, "ipam": {"conflictDetection": "Probe"}},
        "only addresses that the plane hands out",
    ),
    "probes of an ipvlan without ARP": (
        {
            "network": {**IPVLAN, "mode": "l3"},
            "ipam": {"conflictDetection": "Probe"},
        },
        "has no ARP",
    ),
    "MACs from a NAD's addresses": (
        {**NAD_REF, "mac": {"source": "FromIP"}},
        "addresses that the plane hands out",
    ),
    "MACs of an ipvlan": (
        {"network": IPVLAN, "mac": {"source": "FromIP"}},
        "their master's",
    ),
    "MACs of a vlan": ({"network": VLAN, "mac": {"source": "FromIP"}}, "their master's"),
    "a prefix of chosen MACs": ({"mac": {"prefix": "02:00"}}, "set source to FromIP"),
    "a multicast prefix": ({"mac": {"source": "FromIP", "prefix": "03:00"}}, "mac.prefix"),
    "a manufacturer's prefix": ({"mac": {"source": "FromIP", "prefix": "00:50"}}, "mac.prefix"),
    "a long prefix": ({"mac": {"source": "FromIP", "prefix": "02:00:00"}}, "mac.prefix"),
}
"""Each with a part of what the API server says."""
