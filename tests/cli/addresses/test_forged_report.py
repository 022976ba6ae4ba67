"""`netplane ip release --from-report` by a report that somebody wrote, and by a long one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from planes.cli.addresses.evidence import cluster_uid, evidence_in
from planes.cli.addresses.report import ReportedMisfit, report_of
from planes.kube.addresses.cluster_audit import AuditEntry, Misfit
from planes.kube.resources import IPBLOCKS
from tests.cli.addresses.reported_cluster import Reported
from tests.cli.cluster_place import STATIC, A


@pytest.fixture
def place(tmp_path: Path) -> Reported:
    return Reported(tmp_path)


@pytest.mark.parametrize("node", ["n1", "n9"])
async def test_a_forged_report_releases_nothing_that_is_in_use(place: Reported, node: str) -> None:
    """It has the evidence of what is there, and says that the pods, or their node, are gone."""
    place.block("10.9.0.0/26")
    place.hold(A, "db-0", place.pod("db-0", A))
    forged = []
    for kind, what, name in (
        (Misfit.ORPHANED, "business.10-9-0-0-26", "business.10-9-0-0-26"),
        (Misfit.LEAKED, A, STATIC),
    ):
        entry = AuditEntry(kind, "business", what, "n1", "shop/db-0", "")
        evidence = evidence_in(entry, place.kube.object(IPBLOCKS, name))
        assert evidence is not None
        forged.append(ReportedMisfit(replace(entry, node=node), evidence))
    cluster = await cluster_uid(place.kube)
    report = report_of(cluster, place.clock.now(), forged)
    released, skipped, stays = await place.release_by(report)
    assert released == []
    assert len(skipped) + len(stays) == 2
    assert place.held() == {A}
    assert len(place.names()) == 2


async def test_a_look_reads_each_block_once(place: Reported) -> None:
    """A report may name all 64 addresses of a block."""
    for last in range(200, 220):
        place.hold(f"10.9.0.{last}", f"db-{last}", node="gone")
    report = await place.report()
    place.kube.requests.clear()
    released, _, _ = await place.release_by(report, is_dry_run=True)
    assert len(released) == 20
    assert [one[3] for one in place.kube.requests if one[:2] == ("get", "ipblocks")] == [STATIC]
