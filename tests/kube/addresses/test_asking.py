"""Nodes that do not answer, that refuse to be asked, or that play games, and pods that wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.resources import IPBLOCKS, Resource
from planes.model.addresses import parse_network
from planes.model.errors import BadInput, Exhausted, JsonObject, Unavailable
from planes.store.protocol import AddressOwner
from tests.kube.addresses.lending_scene import Nodes, running
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane

THREE = make_plane(subnets=[{"cidr": "10.9.0.0/28"}], ipam={"blockSize": 30})
"""Four blocks, 14 addresses."""


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    """Node n1 has three blocks with a pod in each, and a node that is silent has the fourth."""
    async with running(tmp_path, "n1", "n2", plane=THREE) as made:
        await made.take("n1")
        taken = {obj["spec"]["cidr"] for obj in made.blocks()}
        cidr = next(f"10.9.0.{n}/30" for n in (0, 4, 8, 12) if f"10.9.0.{n}/30" not in taken)
        made.kube.put_object(IPBLOCKS, NodeBlock("business", "n9", parse_network(cidr)).to_json())
        while len(made.blocks("n1")) < 3:
            await made.take("n1")
        yield made


def silent(nodes: Nodes) -> JsonObject:
    (obj,) = nodes.blocks("n9")
    return obj


async def test_a_silent_node_keeps_no_pod_from_what_another_lends(nodes: Nodes) -> None:
    """Each pod waited for four seconds, one after the other, though n1 had answered at once."""
    begun = nodes.clock.monotonic()
    await nodes.take("n2")
    assert silent(nodes)["asked"].keys() == {"n2"}
    assert nodes.clock.monotonic() - begun < 2


async def test_a_silent_node_is_not_asked_again_whatever_it_lends_meanwhile(nodes: Nodes) -> None:
    """Else every pod of a full plane waits for it."""
    await nodes.stop("n1")
    own = parse_network(silent(nodes)["spec"]["cidr"])
    who = AddressOwner("c" * 64, "net1", "ns", "db-0", "uid-1", "n9")
    held = {address: Holder(who, 7) for address in own}
    nodes.kube.put_object(
        IPBLOCKS, static_object("business", parse_network("10.9.0.0/26"), held, "n9")
    )
    with pytest.raises(Unavailable):
        await nodes.take("n2")
    for address in own:
        nodes.kube.put_object(IPBLOCKS, {**silent(nodes), "lent": [str(address)]})
        begun = nodes.clock.monotonic()
        with pytest.raises(Exhausted, match="no node can be asked again"):
            await nodes.take("n2")
        assert nodes.clock.monotonic() - begun < 1


@pytest.mark.parametrize(
    "fields",
    [{}, {"instance": "x"}, {"lent": ["10.9.0.13-10.9.0.13"]}, {"lent": ["10.9.0.9", "10.9.0.8"]}],
    ids=str,
)
async def test_a_node_writes_nothing_but_its_request_into_another_nodes_block(
    nodes: Nodes, fields: JsonObject
) -> None:
    """The API server refuses any other change, so the pod was refused.

    A block without instance is an earlier version's, which is not answered.
    """
    nodes.kube.put_object(IPBLOCKS, {**silent(nodes), **fields})
    before = silent(nodes)
    await nodes.take("n2")
    after = silent(nodes)
    assert after.pop("asked").keys() == {"n2"}
    for obj in (before, after):
        del obj["metadata"]
    assert after == before


async def test_a_block_that_cannot_be_written_keeps_no_pod_from_what_another_lends(
    nodes: Nodes,
) -> None:
    """A node can make its block so large that no entry more is accepted."""
    await nodes.stop("n2")
    nodes.kube, served = _Refusing(nodes.kube, silent(nodes)["metadata"]["name"]), nodes.kube
    nodes.start("n2")
    await nodes.take("n2")
    nodes.kube = served


async def test_a_node_that_asks_without_end_keeps_no_daemon_from_its_own_block(
    tmp_path: Path,
) -> None:
    """With five tries one start in four failed: no pod of the node got an address until then."""
    async with running(tmp_path, "n1", plane=THREE) as nodes:
        await nodes.take("n1")
        await nodes.stop("n1")
        asked = 0

        def ask() -> None:
            nonlocal asked
            asked += 1
            (obj,) = nodes.blocks("n1")
            nodes.kube.put_object(
                IPBLOCKS, {**obj, "asked": {"evil": f"2027-01-01T00:00:{asked}Z"}}
            )
            if asked < 12:
                nodes.kube.before_next(ask, verb="update", resource=IPBLOCKS)

        nodes.kube.before_next(ask, verb="update", resource=IPBLOCKS)
        nodes.start("n1")
        await nodes.take("n1")
        assert asked == 12


class _Refusing(FakeKube):
    """The same API server, where one object cannot be written."""

    def __init__(self, kube: FakeKube, name: str) -> None:
        super().__init__()
        self.__dict__.update(kube.__dict__)
        self._name = name

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        if obj["metadata"]["name"] == self._name:
            raise BadInput("cannot update IPBlock: it is too large")
        return await super().replace(resource, obj, subresource=subresource)
