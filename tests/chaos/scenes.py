"""What the worlds are like: planes and their versions, how many nodes, what happens how often."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_network
from typing import Any

from planes.model.spec.plane_spec import Plane
from tests.support.planes import make_plane

PLANE = "business"
IFNAME = "net1"

OFTEN: Mapping[str, int] = {
    "attach": 240,
    "detach": 200,
    "kill": 10,
    "reboot": 2,
    "replace": 3,
    "collect": 5,
    "again": 8,
    "wait": 14,
    "cut": 8,
    "stall": 8,
    "cordon": 3,
    "elect": 1,
    "force": 8,
    "cut off": 3,
    "vanish": 2,
    "leave": 2,
    "shut down": 2,
}


@dataclass(frozen=True)
class Scene:
    """One kind of world.

    Attributes:
        specs: of the plane, versions that nodes may see; the last one is the last.
        usable: how many addresses the last one can hand out, static ones included.
        nodes: how many there are.
        static: addresses that pods ask for.
        weights: how often what happens.
        mirrors: the share of static pods, which stay and whose mirrors are made anew.
        share: how often it is played, as against others.
        faults: of 1,000 stops of requests so many are not passed.
        crowding: a node attaches while the plane has fewer attachments than this.
    """

    name: str
    specs: Sequence[Mapping[str, Any]]
    usable: int
    nodes: int
    crowding: int
    static: Sequence[str] = ()
    weights: Mapping[str, int] = field(default_factory=lambda: OFTEN)
    faults: int = 40
    mirrors: float = 0.03
    share: int = 1

    @cached_property
    def planes(self) -> list[Plane]:
        """The versions of the plane."""
        return [make_plane(PLANE, **dict(spec)) for spec in self.specs]

    @cached_property
    def allowed(self) -> frozenset[str]:
        """All addresses of all subnets but the first and last one of each."""
        found: set[str] = set()
        for spec in self.specs:
            for subnet in spec["subnets"]:
                found.update(str(host) for host in ip_network(subnet["cidr"]).hosts())
        return frozenset(found)

    @cached_property
    def dynamic(self) -> frozenset[str]:
        """Those of them that nobody asks for."""
        return self.allowed.difference(self.static)


def _subnets(*cidrs: str, **more: Any) -> dict[str, Any]:
    return {"subnets": [{"cidr": cidr} for cidr in cidrs], **more}


_FIXED = {"cidr": "10.9.0.0/26", "staticRanges": ["10.9.0.32/28"]}
_WANTED = {"cidr": "10.9.0.0/28", "staticRanges": ["10.9.0.8/29"]}

SCENES: Sequence[Scene] = (
    Scene("roomy", [_subnets("10.9.0.0/24")], 254, 3, 180, faults=20, share=4),
    Scene("tight", [_subnets("10.9.0.0/27", ipam={"blockSize": 30})], 30, 4, 31),
    Scene("quarter", [_subnets("10.9.0.0/25")], 126, 2, 115, share=3),
    Scene("both families", [_subnets("10.9.0.0/27", "fd00:9::/123")], 60, 3, 28),
    Scene("resting", [_subnets("10.9.0.0/26", ipam={"cooldownSeconds": 7})], 62, 3, 50),
    Scene(
        "static",
        [{"subnets": [_FIXED], "staticIPs": {"allow": "Any"}}],
        62,
        3,
        55,
        static=[f"10.9.0.{n}" for n in range(32, 48)],
    ),
    Scene(
        "wanted",
        [{"subnets": [_WANTED], "staticIPs": {"allow": "Any"}}],
        14,
        3,
        13,
        static=[f"10.9.0.{n}" for n in range(8, 15)],
        weights={**OFTEN, "attach": 300, "force": 40, "wait": 20},
        mirrors=0.3,
    ),
    Scene(
        "changing",
        [
            _subnets("10.9.0.0/28", ipam={"blockSize": 29}),
            _subnets("10.9.0.0/27", ipam={"blockSize": 30}),
            {"subnets": [{"cidr": "10.9.0.0/26", "ranges": ["10.9.0.3-10.9.0.40"]}]},
            _subnets("10.9.0.0/26", ipam={"blockSize": 28}),
        ],
        62,
        4,
        50,
    ),
    Scene("one each", [_subnets("10.9.0.0/29", ipam={"blockSize": 32})], 6, 3, 8, faults=80),
)


def drawn(rng: random.Random) -> Scene:
    """Return the scene of a world."""
    return rng.choices(SCENES, [scene.share for scene in SCENES])[0]
