"""Uninstalling in another order than the documents', and again, on a real API server.

No controllers run here: the namespace, which they would empty and finalize, is finalized by hand.
"""

from __future__ import annotations

import json

from tests.cluster.apiserver import ApiServer, KubectlError
from tests.cluster.installed_webhook import PLANE, until
from tests.cluster.lab.binaries import ROOT
from tests.cluster.netplane import OVERLAYS

SYSTEM = "netplane-system"
HELD = {**PLANE, "metadata": {"name": "business", "finalizers": ["netplane.io/in-use"]}}


def is_there(server: ApiServer, *what: str) -> bool:
    try:
        server.kubectl("get", *what)
    except KubectlError:
        return False
    return True


def finalize(server: ApiServer) -> None:
    """Let the namespace go, as the namespace controller does once it is empty."""
    obj = server.get("namespace", SYSTEM)
    obj["spec"]["finalizers"] = []
    path = f"/api/v1/namespaces/{SYSTEM}/finalize"
    server.kubectl("replace", "--raw", path, "-f", "-", text=json.dumps(obj))


def delete_everything(server: ApiServer) -> None:
    """Delete the whole overlay before anything else, which only waits for what others must end."""
    argv = ("delete", "-k", str(OVERLAYS / "default"), "--ignore-not-found", "--wait=false")
    server.kubectl(*argv)
    finalize(server)
    until(20, lambda: not is_there(server, "namespace", SYSTEM))


def test_nodes_can_be_cleaned_after_everything_was_deleted_first(
    own_api_server: ApiServer,
) -> None:
    server = own_api_server
    server.kubectl("apply", "-k", str(OVERLAYS / "default"))
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    server.apply(HELD)
    delete_everything(server)
    assert is_there(server, "plane", "business")  # its finalizer, and nobody who removes it
    server.kubectl("patch", "plane", "business", "--type=merge", "-p", _NO_FINALIZERS)
    until(20, lambda: not is_there(server, "crd", "planes.netplane.io"))
    server.kubectl("apply", "-k", str(OVERLAYS / "uninstall"))
    (step,) = server.get("daemonset", "netplane-cni", "-n", SYSTEM)["spec"]["template"]["spec"][
        "initContainers"
    ]
    assert step["command"][-1] == "uninstall"
    assert server.get("serviceaccount", "netplane-cni", "-n", SYSTEM)["metadata"]["name"]
    labels = server.get("namespace", SYSTEM)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"
    delete_everything(server)
    assert _left(server) == []


def test_the_documents_remove_finalizers_of_planes_so_that_their_kind_can_go() -> None:
    text = (ROOT / "docs" / "cluster.md").read_text()
    section = text[text.index("## Uninstall") :]
    assert _NO_FINALIZERS in section


_NO_FINALIZERS = '{"metadata":{"finalizers":null}}'


def _left(server: ApiServer) -> list[str]:
    kinds = ("clusterrole", "clusterrolebinding", "crd", "validatingadmissionpolicy", "namespace")
    names = [name for kind in kinds for name in server.kubectl("get", kind, "-o", "name").split()]
    return [name for name in names if "netplane" in name]
