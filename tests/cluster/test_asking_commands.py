"""`netplane status` and `netplane explain` on a real API server, with a webhook that leads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planes.run.clock import SystemClock, rfc3339
from tests.cluster.installed_webhook import (
    BASE,
    MEMBER,
    Installed,
    namespace,
    pod,
    read,
    running_webhook,
    until,
)
from tests.support.command_line import Outcome, netplane

SYSTEM = "netplane-system"
IMAGE = "netplane"
HANGS = 'plugin type="netplane" failed (add): cannot attach plane business: eth1 is down'


class Shop:
    """A cluster with the plane business, which namespace shop joined, and one node."""

    def __init__(self, made: Installed) -> None:
        self.made = made
        self.server = made.server

    def arrange(self) -> None:
        """Put what controllers and kubelets would."""
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        self.server.apply(
            *(
                {**account, "metadata": {"name": "default", "namespace": s}}
                for s in ("shop", SYSTEM)
            ),
            *read(BASE / "webhook" / "deployment.yaml", BASE / "cni" / "daemonset.yaml"),
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}},
        )
        self.status(SYSTEM, "deployment/netplane-webhook", replicas=2, readyReplicas=2)
        counts = {"currentNumberScheduled": 1, "numberMisscheduled": 0, "numberReady": 1}
        self.status(SYSTEM, "daemonset/netplane-cni", desiredNumberScheduled=1, **counts)
        self.put_pod("netplane-cni-x", SYSTEM, labels={"app.kubernetes.io/name": "netplane-cni"})
        ready = [{"type": "Ready", "status": "True"}]
        self.status(SYSTEM, "pod/netplane-cni-x", phase="Running", conditions=ready)

    def status(self, space: str, what: str, **status: Any) -> None:
        """Write an object's status."""
        patch = json.dumps({"status": status})
        words = ("--subresource=status", "--type=merge", "-p", patch)
        self.server.kubectl("-n", space, "patch", what, *words)

    def put_pod(self, name: str, space: str, *, labels: dict[str, str] | None = None) -> str:
        """Put a pod on the node, and return its UID."""
        obj = pod(name, space)
        obj["metadata"]["labels"] = labels or {}
        obj["spec"] |= {"nodeName": "n1", "automountServiceAccountToken": False}
        obj["spec"]["containers"][0]["image"] = IMAGE
        self.server.apply(obj)
        return str(self.server.get("pod", name, "-n", space)["metadata"]["uid"])

    def event(self, reason: str, message: str, name: str, uid: str, source: str) -> None:
        """Put a warning about a pod of shop."""
        now = rfc3339(SystemClock().now())
        about = {"kind": "Pod", "namespace": "shop", "name": name, "uid": uid}
        self.server.apply(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{name}.{reason.lower()}", "namespace": "shop"},
                "involvedObject": {"apiVersion": "v1", **about},
                "reason": reason,
                "message": message,
                "type": "Warning",
                "source": {"component": source},
                "reportingComponent": source,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 3,
            }
        )

    def netplane(self, *words: str, user: str = "admin") -> Outcome:
        """Run the command as a user."""
        return netplane(*words, "--kubeconfig", str(self.server.kubeconfig(user)))


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with running_webhook(namespace("shop", **MEMBER)) as made:
        found = Shop(made)
        found.arrange()
        # The leader writes the plane's status within seconds.
        until(30, lambda: found.netplane("status").status == 0)
        yield found


def test_all_is_well_and_every_part_was_read(shop: Shop) -> None:
    outcome = shop.netplane("status", "--strict", "-o", "json")
    assert outcome.status == 0
    seen = outcome.json["seen"]
    assert outcome.json["unknown"] == []
    assert seen["leader"]["holder"].startswith("netplane-webhook-one_")
    assert [round(one["days"] / 10) for one in seen["certificates"]] == [36, 36, 9]
    (plane,) = seen["planes"]
    assert plane["conditions"]["Accepted"]["status"] == "True"
    assert shop.netplane("status").out.endswith("All is well.\n")


def test_warnings_of_the_last_hour_are_found_by_fields_of_the_api(shop: Shop) -> None:
    shop.event("PlaneDenied", "not for you", "web-9", "u9", "netplane")
    shop.event("FailedCreatePodSandBox", HANGS, "web-9", "u9", "kubelet")
    groups = shop.netplane("status", "-o", "json").json["seen"]["events"]
    assert {group["reason"] for group in groups} == {"PlaneDenied", "FailedCreatePodSandBox"}
    assert all(group["count"] == 3 for group in groups)


def test_a_user_without_rights_is_told_which_are_missing(shop: Shop) -> None:
    outcome = shop.netplane("status", user="alice")
    assert outcome.status == 1
    assert "nothing of it may be read" in outcome.out
    assert "not known: cannot list pods in netplane-system: " in outcome.err
    assert "; the right to list pods in namespace netplane-system is missing\n" in outcome.err
    assert "not known: cannot get Secret netplane-system/netplane-webhook-tls: " in outcome.err


def test_a_pod_that_hangs_is_explained(shop: Shop) -> None:
    uid = shop.put_pod("web-0", "shop")
    shop.event("FailedCreatePodSandBox", HANGS, "web-0", uid, "kubelet")
    outcome = shop.netplane("explain", "pod/web-0", "-n", "shop")
    assert outcome.status == 1
    assert "Pod shop/web-0 on node n1 does not start: it hangs in ContainerCreating" in outcome.out
    assert "cannot create the pod: cannot attach plane business: eth1 is down" in outcome.out
    assert "starts with" not in outcome.out


def test_a_pod_that_runs_without_its_plane_is_told_what_is_missing(shop: Shop) -> None:
    shop.put_pod("web-1", "shop")
    shop.status("shop", "pod/web-1", phase="Running", podIP="10.0.0.9")
    outcome = shop.netplane("explain", "pod/web-1", "-n", "shop")
    assert outcome.status == 1
    assert "Pod shop/web-1 on node n1 runs." in outcome.out
    assert "cannot find net1 of plane business among the pod's interfaces" in outcome.out


def test_a_namespace_joins_its_plane(shop: Shop) -> None:
    outcome = shop.netplane("explain", "namespace/shop")
    assert outcome.status == 0
    assert "Namespace shop joins business." in outcome.out


def test_an_address_is_explained(shop: Shop) -> None:
    words = ("explain", "address", "192.168.0.9", "--plane", "business")
    assert shop.netplane(*words).status == 0
    assert shop.netplane(*words, "-n", "shop", "-o", "json").json["role"] == "dynamic"


def test_a_file_is_explained_against_the_planes_of_the_cluster(shop: Shop, tmp_path: Path) -> None:
    asks = {"netplane.io/static-ips": '{"business": ["192.168.0.9"]}'}
    file = tmp_path / "pod.json"
    file.write_text(json.dumps(pod("db", "shop", asks)))
    outcome = shop.netplane("explain", "-f", str(file))
    assert outcome.status == 1
    assert "Pod shop/db is refused" in outcome.out
    assert "Attachments it would get:" in outcome.out


def test_a_user_of_a_namespace_alone_may_explain_its_pods(shop: Shop, tmp_path: Path) -> None:
    """With planes-viewer and what `view` has there; what else it would be judged by is told."""
    shop.server.apply(*read(BASE / "user-roles" / "planes-viewer.yaml"))
    rbac = "rbac.authorization.k8s.io"
    subject = {"apiGroup": rbac, "kind": "User", "name": "bob"}
    role = {"apiGroup": rbac, "kind": "ClusterRole"}
    api = {"apiVersion": f"{rbac}/v1", "subjects": [subject]}
    rules = [{"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["get", "list"]}]
    rules.append({"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]})
    view = {"name": "view-here", "namespace": "shop"}
    shop.server.apply(
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": view, "rules": rules},
        {
            **api,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "bob"},
            "roleRef": {**role, "name": "planes-viewer"},
        },
        {
            **api,
            "kind": "RoleBinding",
            "metadata": {"name": "bob", "namespace": "shop"},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "view-here"},
        },
    )
    shop.put_pod("web-2", "shop")
    outcome = shop.netplane("explain", "pod/web-2", "-n", "shop", "-o", "json", user="bob")
    assert outcome.status == 0, outcome.out + outcome.err
    assert any("cannot list pods" in text for text in outcome.json["unknown"])
    assert outcome.json["attachments"][0]["plane"] == "business"
