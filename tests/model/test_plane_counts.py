"""Counts of a plane's addresses: they add up whatever pods and nodes say."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.state.node_use import UNUSED, NodeUse
from planes.model.state.plane_counts import (
    AddressCounts,
    BlockHoldings,
    count_addresses,
    is_exhausted,
    low_mark,
)
from tests.support.model import claim_index, make_plane, pod_object

PLANE = make_plane(
    subnets=[{"cidr": "10.0.0.0/24", "gateway": "10.0.0.1", "staticRanges": ["10.0.0.8-10.0.0.15"]}]
)
REF = NadRef("netplane-system", "business")
DYNAMIC, STATIC = 245, 8
NODES = ("n1", "n2", "n3")
numbers = st.integers(-(10**6), 10**12)
said = st.dictionaries(st.sampled_from((*NODES, "gone")), st.builds(NodeUse, numbers, numbers))
few = st.dictionaries(st.sampled_from(NODES), st.integers(0, 80))


def counts(blocks: BlockHoldings, reported: dict[str, NodeUse], shown: int = 0) -> AddressCounts:
    return count_addresses(PLANE, 4, blocks, reported.get, shown)


@settings(max_examples=500)
@given(few, few, st.integers(0, 300), said, numbers)
def test_counts_add_up_whatever_nodes_and_pods_say(
    own: dict[str, int],
    borrowed: dict[str, int],
    static: int,
    reported: dict[str, NodeUse],
    shown: int,
) -> None:
    found = counts(BlockHoldings(own, borrowed, static), reported, shown)
    assert (found.dynamic, found.capacity) == (DYNAMIC, DYNAMIC + STATIC)
    assert min(found.used, found.static, found.cooling, found.available, found.left) >= 0
    assert found.in_use + found.cooling + found.available == found.capacity
    assert found.left <= found.available


@settings(max_examples=300)
@given(few, few, st.sampled_from(NODES), said, st.builds(NodeUse, numbers, numbers))
def test_node_that_lies_costs_no_more_than_its_blocks(
    own: dict[str, int],
    borrowed: dict[str, int],
    liar: str,
    reported: dict[str, NodeUse],
    lie: NodeUse,
) -> None:
    blocks = BlockHoldings(own, borrowed)
    honest = counts(blocks, {**reported, liar: UNUSED})
    lied = counts(blocks, {**reported, liar: lie})
    assert 0 <= honest.left - lied.left <= own.get(liar, 0)


@settings(max_examples=300)
@given(few, few, said, numbers, numbers)
def test_tenant_statuses_cost_no_more_than_the_blocks_of_nodes_that_report_nothing(
    own: dict[str, int],
    borrowed: dict[str, int],
    reported: dict[str, NodeUse],
    shown: int,
    forged: int,
) -> None:
    """The author of a pod may write its network-status; one address is the least that it shows."""
    blocks = BlockHoldings(own, borrowed)
    silent = sum(size for node, size in own.items() if node not in reported)
    found = counts(blocks, reported, shown).left - counts(blocks, reported, shown + forged).left
    assert found <= max(silent, 1)


def test_a_node_that_reports_is_believed_over_what_pods_show() -> None:
    found = counts(BlockHoldings({"n1": 64}), {"n1": NodeUse(3, 2)}, 60)
    assert (found.used, found.cooling, found.left) == (3, 2, DYNAMIC - 5)


def test_pods_of_a_node_whose_daemon_is_replaced_stay_in_use() -> None:
    found = counts(BlockHoldings({"n1": 64, "n2": 64}), {"n1": NodeUse(20)}, 30)
    assert found.used == 30


def test_a_borrowed_address_is_in_use_once_and_is_not_static() -> None:
    """Its pod shows it as all others do."""
    found = counts(BlockHoldings({"n1": 64}, {"n1": 2, "n2": 1}), {}, 6)
    assert (found.used, found.static, found.in_use) == (6, 0, 6)


def test_what_rests_comes_out_of_the_same_blocks_as_what_is_in_use() -> None:
    found = counts(BlockHoldings({"n1": 64}), {"n1": NodeUse(60, 50), "n9": NodeUse(0, 50)})
    assert (found.used, found.cooling) == (60, 4)


def test_a_plane_that_a_pod_shows_is_never_said_to_be_unused() -> None:
    """The definition permits another network then, and blocks may be deleted by hand."""
    assert counts(BlockHoldings(), {}, 1).in_use == 1


@pytest.mark.parametrize(
    ("dynamic", "mark"),
    [(1, 1), (2, 1), (3, 1), (4, 2), (20, 2), (21, 3), (253, 26), (65533, 6554)],
)
def test_few_is_less_than_a_tenth_and_less_where_there_are_few(dynamic: int, mark: int) -> None:
    assert low_mark(dynamic) == mark


@given(st.integers(1, 5000), st.data())
def test_an_unused_plane_is_never_exhausted_and_a_full_one_always(
    dynamic: int, data: st.DataObject
) -> None:
    before = data.draw(st.booleans())
    assert not is_exhausted(AddressCounts(4, dynamic, dynamic), before)
    assert is_exhausted(AddressCounts(4, dynamic, dynamic, used=dynamic), before)


def pod(*ips: str, networks: str | None = None) -> Pod:
    status = [{"name": str(REF), "interface": "net1", "ips": list(ips)}]
    annotations = {STATUS_ANNOTATION: orjson.dumps(status).decode()}
    return Pod.from_object(pod_object("a", networks=networks, annotations=annotations))


def test_tenant_status_with_many_addresses_counts_one_for_each_attachment() -> None:
    """Anybody who may write pods writes their annotations."""
    forged = [f"10.0.0.{number}" for number in range(2, 202)]
    assert claim_index([pod(*forged)]).tally(REF, 4, ["shop"]).attached == 1
    twice = claim_index([pod(*forged, networks=f"{REF},{REF}")])
    assert twice.tally(REF, 4, ["shop"]).attached == 2
