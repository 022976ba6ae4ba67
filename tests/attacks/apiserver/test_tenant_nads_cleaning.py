"""A tenant whose pods name its NADs while its namespace goes: the namespace controller goes on.

Before Kubernetes 1.33 it deletes NADs and pods in any order; since then pods first, and waits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.attacks.apiserver.test_tenant_nads import nad
from tests.cluster.apiserver import KubectlError
from tests.cluster.installed_webhook import (
    NETWORKS,
    Installed,
    namespace,
    pod,
    running_webhook,
    until,
)
from tests.cluster.lab.binaries import program

pytestmark = pytest.mark.timeout(120)

KIND = "network-attachment-definitions.k8s.cni.cncf.io"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Installed]:
    with running_webhook(namespace("going")) as made:
        server = made.server
        server.kubectl("wait", "--for=condition=Established", f"crd/{KIND}", "--timeout=30s")
        manager = server.beside(
            "kube-controller-manager",
            program("kube-controller-manager"),
            f"--kubeconfig={server.kubeconfig()}",
            "--leader-elect=false",
            "--secure-port=0",
            f"--service-account-private-key-file={server.folder / 'pki' / 'sa.key'}",
            "--controllers=namespace-controller,serviceaccount-token-controller",
            "--use-service-account-credentials=true",
        )
        manager.start()
        try:
            yield made
        finally:
            manager.stop(grace=5)


def test_tenant_holds_up_no_deletion_of_its_namespace(cluster: Installed) -> None:
    server = cluster.server
    stuck = pod("stuck", "going", {NETWORKS: "own"})
    stuck["metadata"]["finalizers"] = ["example.com/never"]
    server.apply(
        nad("own", space="going"),
        nad("left", space="going"),
        pod("web", "going", {NETWORKS: "own"}),
        stuck,
    )
    until(10, lambda: _is_held(cluster))
    server.kubectl("delete", "namespace", "going", "--wait=false")
    # As an older one does, with the identity of the one that runs here, before any pod is gone.
    cleaner = ("--as=system:serviceaccount:kube-system:namespace-controller",)
    server.kubectl("delete", KIND, "own", "-n", "going", *cleaner, "--as-group=system:masters")
    patch = ("--type=merge", "-p", json.dumps({"metadata": {"finalizers": None}}))
    server.kubectl("patch", "pod", "stuck", "-n", "going", *patch)
    until(60, lambda: not server.kubectl("get", "namespace", "going", "--ignore-not-found"))


def _is_held(cluster: Installed) -> bool:
    """Report whether a person could not delete the NAD now: so its pods are known."""
    try:
        cluster.server.kubectl("delete", KIND, "own", "-n", "going", "--dry-run=server")
    except KubectlError as error:
        return "in use by" in str(error)
    return False
