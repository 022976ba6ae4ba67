"""`netplane dump` and `netplane migrate check` by a kubeconfig, over real TLS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.cli.dump.dumped import Dumped
from tests.support.command_line import Outcome, netplane
from tests.support.kube.scripted_api import ScriptedApi, refuses, says, scripted_api, streams
from tests.support.kube.served_kube import write_kubeconfig

POD = {
    "metadata": {"name": "netplane-cni-a", "namespace": "netplane-system"},
    "spec": {"nodeName": "n1", "containers": [{"name": "cni"}]},
    "status": {
        "phase": "Running",
        "containerStatuses": [{"name": "cni", "ready": True, "restartCount": 0}],
    },
}
NAD = {
    "metadata": {"name": "net", "namespace": "shop"},
    "spec": {"config": '{"cniVersion": "1.0.0", "type": "ovs", "bridge": "br1"}'},
}
LARGE = {"metadata": {"name": "large", "namespace": "bank"}, "spec": {"config": "x" * (1 << 20)}}


async def answer(request: web.Request) -> web.StreamResponse:
    """Answer as an API server whose user may not list namespaces."""
    kind = request.path.rpartition("/")[2]
    if kind == "log":
        lines = b"2026-11-30T10:00:00Z one\n", b"2026-11-30T10:00:01Z token=Zq7hunter2\n"
        return await streams(*lines)(request)
    if kind == "namespaces":
        return await refuses(403, "Forbidden", "no")(request)
    if kind == "netplane":
        return await refuses(404, "NotFound", "gone")(request)
    items: dict[str, list[Any]] = {"pods": [POD], "network-attachment-definitions": [LARGE, NAD]}
    return await says({"metadata": {"resourceVersion": "1"}, "items": items.get(kind, [])})(request)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ScriptedApi]:
    async with scripted_api(tmp_path) as made:
        made.otherwise(answer)
        write_kubeconfig(tmp_path / "config", made)
        yield made


async def run(tmp_path: Path, *words: str) -> Outcome:
    return await asyncio.to_thread(netplane, *words, "--kubeconfig", str(tmp_path / "config"))


async def test_a_cluster_is_dumped_and_the_missing_right_named(
    api: ScriptedApi, tmp_path: Path
) -> None:
    outcome = await run(tmp_path, "dump", "-f", str(tmp_path / "out.tar.gz"), "-o", "json")
    assert outcome.status == 0, outcome.err
    found = Dumped.read(tmp_path / "out.tar.gz")
    log = "2026-11-30T10:00:00Z one\n2026-11-30T10:00:01Z token=[redacted]\n"
    assert found.members["logs/netplane-cni-a/cni.log"] == log
    assert "ask for a role that may list namespaces" in found.manifest
    assert "ask for a role that may list namespaces" in outcome.err
    assert "ask for a role that may list namespaces" in json.dumps(outcome.json["leftOut"])
    assert {seen.method for seen in api.seen} == {"GET"}


async def test_a_cluster_is_judged_under_the_policy_of_its_installation(
    api: ScriptedApi, tmp_path: Path
) -> None:
    guarded = await run(tmp_path, "migrate", "check")
    assert guarded.status == 1
    assert "judged with --nads guarded" in guarded.err
    assert "warning: cannot list namespaces: no" in guarded.err
    assert "refused: NAD bank/large: " in guarded.err
    assert "the object has 10486" in guarded.err
    opened = await run(tmp_path, "migrate", "check", "--nads", "open", "-n", "shop")
    assert opened.status == 0
    assert "executes ovs" in opened.out
    assert {seen.method for seen in api.seen} == {"GET"}
