"""What attacks by wishes share: who declares every capability, and what plugins got to see."""

from __future__ import annotations

import json

from tests.support.cni.runtime import Bench

ALL_CAPABILITIES = {
    "ips": True,
    "mac": True,
    "portMappings": True,
    "bandwidth": True,
    "deviceID": True,
    "infinibandGUID": True,
    "ipRanges": True,
    "dns": True,
    "aliases": True,
    "cgroupPath": True,
    "io.kubernetes.cri.pod-annotations": True,
}
"""A plugin with these hides nothing of what it is passed."""


def seen_by_plugins(made: Bench, ifname: str) -> str:
    """Return all that plugins of an interface read: stdin and environment, as one text."""
    calls = [call for call in made.exec.calls if call.ifname == ifname]
    assert calls
    return "\n".join(json.dumps([call.conf, dict(call.env)]) for call in calls)
