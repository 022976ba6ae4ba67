"""`netplane map` over a kubeconfig and HTTPS."""

from __future__ import annotations

import asyncio
from pathlib import Path

from planes.kube.resources import PLANES, PODS
from tests.cli.map.scenes import pod_object, status
from tests.support.command_line import netplane
from tests.support.kube.scripted_api import refuses, says, scripted_api
from tests.support.kube.served_kube import write_kubeconfig
from tests.support.planes import plane_object


def listed(*items: object) -> dict[str, object]:
    return {"metadata": {"resourceVersion": "1"}, "items": list(items)}


async def test_a_cluster_is_read_with_the_users_kubeconfig(tmp_path: Path) -> None:
    element = status("netplane-system/business", "net1", "10.9.0.7")
    pod = pod_object("shop", "web", "n1", element)
    async with scripted_api(tmp_path) as api:
        api.then(
            says(listed(plane_object())),
            says(listed({"metadata": pod["metadata"]})),
            says(listed()),
            says(listed(pod)),
        )
        words = (
            "map",
            "--kubeconfig",
            str(write_kubeconfig(tmp_path / "kubeconfig", api)),
            "--context",
            "prod",
        )
        done = await asyncio.to_thread(netplane, *words, "-o", "json")
    assert done.status == 0, done.err
    assert done.json["place"] == "the cluster of context prod"
    (group,) = done.json["groups"]
    assert (group["name"], group["interfaces"]) == ("n1", {"business": 1})
    assert done.json["addresses"][0]["used"] == ["10.9.0.7"]
    assert {one.method for one in api.seen} == {"GET"}
    assert [one.path for one in api.seen][:2] == [PLANES.path(), PODS.path()]


async def test_the_right_that_is_missing_is_named(tmp_path: Path) -> None:
    async with scripted_api(tmp_path) as api:
        api.then(refuses(403, "Forbidden", "planes is forbidden"))
        done = await asyncio.to_thread(
            netplane, "map", "--kubeconfig", str(write_kubeconfig(tmp_path / "kubeconfig", api))
        )
    assert done.status == 1
    assert "list planes" in done.err
    assert done.out == ""
