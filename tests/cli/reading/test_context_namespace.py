"""Who names no namespace means that of the kubeconfig's context, as with kubectl."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from planes.kube.resources import NAMESPACES, PLANES, PODS
from tests.support.command_line import Outcome, netplane
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.served_kube import served
from tests.support.planes import plane_object

WEB = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}


@pytest.fixture
async def kubeconfig(tmp_path: Path) -> AsyncIterator[Path]:
    """A cluster with a pod `web` in `shop`, and one in `default`, by a context of `shop`."""
    kube = FakeKube((PLANES, plane_object()))
    for space in ("shop", "default"):
        kube.put_object(NAMESPACES, {"metadata": {"name": space}})
        meta = {"name": "web", "namespace": space}
        kube.put_object(PODS, {"metadata": meta, "spec": {"nodeName": f"of-{space}"}})
    async with served(kube, tmp_path) as path:
        content = yaml.safe_load(path.read_text())
        content["contexts"][0]["context"]["namespace"] = "shop"
        path.write_text(yaml.safe_dump(content))
        yield path


async def asked(kubeconfig: Path, *words: str, **env: str) -> Outcome:
    return await asyncio.to_thread(
        netplane, *words, "--kubeconfig", str(kubeconfig), "-o", "json", env=env
    )


async def test_a_pod_is_looked_for_in_the_namespace_of_the_context(kubeconfig: Path) -> None:
    outcome = await asked(kubeconfig, "explain", "pod/web")
    assert json.loads(outcome.out)["namespace"] == "shop"


async def test_a_flag_counts_more_than_a_variable_and_that_more_than_the_context(
    kubeconfig: Path,
) -> None:
    outcome = await asked(kubeconfig, "explain", "pod/web", NETPLANE_NAMESPACE="default")
    assert json.loads(outcome.out)["namespace"] == "default"
    env = {"NETPLANE_NAMESPACE": "default"}
    outcome = await asked(kubeconfig, "explain", "pod/web", "-n", "shop", **env)
    assert json.loads(outcome.out)["namespace"] == "shop"


async def test_manifests_that_name_no_namespace_are_of_that_of_the_context(
    kubeconfig: Path, tmp_path: Path
) -> None:
    """As `kubectl apply` would create them."""
    file = tmp_path / "web.json"
    file.write_text(json.dumps(WEB))
    outcome = await asked(kubeconfig, "explain", "-f", str(file))
    assert [one["namespace"] for one in json.loads(outcome.out)] == ["shop"]


async def test_an_address_is_asked_about_for_everybody_unless_a_namespace_is_named(
    kubeconfig: Path,
) -> None:
    words = ("explain", "address", "10.9.0.200", "--plane", "business")
    assert json.loads((await asked(kubeconfig, *words)).out)["namespace"] == ""
    named = await asked(kubeconfig, *words, "--pod", "web")
    assert json.loads(named.out)["namespace"] == "shop"


async def test_manifests_of_one_machine_have_no_context(kubeconfig: Path, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    file = tmp_path / "web.json"
    file.write_text(json.dumps(WEB))
    env = {"KUBECONFIG": str(kubeconfig)}
    words = ("explain", "-f", str(file), "--manifests", str(tmp_path / "m"), "-o", "json")
    outcome = await asyncio.to_thread(netplane, *words, env=env)
    assert [one["namespace"] for one in json.loads(outcome.out)] == ["default"]
