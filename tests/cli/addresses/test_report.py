"""The report file comes from a disk: whatever is in it, it is a report or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planes.cli.addresses.report import (
    MAX_BYTES,
    MOST_FINDINGS,
    BlockEvidence,
    ReportedMisfit,
    read_report_file,
    report_of,
    write_report,
)
from planes.kube.addresses.cluster_audit import AuditEntry, Misfit
from planes.model.errors import BadInput, Unavailable
from tests.support.command_line import netplane

EVIDENCE = BlockEvidence("business.10-9-0-0-26", "u1", "7", "0" * 32)
ENTRY = AuditEntry(Misfit.ORPHANED, "business", EVIDENCE.block, "n3", "", "there is no node n3")
entries = st.builds(
    AuditEntry, st.sampled_from(list(Misfit)), st.text(), st.text(), st.text(), st.text(), st.text()
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "report.json"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(entries, max_size=4))
def test_what_is_written_is_read_again(path: Path, found: list[AuditEntry]) -> None:
    """Whatever texts were found: anybody may have written some of them."""
    report = report_of("u0", 1_800_000_000.0, [ReportedMisfit(ENTRY, EVIDENCE)])
    more = report_of("u0", 1_800_000_000.0, [ReportedMisfit(each) for each in found])
    for each in (report, more):
        write_report(path, each)
        assert read_report_file(path) == each


def test_a_report_is_its_owners_alone(path: Path) -> None:
    write_report(path, report_of("u0", 0.0, []))
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_too_many_findings_those_stay_that_can_be_released(path: Path) -> None:
    many = [
        ReportedMisfit(AuditEntry(Misfit.DUPLICATE, "business", f"b{number}", "", "", "x" * 9999))
        for number in range(MOST_FINDINGS)
    ]
    write_report(path, report_of("u0", 0.0, [*many, ReportedMisfit(ENTRY, EVIDENCE)]))
    read = read_report_file(path)
    assert (len(read.findings), read.left_out) == (MOST_FINDINGS, 1)
    assert read.findings[0].evidence == EVIDENCE
    assert path.stat().st_size < MAX_BYTES


def damaged(**changes: Any) -> dict[str, Any]:
    """Return a report of one finding with changed members, of the finding too."""
    finding = {
        "kind": "orphaned-block",
        "plane": "business",
        "what": EVIDENCE.block,
        "node": "n3",
        "pod": "",
        "text": "",
        **changes.pop("finding", {}),
        "evidence": {
            "block": EVIDENCE.block,
            "uid": "u1",
            "resourceVersion": "7",
            "digest": "0" * 32,
            **changes.pop("evidence", {}),
        },
    }
    return {
        "kind": "netplane-address-report",
        "version": 1,
        "cluster": "u0",
        "leftOut": 0,
        "madeAt": "2026-11-30T09:00:00Z",
        "findings": [finding],
        **changes,
    }


def test_the_report_that_is_damaged_below_is_valid(path: Path) -> None:
    path.write_text(json.dumps(damaged()))
    (found,) = read_report_file(path).findings
    assert found.evidence == EVIDENCE


@pytest.mark.parametrize(
    ("obj", "cause"),
    [
        ([], "no report"),
        (damaged(kind="List"), "no report"),
        (damaged(version=2), "another version"),
        (damaged(cluster="../x"), "cluster"),
        (damaged(cluster=7), "cluster"),
        (damaged(madeAt="yesterday"), "madeAt"),
        (damaged(leftOut=-1), "leftOut"),
        (damaged(findings={}), "findings"),
        (damaged(findings=[{}] * (MOST_FINDINGS + 1)), "findings"),
        (damaged(findings=["x"]), r"findings\[0\]"),
        (damaged(finding={"kind": "all"}), "kind"),
        (damaged(finding={"plane": "a.b"}), "plane"),
        (damaged(finding={"what": "../../secrets"}), "what"),
        (damaged(finding={"what": "10.9.0.0/26"}), "what"),
        (damaged(finding={"node": "n3\x1b[2J"}), "node"),
        (damaged(finding={"pod": "web"}), "pod"),
        (damaged(finding={"pod": "shop/../x"}), "pod"),
        (damaged(finding={"text": "x" * 1000}), "text"),
        (damaged(evidence={"block": "a/b"}), "block"),
        (damaged(evidence={"uid": ""}), "uid"),
        (damaged(evidence={"resourceVersion": "x"}), "resourceVersion"),
        (damaged(evidence={"digest": "0"}), "digest"),
    ],
)
def test_a_report_that_is_not_valid_is_refused(path: Path, obj: Any, cause: str) -> None:
    path.write_text(json.dumps(obj))
    with pytest.raises(BadInput, match=cause):
        read_report_file(path)


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(BadInput):
        read_report_file(path)


def test_a_report_that_is_too_large_is_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    outcome = netplane("ip", "release", "--from-report", str(path))
    assert outcome.status == 1
    assert f"cannot read the report {path}: it is larger than" in outcome.err


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="cannot write the report"):
        write_report(tmp_path / "none" / "report.json", report_of("u0", 0.0, []))


def test_a_report_does_not_take_the_place_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work").touch()
    with pytest.raises(Unavailable, match="it is a directory"):
        write_report(tmp_path / "mine", report_of("u0", 0.0, []))
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "work"]


def test_any_age_is_for_reports_alone() -> None:
    outcome = netplane("ip", "release", "--node", "n1", "--any-age")
    assert outcome.status == 2
    assert "it is for --from-report" in outcome.err
