"""Ways around the pod hooks, and manifests without the mark, before a real API server.

The hooks ask about pods and pods/status; here stands why nothing else needs asking.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.apiserver import ApiServer
from tests.cluster.installed_webhook import (
    MEMBER,
    NETWORKS,
    PLANE,
    STATUS,
    Installed,
    configurations,
    namespace,
    pod,
    running_webhook,
    until,
)

JOINED = "netplane.io/joined"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Installed]:
    with running_webhook(namespace("shop", **MEMBER)) as made:
        yield made


def annotations_of(server: ApiServer, name: str) -> dict[str, str]:
    found: dict[str, str] = server.get("pod", name, "-n", "shop")["metadata"]["annotations"]
    return found


DEBUG = {"ephemeralContainers": [{"name": "debug", "image": "none"}]}
LARGER = {"containers": [{"name": "main", "resources": {"requests": {"cpu": "20m"}}}]}


@pytest.mark.parametrize(
    ("subresource", "spec"), [("ephemeralcontainers", DEBUG), ("resize", LARGER)]
)
def test_other_subresources_change_no_networks_and_cost_no_call(
    cluster: Installed, subresource: str, spec: dict[str, Any]
) -> None:
    server = cluster.server
    small = pod(subresource, "shop")
    small["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "10m"}}
    server.apply(small)
    before, calls = annotations_of(server, subresource), cluster.calls()
    forged = {"metadata": {"annotations": {NETWORKS: "[]", STATUS: "[]"}}, "spec": spec}
    server.kubectl(
        *("patch", "pod", subresource, "-n", "shop", "--type=strategic"),
        *(f"--subresource={subresource}", "-p", json.dumps(forged)),
    )
    assert annotations_of(server, subresource) == before
    assert cluster.calls() == calls


@pytest.mark.parametrize("way", [[], ["--server-side", "--field-manager=team"]])
def test_applying_a_namespace_without_the_mark_leaves_it_and_changes_nothing(
    cluster: Installed, way: list[str]
) -> None:
    """Neither a three-way merge nor field owners take away what was never in the manifest."""
    server, name = cluster.server, f"applied-{len(way)}"
    text = json.dumps(namespace(name, **MEMBER))
    versions = set()
    for _ in range(3):
        server.kubectl("apply", *way, "-f", "-", text=text)
        metadata = server.get("namespace", name)["metadata"]
        assert metadata["labels"][JOINED] == "true"
        versions.add(metadata["resourceVersion"])
    assert len(versions) == 1


def test_a_replaced_namespace_keeps_the_mark(cluster: Installed) -> None:
    server = cluster.server
    server.apply(namespace("replaced", **MEMBER))
    found = namespace("replaced", **MEMBER, team="net")
    server.kubectl("replace", "-f", "-", text=json.dumps(found))
    assert server.get("namespace", "replaced")["metadata"]["labels"][JOINED] == "true"


def test_a_namespace_that_a_plane_selects_gets_its_mark_back(cluster: Installed) -> None:
    """Nobody asks the hook about a namespace without plane label and mark: the controller does."""
    server = cluster.server
    storage: dict[str, Any] = {
        "network": {"type": "macvlan", "master": "eth2"},
        "ipam": {"mode": "None"},
    }
    storage["namespaceSelector"] = {"matchLabels": {"team": "db"}}
    server.apply({**PLANE, "metadata": {"name": "storage"}, "spec": storage})
    server.apply(namespace("db", team="db"))

    def is_marked() -> bool:
        return JOINED in server.get("namespace", "db")["metadata"]["labels"]

    until(10, is_marked)
    server.kubectl("label", "namespace", "db", f"{JOINED}-")
    until(10, is_marked)
    server.kubectl("delete", "plane", "storage")
    until(10, lambda: not is_marked())


@pytest.mark.parametrize("way", [[], ["--server-side", "--force-conflicts"]])
def test_applying_the_configurations_again_leaves_the_bundles_of_authorities(
    cluster: Installed, way: list[str]
) -> None:
    """An upgrade applies all manifests again; not for a moment may the webhook be untrusted."""

    def bundles() -> list[str]:
        return [
            hook["clientConfig"].get("caBundle", "")
            for kind in ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
            for hook in cluster.server.get(kind, "netplane")["webhooks"]
        ]

    before = bundles()
    assert all(before)
    found = configurations(cluster.port)
    for configuration in found:
        configuration["metadata"]["labels"]["colour"] = f"blue-{len(way)}"
    items = {"apiVersion": "v1", "kind": "List", "items": found}
    cluster.server.kubectl("apply", *way, "-f", "-", text=json.dumps(items))
    assert bundles() == before
