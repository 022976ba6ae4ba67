"""`netplane status --wait`: looks until all is well, or gives up; and what is printed."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

from planes.cli.console import Console, Format
from planes.cli.status.cluster_facts import StatusFault
from planes.cli.status.gathering import cluster_seen
from planes.cli.status.printing import print_report
from planes.cli.status.report import StatusReport, look_until_well, report_of
from planes.kube.resources import PODS
from planes.model.errors import Denied, Unavailable
from tests.cli.cluster_place import InstantClock
from tests.cli.status.healthy_cluster import HealthyCluster
from tests.support.command_line import netplane

DOWN = StatusReport("c", None, (StatusFault("n1 is down", "start it"),))
WELL = StatusReport("c", None, ())


class Looks:
    """A script of looks, the last one again and again."""

    def __init__(self, *script: StatusReport | Exception) -> None:
        self.script = list(script)
        self.count = 0

    async def __call__(self) -> StatusReport:
        found = self.script[min(self.count, len(self.script) - 1)]
        self.count += 1
        if isinstance(found, Exception):
            raise found
        return found


async def waited(looks: Looks, seconds: float) -> tuple[StatusReport, list[str]]:
    told: list[str] = []
    report = await look_until_well(
        looks, InstantClock(), seconds, lambda each: told.append(each.faults[0].what)
    )
    return report, told


async def test_it_looks_until_all_is_well() -> None:
    looks = Looks(DOWN, DOWN, WELL)
    report, told = await waited(looks, 60)
    assert report.is_well
    assert (looks.count, told) == (3, ["n1 is down"])


async def test_after_the_time_it_says_what_is_missing() -> None:
    looks = Looks(DOWN)
    report, _ = await waited(looks, 10)
    assert report == DOWN
    assert looks.count == 6


async def test_an_api_server_that_is_away_is_waited_for() -> None:
    looks = Looks(Unavailable("cannot reach it", remedy="start it"), WELL)
    report, told = await waited(looks, 60)
    assert report.is_well
    assert told == ["cannot reach it"]


async def test_one_that_stays_away_is_the_fault() -> None:
    report, _ = await waited(Looks(Unavailable("cannot reach it", remedy="start it")), 4)
    assert [fault.what for fault in report.faults] == ["cannot reach it"]


async def test_a_look_without_end_is_cut_off() -> None:
    async def look() -> StatusReport:
        await asyncio.Event().wait()
        return WELL

    report = await look_until_well(look, InstantClock(), 0.0, lambda _: None, least=0.01)
    assert report.faults[0].what.startswith("no answer within")


def test_what_is_not_known_counts_only_for_the_strict() -> None:
    assert StatusReport("c", None, (), ("not known: x",)).is_well
    assert not StatusReport("c", None, (), ("not known: x",), is_strict=True).is_well


async def printed(
    cluster: HealthyCluster, output: Format = Format.TABLE, *, is_strict: bool = False
) -> tuple[str, str]:
    seen = await cluster_seen(cluster.kube, cluster.clock)
    out, err = io.StringIO(), io.StringIO()
    report = report_of("the cluster", seen, is_strict=is_strict)
    print_report(Console(out, err, {}, output=output), report)
    return out.getvalue(), err.getvalue()


async def test_a_healthy_cluster_is_printed_whole() -> None:
    out, err = await printed(HealthyCluster())
    lines = out.splitlines()
    assert lines[0] == "webhook       2 of 2 ready, example.org/netplane:9.9.9"
    assert lines[1] == "leader        netplane-webhook-1_ab12, renewed 1 s ago"
    assert any(line.startswith("n1    yes    example.org/netplane:9.9.9") for line in lines)
    assert any(line.split()[:5] == ["business", "True", "True", "True", "False"] for line in lines)
    assert lines[-1] == "All is well."
    assert err == ""


async def test_each_fault_is_a_line_with_its_remedy() -> None:
    cluster = HealthyCluster()
    cluster.plane(Exhausted=("True", "0 left"))
    cluster.event("PlaneDenied", "not for you")
    out, _ = await printed(cluster)
    assert "fault: plane business has few addresses left: 0 left\n  remedy: kubectl " in out
    assert "PlaneDenied  Pod shop/web-0: not for you" in out
    assert "All is well" not in out


async def test_of_many_nodes_those_that_are_not_well_are_shown() -> None:
    cluster = HealthyCluster()
    for number in range(30):
        cluster.daemon(f"m{number:02}")
    cluster.daemon("m07", is_ready=False)
    short, _ = await printed(cluster)
    assert "m07" in short
    assert "m08" not in short
    wide, _ = await printed(cluster, Format.WIDE)
    assert "m08" in wide
    assert "NAMESPACES" in wide


async def test_what_is_not_known_is_a_warning_and_not_called_well_without_a_word() -> None:
    cluster = HealthyCluster()
    text = "cannot list pods in netplane-system: forbidden"
    cluster.kube.fail_next(Denied(text), verb="list", resource=PODS)
    out, err = await printed(cluster)
    assert err == f"warning: not known: {text}\n"
    assert out.endswith("All is well, as far as it is known.\n")


async def test_texts_of_others_put_no_escape_on_the_terminal() -> None:
    cluster = HealthyCluster()
    cluster.event("Odd\x1b[2J", "a\x1b[31m\nb")
    cluster.plane(Accepted=("False", "a\x1b[31m\nb"))
    waiting = {"reason": "Err\x1b[2J", "message": "\x07\n"}
    cluster.daemon("n2", is_ready=False, containerStatuses=[{"state": {"waiting": waiting}}])
    out, err = await printed(cluster)
    assert "\x1b" not in out + err
    assert "\x07" not in out + err


def test_without_a_kubeconfig_the_error_names_it(tmp_path: Path) -> None:
    outcome = netplane("status", env={"HOME": str(tmp_path)})
    assert outcome.status == 1
    assert ".kube/config" in outcome.err


def test_an_api_server_that_is_away_is_a_fault_and_a_document(tmp_path: Path) -> None:
    cluster = {"server": "https://127.0.0.1:1"}
    context = {"cluster": "c", "user": "u"}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": context}],
        "current-context": "x",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(kubeconfig))
    outcome = netplane("status", "-o", "json", "--kubeconfig", str(file))
    assert outcome.status == 1
    assert outcome.json["well"] is False
    assert outcome.json["seen"] is None
    assert outcome.json["faults"][0]["what"].startswith("cannot ")
