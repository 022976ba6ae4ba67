"""A cluster that is checked, and released by the report of the check."""

from __future__ import annotations

from pathlib import Path

from planes.cli.addresses.cluster_check import check
from planes.cli.addresses.evidence import cluster_uid, with_evidence
from planes.cli.addresses.report import MisfitReport, read_report_file, report_of, write_report
from planes.cli.addresses.report_release import ReportRelease
from planes.kube.resources import IPBLOCKS, NAMESPACES
from tests.cli.cluster_place import STATIC, Place


class Reported(Place):
    """A cluster that is checked, and released by the report."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "report.json"
        self.kube.put_object(NAMESPACES, {"metadata": {"name": "kube-system"}})

    async def report(self) -> MisfitReport:
        """Check, write a report and read it again."""
        found = await with_evidence(self.kube, await check(self.kube, self.clock))
        cluster = await cluster_uid(self.kube)
        report = report_of(cluster, self.clock.now(), found)
        write_report(self.path, report)
        read = read_report_file(self.path)
        assert read == report
        return read

    async def release_by(
        self, report: MisfitReport, *, is_dry_run: bool = False, any_age: bool = False
    ) -> tuple[list[str], list[str], list[str]]:
        """Release; return what was released, what was skipped, and what stays."""
        stays: list[str] = []
        work = ReportRelease(self.kube, self.clock, stays.append)
        result = await work.run(report, is_dry_run=is_dry_run, any_age=any_age)
        return [entry.what for entry in result.done], result.skipped, stays

    def names(self) -> list[str]:
        """Return the names of all blocks."""
        return [obj["metadata"]["name"] for obj in self.kube.objects(IPBLOCKS)]

    def held(self) -> set[str]:
        """Return what the static block holds."""
        return set((self.kube.object(IPBLOCKS, STATIC) or {}).get("holders", {}))
