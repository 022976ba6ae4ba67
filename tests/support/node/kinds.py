"""Kinds of links that many kernels lack, and whether this one has them."""

from __future__ import annotations

import subprocess
from functools import cache

from tests.support.node.netns import namespace, why_no_kernel_tests

KINDS = {
    "ipvlan": "link add y0 link x0 type ipvlan mode l2",
    "vlan": "link add y0 link x0 type vlan id 5",
    "vrf": "link add y0 type vrf table 10",
    "dummy": "link add y0 type dummy",
    "vlan-filtering": "link add y0 type bridge vlan_filtering 1",
}
"""How to make a link of each."""


@cache
def why_no_kind(kind: str) -> str:
    """Return why links of a kind cannot be made here; "" where they can."""
    if reason := why_no_kernel_tests():
        return reason
    with namespace("probe") as probe:
        for line in ("link add x0 type veth peer name x1", KINDS[kind]):
            command = ["ip", "-n", probe.name, *line.split()]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"this kernel has no {kind}: {done.stderr.strip()}"
