"""`netplane version`: this program's, and that of what runs in a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.cli.reading.test_at_cluster import whole
from tests.support.command_line import netplane
from tests.support.kube.scripted_api import ScriptedApi, refuses, says, scripted_api

OWN = version("netplane")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ScriptedApi]:
    async with scripted_api(tmp_path) as server:
        yield server


def pod(name: str, app: str, container: str, image: str, node: str = "n1") -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": app}
    containers = [{"name": "side", "image": "other:9"}, {"name": container, "image": image}]
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"nodeName": node, "containers": containers},
    }


def listed(*pods: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "PodList", "metadata": {"resourceVersion": "7"}, "items": list(pods)}


def test_without_a_cluster_it_is_the_programs_own() -> None:
    outcome = netplane("version", env={"HOME": "/nonexistent"})
    assert (outcome.status, outcome.out) == (0, f"client   {OWN}\n")
    assert netplane("--version").out == f"netplane {OWN}\n"


async def test_programs_of_one_version_are_one_line(api: ScriptedApi, tmp_path: Path) -> None:
    daemons = [
        pod(f"d{n}", "netplane-cni", "cni", "reg:5000/netplane:0.1.0", f"n{n}") for n in range(5)
    ]
    old = pod("d9", "netplane-cni", "cni", "netplane:v0.0.9@sha256:abc", "n9")
    webhook = pod("w", "netplane-webhook", "webhook", "netplane@sha256:abc")
    api.then(says(listed(*daemons, old, webhook, {"metadata": {"name": "odd"}})))
    file = str(whole(tmp_path, api))
    outcome = await asyncio.to_thread(netplane, "version", "--kubeconfig", file)
    assert outcome.out.splitlines() == [
        f"client   {OWN}",
        "daemon   0.0.9  on n9",
        "daemon   0.1.0  on n0, n1, n2 and 2 more",
        "webhook  of image netplane@sha256:abc  on n1",
    ]
    assert outcome.status == 0
    assert api.seen[0].path == "/api/v1/namespaces/netplane-system/pods"


async def test_json_has_every_program(api: ScriptedApi, tmp_path: Path) -> None:
    api.then(says(listed(pod("d", "netplane-cni", "cni", "netplane:0.1.0"))))
    argv = ("version", "-o", "json", "--kubeconfig", str(whole(tmp_path, api)))
    outcome = await asyncio.to_thread(netplane, *argv)
    running = {
        "program": "daemon",
        "version": "0.1.0",
        "node": "n1",
        "pod": "d",
        "image": "netplane:0.1.0",
    }
    assert outcome.json == {"client": OWN, "running": [running]}


async def test_a_cluster_that_does_not_tell_is_a_failure(api: ScriptedApi, tmp_path: Path) -> None:
    """The client's version is printed all the same, and `--client` asks nobody."""
    why = 'pods is forbidden: User "jane" cannot list resource "pods" in API group ""'
    api.then(refuses(403, "Forbidden", f'{why} in the namespace "netplane-system"'))
    argv = ("version", "-o", "json", "--kubeconfig", str(whole(tmp_path, api)))
    outcome = await asyncio.to_thread(netplane, *argv)
    assert outcome.status == 1
    assert outcome.json["client"] == OWN
    assert "kubectl create rolebinding" in outcome.json["error"]["remedy"]
    assert (await asyncio.to_thread(netplane, *argv, "--client")).status == 0


async def test_what_a_pod_says_of_itself_is_printed_without_escapes(
    api: ScriptedApi, tmp_path: Path
) -> None:
    bad = "\x1b[31m\n" + "a" * 9999
    api.then(says(listed(pod("d", "netplane-cni", "cni", bad, bad))))
    file = str(whole(tmp_path, api))
    outcome = await asyncio.to_thread(netplane, "version", "--kubeconfig", file)
    assert outcome.status == 0
    assert "\x1b" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) < 1200
