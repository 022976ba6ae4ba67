"""`netplane doctor NODE` asks a real API server, with accounts that may much or little."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from planes.cli.doctor.api_access import ApiAccess
from planes.cli.doctor.facts.api_server import OF_DAEMON, read_api_server
from tests.cluster.apiserver import ApiServer, running_api_server
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing
from tests.cluster.rest import MANIFESTS
from tests.support.command_line import Outcome, netplane

NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as started:
        namespace = {"metadata": {"name": "netplane-system"}}
        started.apply({"apiVersion": "v1", "kind": "Namespace", **namespace}, NODE)
        yield started


def doctor(server: ApiServer, user: str = "admin") -> Outcome:
    return netplane("doctor", "n1", "-o", "json", "--kubeconfig", str(server.kubeconfig(user)))


def set_ready(server: ApiServer, status: str) -> None:
    ready = {"type": "Ready", "status": status, "reason": "Kubelet", "message": "says so"}
    patch = json.dumps({"status": {"conditions": [ready]}})
    server.kubectl("patch", "node", "n1", "--subresource=status", "--type=merge", "-p", patch)


def told(done: Outcome) -> dict[str, str]:
    """Return what was found last by each check."""
    return {one["check"]: one["what"] for one in done.json["findings"]}


def event(server: ApiServer) -> dict[str, Any]:
    uid = server.get("node", "n1")["metadata"]["uid"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "n1.1", "namespace": "default"},
        "involvedObject": {"kind": "Node", "name": "n1", "uid": uid},
        "type": "Warning",
        "reason": "AddressHeldTwice",
        "message": "10.9.0.4",
        "count": 1,
        "lastTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def test_an_administrator_sees_node_daemon_and_events(server: ApiServer) -> None:
    set_ready(server, "False")
    server.apply(event(server))
    done = doctor(server)
    assert done.status == 1
    assert told(done) == {
        "node": "node n1 is not ready (Kubelet: says so)",
        "daemon": "no pod of netplane-cni is on node n1",
        "events": "node n1: AddressHeldTwice: 10.9.0.4 (once, the last 0 min ago)",
    }
    reasons = {one["check"]: one["reason"] for one in done.json["notChecked"]}
    assert set(reasons) == {"certificates", "daemon"}


def test_a_user_without_rights_is_told_which_are_missing(server: ApiServer) -> None:
    done = doctor(server, "alice")
    assert done.status == 0
    assert "list planes.netplane.io" in told(done)["api"]
    reasons = {one["check"]: one["reason"] for one in done.json["notChecked"]}
    assert 'User "alice" cannot get resource "nodes"' in reasons["node"]


def test_the_role_of_the_daemon_has_all_that_the_doctor_asks_for(server: ApiServer) -> None:
    (role,) = [
        one
        for one in yaml.safe_load_all((MANIFESTS / "base/cni/rbac.yaml").read_text())
        if one["kind"] == "ClusterRole"
    ]
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "as-the-daemon"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role["metadata"]["name"]},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "bob"}],
    }
    access = ApiAccess(server.kubeconfig("bob"), "", {}, 30)

    def missing() -> tuple[str, ...]:
        found = access.ask(lambda api, date: read_api_server(api, date, is_daemon=True))
        assert found.skew is not None
        assert abs(found.skew) < 60
        return found.missing

    assert set(missing()) == {str(right) for right in OF_DAEMON}
    server.apply(role, binding)
    end = time.monotonic() + 60  # the server learns of roles by a watch
    while (left := missing()) and time.monotonic() < end:
        time.sleep(0.1)
    access.close()
    assert left == ()
