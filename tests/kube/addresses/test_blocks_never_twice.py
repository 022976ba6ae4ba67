"""No address twice in a cluster, whichever plane nodes see and whenever they crash.

Nodes see different generations of one plane: other block sizes, subnets, static ranges; or they
lend each other the addresses of a small plane, return blocks and take them back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.addresses.searching import AGAIN_SECONDS
from planes.kube.resources import IPBLOCKS, NODES
from tests.kube.addresses.played_cluster import Cluster, play
from tests.kube.addresses.stepped import settle
from tests.support.planes import make_plane

WANTING = make_plane(
    subnets=[{"cidr": "10.9.0.0/28", "staticRanges": ["10.9.0.2-10.9.0.5"]}],
    staticIPs={"allow": "Any"},
)
QUICK = settings(
    max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False
)


class Generations(Cluster):
    """Nodes see different generations of a plane."""

    planes = (
        make_plane(subnets=[{"cidr": "10.9.0.0/29"}]),
        WANTING,
        make_plane(
            subnets=[{"cidr": "10.9.0.0/28", "ranges": ["10.9.0.3-10.9.0.9"]}],
            staticIPs={"reservations": [{"ip": "10.9.0.6", "namespace": "ns"}]},
            ipam={"blockSize": 29},
        ),
        make_plane(subnets=[{"cidr": "10.9.0.0/27", "ranges": ["10.9.0.2/31", "10.9.0.4/30"]}]),
    )
    static: ClassVar[Mapping[int, tuple[str, ...]]] = {
        1: ("10.9.0.2", "10.9.0.3", "10.9.0.5"),
        2: ("10.9.0.6",),
    }
    actions = ["claim"] * 3 + ["release", "kill", "free"]


class Dying(Cluster):
    """Two static addresses are wanted by all, and machines are lost for good."""

    planes = (WANTING,)
    static: ClassVar[Mapping[int, tuple[str, ...]]] = {0: ("10.9.0.2", "10.9.0.3")}
    actions = ["claim"] * 4 + ["kill", "kill"] + ["free"] * 4
    keeps_disks = False
    always_asks = True


class Lending(Cluster):
    """Six addresses in two blocks for three nodes: they lend, return, take and take back."""

    planes = (make_plane(subnets=[{"cidr": "10.9.0.0/29"}], ipam={"blockSize": 30}),)
    actions = ["claim"] * 5 + ["release"] * 4 + ["kill", "cordon", "hurry"]
    longest_step = 4
    marks_lost = False  # a Node here is one that is cordoned

    def __init__(self, data: st.DataObject, folder: Path) -> None:
        self.seen: Counter[str] = Counter()
        super().__init__(data, folder)
        self.kube.put_object(IPBLOCKS, grid_object("business", ip_network("10.9.0.0/16"), 30))
        for cidr in ("10.9.0.0/30", "10.9.0.4/30"):
            self.kube.put_object(IPBLOCKS, NodeBlock("business", "n1", ip_network(cidr)).to_json())

    def hurry(self, _index: int) -> None:
        """Time passes in which nothing happens: half a minute is between two looks."""
        self.clock.advance(31.0)

    def cordon(self, index: int) -> None:
        name = self.nodes[index].name
        spec = {"unschedulable": self.draw(st.booleans())}
        self.kube.put_object(NODES, {"metadata": {"name": name}, "spec": spec})

    async def step(self) -> None:
        await super().step()
        if self.draw(st.booleans()):
            self.clock.advance(AGAIN_SECONDS)  # else no node looks again for what was lent since
        for _ in range(self.draw(st.integers(0, 4))):
            if self.line.waiting:
                self.let_one()
                await settle()
        for obj in self.kube.objects(IPBLOCKS):
            self.seen["lent"] += bool(obj.get("lent"))
            self.seen["borrowed"] += bool(obj.get("holders"))
        self.seen["returned"] = sum(verb == "delete" for verb, *_ in self.kube.requests)


@QUICK
@given(data=st.data())
def test_no_address_is_held_twice(data: st.DataObject) -> None:
    play(Generations, data, (10, 60))


@QUICK
@given(data=st.data())
def test_no_static_address_of_a_lost_machine_is_passed_on_twice(data: st.DataObject) -> None:
    """The leader takes dead holders out while nodes claim, release and come up anew."""
    play(Dying, data, (80, 160))


@pytest.mark.timeout(240)
def test_no_address_is_held_twice_where_nodes_lend_and_return() -> None:
    """Played until all has happened: in one play of nine a node borrows."""
    seen: Counter[str] = Counter()

    @settings(QUICK, max_examples=30)
    @given(data=st.data())
    def played(data: st.DataObject) -> None:
        cluster = play(Lending, data, (60, 240))
        assert isinstance(cluster, Lending)
        seen.update(cluster.seen)

    played()
    for number in range(9):
        if min(seen["lent"], seen["borrowed"], seen["returned"]) > 0:
            return
        seed(number)(played)()
    raise AssertionError(seen)
