"""A tenant who may write NADs and pods in one namespace, before a real API server and webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.apiserver import KubectlError
from tests.cluster.installed_webhook import (
    MEMBER,
    NETWORKS,
    Installed,
    namespace,
    pod,
    running_webhook,
    until,
)

pytestmark = pytest.mark.timeout(120)

GROUP = "k8s.cni.cncf.io"
OWN = {"cniVersion": "1.0.0", "name": "own", "type": "bridge", "bridge": "br-own"}
TENANT = "--as=alice"
RIGHTS = (
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "tenant"},
        "rules": [
            {"apiGroups": [GROUP], "resources": ["*"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]},
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "tenant", "namespace": "shop"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "tenant",
        },
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"},
        ],
    },
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Installed]:
    spaces = (namespace("shop"), namespace("ops"), namespace("joined", **MEMBER))
    with running_webhook(*spaces, *RIGHTS) as made:
        kind = f"network-attachment-definitions.{GROUP}"
        made.server.kubectl("wait", "--for=condition=Established", f"crd/{kind}", "--timeout=30s")
        until(20, lambda: made.server.get("net-attach-def", "-n", "netplane-system")["items"])
        yield made


def nad(name: str, config: Any = OWN, space: str = "shop", **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "namespace": space, "annotations": annotations},
        "spec": {"config": config if isinstance(config, str) else json.dumps(config)},
    }


def create(cluster: Installed, obj: dict[str, Any], *more: str) -> str:
    text = json.dumps(obj)
    return cluster.server.kubectl("create", "-f", "-", TENANT, *more, text=text)


def delete(cluster: Installed, name: str, space: str = "shop") -> str:
    return cluster.server.kubectl("delete", "net-attach-def", name, "-n", space, "--timeout=5s")


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({**OWN, "bridge": "cni0"}, "spec.config.bridge"),
        ({**OWN, "IsGateway": True}, "spec.config.isGateway"),
        ({**OWN, "ipam": {"type": "host-local", "DATADIR": "/etc"}}, "spec.config.ipam.dataDir"),
        ({**OWN, "type": "evil"}, "spec.config.type"),
        ({**OWN, "ipam": {"type": "plane", "plane": "business"}}, "not the plane's own NAD"),
        ("{", "spec.config"),
        (json.dumps(OWN) + " " * (32 << 10), "32 KiB"),
    ],
)
def test_tenant_writes_no_nad_that_reaches_beyond_its_pods(
    cluster: Installed, config: Any, path: str
) -> None:
    with pytest.raises(KubectlError) as caught:
        create(cluster, nad("hostile", config))
    assert path in str(caught.value)
    with pytest.raises(KubectlError):
        create(cluster, nad("hostile", config), "--dry-run=server")
    assert not cluster.server.kubectl(
        "get", "net-attach-def", "hostile", "-n", "shop", "--ignore-not-found"
    )


def test_tenant_turns_no_good_nad_into_a_hostile_one(cluster: Installed) -> None:
    create(cluster, nad("turned"))
    patch = json.dumps({"spec": {"config": json.dumps({**OWN, "bridge": "cni0"})}})
    place = ("net-attach-def", "turned", "-n", "shop", "--type=merge", "-p", patch, TENANT)
    with pytest.raises(KubectlError, match=r"spec\.config\.bridge"):
        cluster.server.kubectl("patch", *place)


def test_tenant_s_pod_gets_no_nad_from_before_the_webhook(cluster: Installed) -> None:
    """Both gates: here the pod's admission, on the node the same decision."""
    cluster.stop()
    hostile = nad("before", {**OWN, "bridge": "cni0"}, "joined")
    cluster.server.apply(hostile)  # nobody answers: written all the same
    cluster.start()
    cluster.ready()
    until(20, lambda: _is_refused(cluster, "before"))
    cluster.server.kubectl("label", "net-attach-def", "before", "-n", "joined", "a=b")


def _is_refused(cluster: Installed, name: str) -> bool:
    text = json.dumps(pod("on-it", "joined", {NETWORKS: name}))
    try:
        cluster.server.kubectl("create", "-f", "-", "--dry-run=server", text=text)
    except KubectlError as error:
        return f"cannot use NAD joined/{name}" in str(error)
    return False


def test_a_nad_in_use_is_not_deleted_by_mistake(cluster: Installed) -> None:
    create(cluster, nad("used"))
    for number in range(4):
        create(cluster, pod(f"user-{number}", "shop", {NETWORKS: "used"}))
    told = "in use by 4 pods (user-0, user-1, user-2 and 1 more)"
    until(10, lambda: _is_in_use(cluster, "used", told))
    with pytest.raises(KubectlError, match="in use by 4 pods"):
        delete(cluster, "used")
    cluster.server.kubectl("delete", "pod", "-n", "shop", "--all", "--grace-period=0", "--force")
    until(10, lambda: not _is_in_use(cluster, "used"))
    delete(cluster, "used")


def _is_in_use(cluster: Installed, name: str, told: str = "in use by") -> bool:
    place = ("net-attach-def", name, "-n", "shop", "--dry-run=server")
    try:
        cluster.server.kubectl("delete", *place)
    except KubectlError as error:
        return told in str(error)
    return False


def test_tenant_keeps_nobody_else_from_deleting_their_nad(cluster: Installed) -> None:
    """A pod may name any NAD; of another namespace's it counts for nothing."""
    cluster.server.apply(nad("shared", OWN, "ops"))
    create(cluster, nad("mine"))
    create(cluster, pod("forger", "shop", {NETWORKS: "ops/shared,mine"}))
    until(10, lambda: _is_in_use(cluster, "mine"))  # so the webhook has seen the pod
    delete(cluster, "shared", "ops")
    assert _is_in_use(cluster, "mine")
    cluster.server.kubectl(
        *("annotate", "net-attach-def", "mine", "-n", "shop", "netplane.io/delete-in-use=true")
    )
    delete(cluster, "mine")


def test_a_pod_that_is_going_keeps_no_nad(cluster: Installed) -> None:
    create(cluster, nad("left"))
    obj = pod("stuck", "shop", {NETWORKS: "left"})
    obj["metadata"]["finalizers"] = ["example.com/never"]
    create(cluster, obj)
    until(10, lambda: _is_in_use(cluster, "left"))
    cluster.server.kubectl("delete", "pod", "stuck", "-n", "shop", "--wait=false")
    until(10, lambda: not _is_in_use(cluster, "left"))
    delete(cluster, "left")
    patch = ("--type=merge", "-p", json.dumps({"metadata": {"finalizers": None}}))
    cluster.server.kubectl("patch", "pod", "stuck", "-n", "shop", *patch)


@pytest.mark.parametrize("who", ["namespace-controller", "generic-garbage-collector"])
def test_tenant_holds_up_no_cleaning(cluster: Installed, who: str) -> None:
    name = f"cleaned-{who}"
    create(cluster, nad(name))
    create(cluster, pod(f"user-{who}", "shop", {NETWORKS: name}))
    until(10, lambda: _is_in_use(cluster, name))
    cleaner = (f"--as=system:serviceaccount:kube-system:{who}", "--as-group=system:masters")
    before = cluster.calls()
    cluster.server.kubectl("delete", "net-attach-def", name, "-n", "shop", *cleaner)
    assert cluster.calls() == before


def test_what_is_rendered_from_planes_is_written_and_mended_as_ever(cluster: Installed) -> None:
    place = ("net-attach-def", "business", "-n", "netplane-system")
    cluster.server.kubectl("delete", *place)
    until(20, lambda: cluster.server.kubectl("get", *place, "--ignore-not-found"))
    assert "netplane_controller_failures_total 0.0" in cluster.ask("/metrics")[1]
    assert "forbidden" not in cluster.log.read_text()
