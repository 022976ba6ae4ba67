"""Planes deleted and namespaces mislabelled, before a real API server and the webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from planes.model.errors import JsonObject
from planes.model.names import IN_USE_FINALIZER
from tests.cluster.apiserver import KubectlError
from tests.cluster.installed_webhook import (
    MEMBER,
    PLANE,
    Installed,
    namespace,
    pod,
    running_webhook,
    until,
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Installed]:
    with running_webhook(namespace("shop", **MEMBER)) as made:
        yield made


def plane(name: str, vlan: int, **spec: Any) -> JsonObject:
    network = {"type": "vlan", "master": "eth1", "vlan": vlan}
    common: Any = PLANE["spec"]
    return {**PLANE, "metadata": {"name": name}, "spec": {**common, "network": network, **spec}}


def is_there(cluster: Installed, name: str) -> bool:
    try:
        cluster.server.get("plane", name)
    except KubectlError:
        return False
    return True


def held(cluster: Installed, name: str) -> JsonObject:
    """Apply nothing, and wait until a plane has the finalizer."""
    return dict(
        until(
            10,
            lambda: (
                (found := cluster.server.get("plane", name))["metadata"].get("finalizers")
                == [IN_USE_FINALIZER]
                and found
            ),
        )
    )


def test_a_plane_with_a_pod_stays_and_kubectl_delete_names_the_pod(
    cluster: Installed,
) -> None:
    server = cluster.server
    server.apply(plane("busy", 7), namespace("team", **{"plane.netplane.io/busy": "enabled"}))
    held(cluster, "busy")
    server.apply(pod("web", "team"))
    text = cluster.server.told("delete", "plane", "busy", "--wait=false")
    assert "Warning: plane busy stays in force until no pod has it: pod team/web" in text

    def is_told() -> bool:
        conditions = server.get("plane", "busy")["status"]["conditions"]
        found = [each for each in conditions if each["type"] == "DeletionBlocked"]
        return bool(found) and "pod team/web" in found[0]["message"]

    until(15, is_told)
    until(10, lambda: "DeletionBlocked" in server.kubectl("get", "events", "-n", "default"))
    server.apply(pod("again", "team"))
    made = server.get("pod", "again", "-n", "team")
    assert '"busy"' in made["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"]
    server.kubectl("delete", "pod", "web", "again", "-n", "team", "--now")
    until(20, lambda: not is_there(cluster, "busy"))


def test_a_required_plane_that_went_refuses_pods_and_an_enabled_one_warns(
    cluster: Installed,
) -> None:
    server = cluster.server
    server.apply(plane("leaving", 8))
    server.apply(
        namespace("strict", **{"plane.netplane.io/leaving": "required"}),
        namespace("lenient", **{"plane.netplane.io/leaving": "enabled"}),
    )
    server.kubectl("delete", "plane", "leaving")
    until(10, lambda: _refused(cluster, pod("web", "strict")))
    text = cluster.server.told("apply", "-f", "-", text=json.dumps(pod("web", "lenient")))
    assert 'there is no plane "leaving"' in text


def _refused(cluster: Installed, obj: JsonObject) -> bool:
    try:
        cluster.server.kubectl("create", "--dry-run=server", "-f", "-", text=json.dumps(obj))
    except KubectlError as error:
        return "cannot attach the required plane" in str(error)
    return False


def test_orphan_lets_it_go_at_once(cluster: Installed) -> None:
    server = cluster.server
    server.apply(
        plane("loose", 9, deletionPolicy="Orphan"),
        namespace("many", **{"plane.netplane.io/loose": "enabled"}),
    )
    server.apply(pod("web", "many"))
    server.kubectl("delete", "plane", "loose", "--timeout=10s")
    assert not is_there(cluster, "loose")


def test_labelling_a_namespace_with_a_typing_error_is_warned_about(cluster: Installed) -> None:
    text = cluster.server.told("label", "namespace", "default", "plane.netplane.io/busines=enabled")
    assert 'there is no plane "busines"; did you mean business?' in text
    text = cluster.server.told(
        "label", "namespace", "default", "planes.netplane.io/business=enabled"
    )
    assert "did you mean plane.netplane.io/business?" in text
    text = cluster.server.told(
        "label", "namespace", "shop", "plane.netplane.io/business=enable", "--overwrite"
    )
    assert "is neither enabled nor required" in text
    server = cluster.server
    server.kubectl(
        "label", "namespace", "shop", "plane.netplane.io/business=enabled", "--overwrite"
    )


def test_the_second_plane_on_a_wire_is_warned_about_and_not_accepted(cluster: Installed) -> None:
    server = cluster.server
    server.apply(plane("first", 10))
    held(cluster, "first")
    text = server.told("apply", "-f", "-", text=json.dumps(plane("second", 10)))
    assert "Warning: the plane will not be in force: it would hand out 192.168.0.1-" in text
    assert "plane first" in text

    def accepted() -> dict[str, str]:
        """Return what the printed column says of each plane."""
        head, *lines = server.kubectl("get", "planes", "first", "second").splitlines()
        at = head.index("ACCEPTED")
        return {line.split()[0]: line[at:].split()[0] for line in lines}

    until(10, lambda: accepted() == {"first": "True", "second": "False"})
    server.kubectl("delete", "plane", "first", "second", "--timeout=20s")


def test_events_of_namespaces_and_workloads_are_taken(cluster: Installed) -> None:
    """The policy lets the webhook write them, and the API server takes what they are about."""
    server = cluster.server
    labels = {"plane.netplane.io/busines": "enabled"}
    server.apply(namespace("typing", **labels))
    template = {"metadata": {"labels": {"app": "db"}}, "spec": pod("x", "typing")["spec"]}
    spec = {"serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": template}
    metadata = {"name": "db", "namespace": "typing"}
    server.apply(
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}
    )
    uid = server.get("statefulset", "db", "-n", "typing")["metadata"]["uid"]
    obj = pod("db-0", "typing")
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": uid}
    obj["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
    manager = "--as=system:serviceaccount:kube-system:statefulset-controller"
    group = "--as-group=system:masters"
    server.kubectl("create", manager, group, "-f", "-", text=json.dumps(obj))

    def reasons() -> set[tuple[str, str]]:
        found = server.get("events", "-n", "typing")["items"]
        return {(each["reason"], each["involvedObject"]["kind"]) for each in found}

    until(20, lambda: ("PodWarning", "StatefulSet") in reasons())
    assert "PodWarning" in server.kubectl("describe", "statefulset", "db", "-n", "typing")
    until(60, lambda: ("PlaneMissing", "Namespace") in reasons())
