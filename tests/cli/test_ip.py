"""`netplane ip check` and `netplane ip release`, over an API server in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from planes.cli.addresses.cluster_check import check
from planes.cli.cluster_addresses import RENEWAL_SECONDS
from planes.kube.addresses.audit_hints import MOST_HINTS
from planes.kube.addresses.cluster_audit import Misfit
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.resources import IPBLOCKS, PLANES, PODS
from planes.model.addresses import parse_network
from planes.model.bounds import MAX_SHOWN_IPS_OF_POD
from planes.model.errors import Conflict, Denied, Unavailable
from tests.cli.cluster_place import STATIC, A, B, Place
from tests.support.command_line import netplane
from tests.support.kube.nodes import put_node, renew, shut_down


@pytest.fixture
def place() -> Place:
    return Place()


async def test_a_cluster_in_order_has_no_misfit(place: Place) -> None:
    place.block("10.9.0.0/26")
    place.block("10.9.0.64/26", "n2")
    place.hold(A, "db-0", place.pod("db-0", A))
    place.pod("web", "10.9.0.7")
    assert await place.found() == set()
    assert {verb for verb, *_ in place.kube.requests} == {"list"}


async def test_a_holder_without_pod_is_leaked_where_its_node_is_off(place: Place) -> None:
    place.hold(A, "db-0")
    place.hold(B, "db-1", node="n2")
    shut_down(place.kube, "n2")
    assert await place.found() == {(Misfit.NO_POD, A), (Misfit.LEAKED, B)}


async def test_a_holder_of_a_pod_that_has_ended_fits(place: Place) -> None:
    uid = place.pod("job")
    found = place.kube.object(PODS, "job", "shop")
    assert found is not None
    place.kube.put_object(PODS, {**found, "status": {"phase": "Succeeded"}})
    place.hold(A, "job", uid)
    assert await place.found() == set()


async def test_a_block_of_no_node_is_orphaned(place: Place) -> None:
    place.block("10.9.0.0/26", "n3")
    assert await place.found() == {(Misfit.ORPHANED, "business.10-9-0-0-26")}


async def test_blocks_that_share_addresses_are_duplicates(place: Place) -> None:
    place.block("10.9.0.0/26")
    place.block("10.9.0.32/27", "n2")
    assert await place.found() == {(Misfit.DUPLICATE, "business.10-9-0-32-27")}


async def test_an_address_of_two_pods_is_a_duplicate(place: Place) -> None:
    place.block("10.9.0.0/26")
    place.pod("web", "10.9.0.7")
    place.pod("api", "10.9.0.7")
    place.hold(A, "db-0", place.pod("db-0"))
    place.pod("other", A)
    assert await place.found() == {(Misfit.DUPLICATE, "10.9.0.7"), (Misfit.DUPLICATE, A)}


async def test_an_address_that_no_block_gives_has_no_holder(place: Place) -> None:
    place.block("10.9.0.0/26")
    place.pod("web", "10.9.0.99")
    place.pod("odd", "nonsense")
    assert await place.found() == {(Misfit.NO_HOLDER, "10.9.0.99")}


async def test_what_a_pod_shows_is_read_as_far_as_admission_reads_it(place: Place) -> None:
    """Else one pod with a status of 64 KiB shows thousands of misfits."""
    place.pod("web", *[f"10.9.{number >> 8}.{number & 255}" for number in range(400)])
    entries = await check(place.kube, place.clock)
    (more,) = [one for one in entries if one.kind is Misfit.UNREAD]
    assert f"show {MAX_SHOWN_IPS_OF_POD - MOST_HINTS} more addresses" in more.text


async def test_a_block_that_readers_ignore_is_named(place: Place) -> None:
    obj = NodeBlock("business", "n1", parse_network("10.9.0.0/26")).to_json()
    place.kube.put_object(IPBLOCKS, {**obj, "metadata": {"name": "business.other"}})
    assert await place.found() == {(Misfit.IGNORED, "business.other")}


async def test_what_fits_at_the_second_look_is_not_told(place: Place) -> None:
    """A pod whose block was taken between the two lists."""
    place.pod("web", "10.9.0.7")
    place.kube.before_next(lambda: place.block("10.9.0.0/26"), verb="list", resource=PLANES)
    place.kube.before_next(lambda: None, verb="list", resource=PLANES)
    assert await place.found() == set()


async def test_release_takes_blocks_and_static_addresses_of_one_node(place: Place) -> None:
    put_node(place.kube, "n1", is_ready=False)
    place.block("10.9.0.0/26")
    place.block("10.9.0.64/26", "n2")
    place.hold(A, "db-0")
    place.hold(B, "db-1", node="n2")
    assert await place.release("n1") == (["10.9.0.0/26", A], [])
    assert [o["metadata"]["name"] for o in place.kube.objects(IPBLOCKS)] == [
        "business.10-9-0-64-26",
        STATIC,
    ]
    static = place.kube.object(IPBLOCKS, STATIC)
    assert static is not None
    assert set(static["holders"]) == {B}


async def test_a_dry_run_releases_nothing(place: Place) -> None:
    put_node(place.kube, "n1", is_ready=False)
    place.block("10.9.0.0/26")
    place.hold(A, "db-0")
    before = place.kube.objects(IPBLOCKS)
    assert await place.release("n1", is_dry_run=True) == (["10.9.0.0/26", A], [])
    assert place.kube.objects(IPBLOCKS) == before


async def test_a_node_that_is_ready_is_refused(place: Place) -> None:
    place.block("10.9.0.0/26")
    with pytest.raises(Denied, match="node n1: it is ready"):
        await place.release("n1")


async def test_a_node_whose_lease_is_renewed_is_refused(place: Place) -> None:
    """Its Node object is deleted or not ready, and its kubelet runs."""
    put_node(place.kube, "n1", is_ready=False)
    place.block("10.9.0.0/26")
    renew(place.kube, "n1", 1.0)
    place.clock.meanwhile = lambda: renew(place.kube, "n1", 2.0)
    started = place.clock.monotonic()
    with pytest.raises(Denied, match="renews its Lease"):
        await place.release("n1")
    assert place.clock.monotonic() - started == RENEWAL_SECONDS


async def test_a_node_whose_lease_was_deleted_is_refused_once_its_kubelet_makes_another(
    place: Place,
) -> None:
    put_node(place.kube, "n1", is_ready=False)
    place.block("10.9.0.0/26")
    place.clock.meanwhile = lambda: renew(place.kube, "n1", 2.0)
    with pytest.raises(Denied, match="renews its Lease"):
        await place.release("n1")


async def test_a_node_with_a_silent_lease_is_released(place: Place) -> None:
    put_node(place.kube, "n1", is_ready=False)
    renew(place.kube, "n1", 1.0)
    place.block("10.9.0.0/26")
    assert await place.release("n1") == (["10.9.0.0/26"], [])


async def test_what_was_written_meanwhile_stays_and_is_told(place: Place) -> None:
    """A daemon that came back keeps its block."""
    place.block("10.9.0.0/26", "n3")

    def come_back() -> None:
        (obj,) = place.kube.objects(IPBLOCKS)
        place.kube.put_object(IPBLOCKS, {**obj, "instance": "start-2"})

    place.kube.before_next(come_back, verb="delete")
    released, stays = await place.release("n3")
    assert released == []
    (text,) = stays
    assert text.startswith("IPBlock business.10-9-0-0-26 stays: cannot delete IPBlock ")


async def test_other_nodes_that_write_meanwhile_lose_nothing(place: Place) -> None:
    place.hold(A, "db-0", node="n3")
    place.kube.before_next(lambda: place.hold(B, "db-1", node="n2"), verb="update")
    assert await place.release("n3") == ([A], [])
    static = place.kube.object(IPBLOCKS, STATIC)
    assert static is not None
    assert set(static["holders"]) == {B}


async def test_a_static_block_that_cannot_be_written_is_told(place: Place) -> None:
    place.hold(A, "db-0", node="n3")
    place.kube.fail_next(Unavailable("cannot write"), verb="update")
    assert await place.release("n3") == ([], [f"static addresses in {STATIC} stay: cannot write"])
    place.kube.fail_next(Conflict("cannot write"), verb="update", times=999)
    _, (stays,) = await place.release("n3")
    assert "run this again" in stays


@pytest.mark.parametrize("words", [("check",), ("release", "--node", "n1")], ids=["check", "rel"])
def test_without_a_kubeconfig_the_error_names_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    outcome = netplane("ip", *words, env={"HOME": str(tmp_path)})
    assert outcome.status == 1
    assert f"{tmp_path}/.kube/config" in outcome.err


def test_a_name_that_is_no_nodes_is_status_2() -> None:
    outcome = netplane("ip", "release", "--node", "../n1")
    assert outcome.status == 2
    assert "is no name of a node" in outcome.err
