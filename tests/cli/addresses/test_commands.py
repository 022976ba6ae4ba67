"""`netplane ip` as a user types it, over HTTPS with a kubeconfig."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from planes.kube.resources import IPBLOCKS, NAMESPACES, PODS, Resource
from planes.model.state.node_use import NodeUse
from tests.cli.addresses.reporting_cluster import ReportingCluster
from tests.support.command_line import Outcome, netplane
from tests.support.kube.scripted_api import ScriptedApi, scripted_api
from tests.support.kube.served_kube import serve, write_kubeconfig


class Served:
    """A cluster, and commands that read it."""

    def __init__(self, api: ScriptedApi, folder: Path) -> None:
        self.cluster = ReportingCluster()
        self.cluster.plane()
        self.cluster.kube.put_object(NAMESPACES, {"metadata": {"name": "kube-system"}})
        self._api = api
        self._kubeconfig = write_kubeconfig(folder / "kubeconfig", api)

    async def run(self, *words: str, refused: tuple[Resource, ...] = ()) -> Outcome:
        self._api.otherwise(serve(self.cluster.kube, *refused))
        where = ("--kubeconfig", str(self._kubeconfig))
        return await asyncio.to_thread(netplane, "ip", *words, *where)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with scripted_api(tmp_path) as api:
        yield Served(api, tmp_path)


async def test_show_prints_planes_and_nodes(served: Served) -> None:
    served.cluster.block("10.9.0.0/26")
    served.cluster.report("n1", business=NodeUse(5, 2))
    outcome = await served.run("show", "business", "-o", "wide")
    assert (outcome.status, outcome.err) == (0, "")
    assert [" ".join(line.split()) for line in outcome.out.splitlines()] == [
        "PLANE FAMILY SIZE USED FREE STATIC COOLING KEPT COUNTED-BY RANGES STATIC-RANGES",
        "business IPv4 157 5 150 0 2 0 nodes 10.9.0.4-10.9.0.127 10.9.0.192-10.9.0.223",
        "",
        "PLANE FAMILY NODE BLOCKS ADDRESSES USED COOLING STATIC BORROWED CIDRS",
        "business IPv4 n1 1 60 5 2 0 0 10.9.0.0/26",
    ]


async def test_without_the_right_to_list_pods_a_number_is_a_dash(served: Served) -> None:
    served.cluster.block("10.9.0.0/26")
    outcome = await served.run("show", refused=(PODS,))
    assert outcome.status == 0
    assert outcome.out.splitlines()[1].split()[2:] == ["157", "-", "-", "0", "-", "0"]
    assert "warning: what pods show is not known: cannot list pods: pods is forbidden" in (
        outcome.err
    )
    assert outcome.err.count("list pods") == 4  # twice as a cause, and as what to do


@pytest.mark.parametrize("words", [("show",), ("who", "10.9.0.7"), ("check",)])
async def test_without_the_right_to_list_blocks_the_error_names_it(
    served: Served, words: tuple[str, ...]
) -> None:
    outcome = await served.run(*words, refused=(IPBLOCKS,))
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith("cannot list ipblocks: ipblocks.netplane.io is forbidden")
    _, remedy = outcome.err.split("\n", 1)
    assert "list ipblocks" in remedy


async def test_who_prints_pod_node_since_and_proof(served: Served) -> None:
    served.cluster.static_block("10.9.0.192/26", {"10.9.0.200": "n2"})
    outcome = await served.run("who", "10.9.0.200")
    assert outcome.status == 0
    assert outcome.out.splitlines()[1].split() == [
        *("business", "shop/pod-0", "u0", "n2", "1970-01-20T16:13:20Z", "holder", "-"),
    ]


async def test_a_report_is_written_and_a_dry_run_reads_it(served: Served, tmp_path: Path) -> None:
    served.cluster.block("10.9.0.0/26", "n3")
    path = tmp_path / "report.json"
    checked = await served.run("check", "--report", str(path))
    assert checked.status == 1
    assert "orphaned-block" in checked.out
    outcome = await served.run("release", "--from-report", str(path), "--dry-run", "-o", "json")
    assert (outcome.status, outcome.json["dryRun"]) == (0, True)
    assert [one["what"] for one in outcome.json["released"]] == ["business.10-9-0-0-26"]


async def test_a_healthy_cluster_of_200_pods_has_no_misfit(served: Served) -> None:
    cluster, held = served.cluster, {}
    cluster.block("10.9.0.0/26")
    cluster.block("10.9.0.64/26", "n2")
    for number in range(4, 127):
        cluster.pod(f"web-{number}", f"10.9.0.{number}", node="n1" if number < 64 else "n2")
    for number in range(192, 224):
        held[number] = cluster.pod(f"db-{number}", f"10.9.0.{number}")
    for number in range(45):
        cluster.pod(f"other-{number}")
    for number, uid in held.items():
        cluster.hold(f"10.9.0.{number}", f"db-{number}", uid)
    outcome = await served.run("check")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == "blocks, holders, claims, pods and nodes fit together\n"


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
async def test_texts_of_nodes_are_printed_without_escapes(served: Served, output: str) -> None:
    served.cluster.block("10.9.0.0/26", "n1\x1b[2J\x9b")
    for words in (("check",), ("show", "business"), ("who", "10.9.0.7")):
        outcome = await served.run(*words, "-o", output)
        assert "n1?[2J?" in outcome.out
        assert all(one.isprintable() or one == "\n" for one in outcome.out + outcome.err)


async def test_each_planted_fault_is_found_and_nothing_else(served: Served) -> None:
    cluster = served.cluster
    cluster.block("10.9.0.0/26")
    cluster.block("10.9.0.64/26", "gone")  # orphaned
    cluster.hold("10.9.0.200", "dead", node="gone")  # leaked
    cluster.pod("web", "10.9.0.7")
    cluster.pod("twin", "10.9.0.7")  # duplicate
    cluster.pod("liar", "10.9.0.150")  # a status without holder
    outcome = await served.run("check", "-o", "json")
    assert outcome.status == 1
    assert {(one["kind"], one["what"]) for one in outcome.json} == {
        ("orphaned-block", "business.10-9-0-64-26"),
        ("leaked", "10.9.0.200"),
        ("duplicate", "10.9.0.7"),
        ("status-without-holder", "10.9.0.150"),
    }
