"""Where `netplane plan export` and `diff` read: a cluster over HTTPS, or manifests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from planes.cli.plan.place_planes import read_place
from planes.cli.reading.place import Place
from planes.kube.resources import NAMESPACES, PLANES
from planes.model.errors import JsonObject
from planes.model.plan.writing import write_plan
from planes.run.clock import SystemClock
from tests.support.command_line import Outcome, netplane
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.scripted_api import ScriptedApi, refuses, says, scripted_api
from tests.support.kube.served_kube import write_kubeconfig
from tests.support.planes import plane_object
from tests.support.plans import network

KEY = "plane.netplane.io/business"
SHOP = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {KEY: "enabled"}},
}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ScriptedApi]:
    async with scripted_api(tmp_path) as api:
        yield api


async def typed(server: ScriptedApi, folder: Path, *words: str) -> Outcome:
    """Run a command in a thread: the server is in this loop."""
    kubeconfig = write_kubeconfig(folder / "kubeconfig", server)
    return await asyncio.to_thread(netplane, *words, "--kubeconfig", str(kubeconfig))


def listed(*items: JsonObject) -> Any:
    return says({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": list(items)})


async def test_the_planes_of_a_cluster_are_exported(server: ScriptedApi, tmp_path: Path) -> None:
    server.then(listed(plane_object()), listed(SHOP))
    found = await typed(server, tmp_path, "plan", "export")
    assert (found.status, found.err) == (0, "")
    assert found.json == {"networks": {"business": network(namespaces={"shop": "enabled"})}}
    assert {seen.method for seen in server.seen} == {"GET"}


async def test_a_plan_is_compared_with_a_cluster(server: ScriptedApi, tmp_path: Path) -> None:
    server.then(listed(plane_object()), listed(SHOP))
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"networks": {"business": network(order=7)}}))
    found = await typed(server, tmp_path, "plan", "diff", str(plan))
    assert (found.status, found.out) == (1, "Plane business\n  + spec.order: 7\n")


async def test_a_user_who_may_not_list_planes_is_told(server: ScriptedApi, tmp_path: Path) -> None:
    server.then(refuses(403, "Forbidden", 'User "u" cannot list resource "planes"'))
    found = await typed(server, tmp_path, "plan", "export")
    assert (found.status, found.out) == (1, "")
    assert 'cannot list resource "planes"' in found.err


async def test_namespaces_are_read_without_their_specs() -> None:
    kube = FakeKube((PLANES, plane_object()), (NAMESPACES, SHOP))
    found = await read_place(Place(kube, SystemClock(), "the cluster"))
    assert write_plan(found.planes.values(), found.labels) == {
        "networks": {"business": network(namespaces={"shop": "enabled"})}
    }
    assert {verb for verb, *_ in kube.requests} == {"list"}


def deep(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


@pytest.mark.parametrize(
    "spec", [{"purpose": "\x9b31m"}, {"network": {"type": "bridge", "plugins": deep(200)}}]
)
async def test_a_plane_that_holds_what_no_plan_may_have_is_left_out_by_name(
    server: ScriptedApi, tmp_path: Path, spec: JsonObject
) -> None:
    server.then(listed(plane_object("odd", **spec), plane_object()), listed())
    found = await typed(server, tmp_path, "plan", "export")
    assert found.status == 1
    assert list(found.json["networks"]) == ["business"]
    assert found.err.startswith("warning: plane odd is left out")
    assert (found.out + found.err).replace("\n", "").isprintable()
