"""`netplane ip check --report` and `ip release --from-report`, over an API server in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from planes.cli.addresses.report import report_of
from planes.cli.addresses.report_release import PAUSE_SECONDS
from planes.kube.addresses.cluster_audit import Misfit
from planes.kube.resources import IPBLOCKS, NAMESPACES, NODES, PODS
from planes.model.errors import Conflict, Denied, NotFound, Unavailable
from planes.model.objects import CONFIG_MIRROR_ANNOTATION
from tests.cli.addresses.reported_cluster import Reported
from tests.cli.cluster_place import STATIC, A, B
from tests.support.kube.nodes import delete_node, node_object, put_node, renew, shut_down


@pytest.fixture
def place(tmp_path: Path) -> Reported:
    return Reported(tmp_path)


async def test_what_is_still_as_reported_is_released_after_two_looks(place: Reported) -> None:
    """A leaked holder, a block of a node that is gone, and what a claim kept that is gone."""
    place.hold(A, "db-0", node="n2")
    place.hold(B, "db-1", place.pod("db-1", B))
    shut_down(place.kube, "n2")
    place.block("10.9.0.0/26", "n3")
    place.block("10.9.0.64/26", "n1")
    place.keep("10.9.0.202", "vm", "gone")
    report = await place.report()
    began = place.clock.monotonic()
    done, skipped, stays = await place.release_by(report)
    assert set(done) == {A, "business.10-9-0-0-26", "10.9.0.202"}
    assert (skipped, stays) == ([], [])
    assert place.clock.monotonic() - began == PAUSE_SECONDS
    assert place.names() == ["business.10-9-0-64-26", STATIC]
    assert (place.held(), place.kept()) == ({B}, [])


async def test_a_dry_run_changes_nothing(place: Reported) -> None:
    place.block("10.9.0.0/26", "n3")
    report = await place.report()
    before = place.kube.objects(IPBLOCKS)
    done, _, stays = await place.release_by(report, is_dry_run=True)
    assert (done, stays) == (["business.10-9-0-0-26"], [])
    assert place.kube.objects(IPBLOCKS) == before


async def test_a_block_made_anew_is_not_released(place: Reported) -> None:
    place.block("10.9.0.0/26", "n3")
    report = await place.report()
    place.kube.remove_object(IPBLOCKS, "business.10-9-0-0-26")
    place.block("10.9.0.0/26", "n3")
    done, (text,), stays = await place.release_by(report)
    assert (done, stays) == ([], [])
    assert "not as it was reported any more" in text
    assert place.names() == ["business.10-9-0-0-26"]


async def test_a_block_that_its_node_wrote_to_is_not_released(place: Reported) -> None:
    place.block("10.9.0.0/26", "n3")
    report = await place.report()
    (obj,) = place.kube.objects(IPBLOCKS)
    place.kube.put_object(IPBLOCKS, {**obj, "instance": "start-2"})
    done, skipped, _ = await place.release_by(report)
    assert (done, len(skipped)) == ([], 1)


async def test_a_block_that_others_ask_for_is_released_all_the_same(place: Reported) -> None:
    """They write into it, so its version is another; what its node wrote is the same."""
    place.block("10.9.0.0/26", "n3")
    report = await place.report()
    (obj,) = place.kube.objects(IPBLOCKS)
    place.kube.put_object(IPBLOCKS, {**obj, "asked": {"n1": "2026-11-30T09:00:00Z"}})
    assert await place.release_by(report) == (["business.10-9-0-0-26"], [], [])


async def test_nothing_of_a_node_that_is_there_again_is_released(place: Reported) -> None:
    place.block("10.9.0.0/26", "n3")
    place.hold(A, "db-0", node="n3")
    report = await place.report()
    put_node(place.kube, "n3")
    done, _, stays = await place.release_by(report)
    assert done == []
    assert len(stays) == 2
    assert set(place.names()) == {"business.10-9-0-0-26", STATIC}


@pytest.mark.parametrize("when", ["before", "between"])
async def test_nothing_of_a_node_whose_kubelet_runs_is_released(place: Reported, when: str) -> None:
    """Its Node object was deleted, and its Lease is there or comes back."""
    place.block("10.9.0.0/26", "n3")
    report = await place.report()
    if when == "before":
        renew(place.kube, "n3", 1.0)
    else:
        place.clock.meanwhile = lambda: renew(place.kube, "n3", 2.0)
    done, _, (text,) = await place.release_by(report)
    assert done == []
    assert "node n3 may run: its Node object is gone, and its Lease is still there" in text


@pytest.mark.parametrize("has_block", [True, False], ids=["its block", "its holder"])
async def test_a_node_that_comes_back_before_the_write_keeps(
    place: Reported, has_block: bool
) -> None:
    """It is looked at a third time."""
    if has_block:
        place.block("10.9.0.0/26", "n3")
    else:
        place.hold(A, "db-0", node="n3")
    report = await place.report()
    before = place.kube.objects(IPBLOCKS)
    reads = 0

    def come_back() -> None:
        nonlocal reads
        reads += 1
        put_node(place.kube, "n3")

    def third_look() -> None:
        place.kube.before_next(come_back, verb="get", resource=NODES)

    def second_look() -> None:
        place.kube.before_next(third_look, verb="get", resource=NODES)

    place.clock.meanwhile = second_look
    done, _, (text,) = await place.release_by(report)
    assert (done, reads) == ([], 1)
    assert text.endswith("stays: node n3 may run")
    assert place.kube.objects(IPBLOCKS) == before


async def test_a_block_of_a_node_that_has_pods_stays(place: Reported) -> None:
    place.block("10.9.0.0/26", "n3")
    place.pod("web", "10.9.0.7", node="n3")
    done, _, (text,) = await place.release_by(await place.report())
    assert done == []
    assert "pods are bound to it" in text


async def test_a_holder_on_a_node_that_runs_stays(place: Reported) -> None:
    place.hold(A, "db-0")
    done, _, (text,) = await place.release_by(await place.report())
    assert (done, place.held()) == ([], {A})
    assert text == (
        f"holder-without-pod {A} of plane business stays: node n1 is there and not marked as out "
        "of service"
    )


async def test_a_holder_without_pod_is_released_once_its_node_is_off(place: Reported) -> None:
    place.hold(A, "db-0", node="n2")
    report = await place.report()
    shut_down(place.kube, "n2")
    assert await place.release_by(report) == ([A], [], [])


async def test_a_holder_whose_pod_is_there_again_stays(place: Reported) -> None:
    uid = place.pod("db-0", A, node="n2")
    place.hold(A, "db-0", "gone", node="n2")
    shut_down(place.kube, "n2")
    report = await place.report()
    place.hold(A, "db-0", uid, node="n2")
    done, skipped, stays = await place.release_by(report)
    assert (done, len(skipped), stays, place.held()) == ([], 1, [], {A})


async def test_a_holder_whose_pod_was_only_not_seen_stays(place: Reported) -> None:
    """Its UID is in the pod's annotation, as of a static pod."""
    place.hold(A, "db-0", node="n2")
    shut_down(place.kube, "n2")
    report = await place.report()
    meta = {"name": "db-0", "namespace": "shop"}
    mirrored = {**meta, "annotations": {CONFIG_MIRROR_ANNOTATION: "gone"}}
    place.kube.put_object(PODS, {"metadata": mirrored, "spec": {"nodeName": "n2"}})
    done, _, (text,) = await place.release_by(report)
    assert (done, place.held()) == ([], {A})
    assert "of its pod: it exists" in text


async def test_an_address_that_another_took_meanwhile_stays(place: Reported) -> None:
    """Between the second look and the write."""
    place.hold(A, "db-0", node="n2")
    shut_down(place.kube, "n2")
    report = await place.report()
    place.kube.before_next(lambda: place.hold(A, "db-0", "new"), verb="update")
    done, skipped, _ = await place.release_by(report)
    assert (done, len(skipped), place.held()) == ([], 1, {A})


async def test_other_writers_cost_nothing_and_lose_nothing(place: Reported) -> None:
    place.hold(A, "db-0", node="n2")
    shut_down(place.kube, "n2")
    report = await place.report()
    place.kube.before_next(lambda: place.hold(B, "db-1"), verb="update")
    assert await place.release_by(report) == ([A], [], [])
    assert place.held() == {B}


async def test_what_cannot_be_written_stays_and_is_told(place: Reported) -> None:
    place.hold(A, "db-0", node="n2")
    shut_down(place.kube, "n2")
    report = await place.report()
    place.kube.fail_next(Unavailable("cannot write"), verb="update")
    assert await place.release_by(report) == (
        [],
        [],
        [f"leaked {A} of plane business stays: cannot write"],
    )
    place.kube.fail_next(Conflict("cannot write"), verb="update", times=99)
    done, _, (text,) = await place.release_by(report)
    assert done == []
    assert "others wrote to IPBlock" in text


async def test_what_a_claim_keeps_that_is_there_again_stays(place: Reported) -> None:
    place.keep(A, "vm", "gone")
    report = await place.report()
    uid = place.claim("vm", A, owner="vm")
    place.keep(A, "vm", uid)
    done, skipped, _ = await place.release_by(report)
    assert (done, len(skipped), place.kept()) == ([], 1, [A])


async def test_without_the_kind_no_claim_is_gone(place: Reported) -> None:
    place.keep(A, "vm", "gone")
    report = await place.report()
    place.kube.fail_next(NotFound("cannot list"), verb="list")
    with pytest.raises(NotFound, match="does not have the kind"):
        await place.release_by(report)
    assert place.kept() == [A]


async def test_what_nothing_can_be_released_of_is_named(place: Reported) -> None:
    place.pod("web", "10.9.0.99")
    report = await place.report()
    done, (text,), stays = await place.release_by(report)
    assert (done, stays) == ([], [])
    assert text.startswith(f"{Misfit.NO_HOLDER} 10.9.0.99")


async def test_a_report_of_another_cluster_is_refused(place: Reported) -> None:
    place.block("10.9.0.0/26", "n3")
    report = await place.report()
    place.kube.remove_object(NAMESPACES, "kube-system")
    place.kube.put_object(NAMESPACES, {"metadata": {"name": "kube-system"}})
    with pytest.raises(Denied, match="of another cluster"):
        await place.release_by(report)


async def test_a_report_older_than_a_day_is_refused_unless_asked_for(place: Reported) -> None:
    place.block("10.9.0.0/26", "n3")
    report = await place.report()
    place.clock.advance(90_000)
    with pytest.raises(Denied, match="made 25 hours ago"):
        await place.release_by(report)
    assert await place.release_by(report, any_age=True) == (["business.10-9-0-0-26"], [], [])


async def test_a_report_of_the_future_is_refused(place: Reported) -> None:
    place.block("10.9.0.0/26", "n3")
    report = await place.report()
    ahead = report_of(report.cluster, report.made_at + 3600, report.findings)
    with pytest.raises(Denied, match="still to come"):
        await place.release_by(ahead, any_age=True)


async def test_a_node_that_was_deleted_is_off_after_a_minute(place: Reported) -> None:
    place.hold(A, "db-0", node="n2")
    delete_node(place.kube, "n2")
    report = await place.report()
    assert [one.entry.kind for one in report.findings] == [Misfit.LEAKED]
    assert await place.release_by(report) == ([A], [], [])


async def test_a_node_that_is_not_ready_may_run(place: Reported) -> None:
    place.hold(A, "db-0", node="n2")
    place.kube.put_object(NODES, node_object("n2", is_ready=False))
    done, _, stays = await place.release_by(await place.report())
    assert (done, len(stays)) == ([], 1)
