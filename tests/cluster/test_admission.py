"""The shipped webhook configurations, roles and program, before a real API server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.cluster.apiserver import ApiServer, KubectlError
from tests.cluster.installed_webhook import (
    MEMBER,
    NETWORKS,
    STATUS,
    Installed,
    namespace,
    pod,
    running_webhook,
    until,
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Installed]:
    with running_webhook(namespace("shop", **MEMBER), namespace("plain")) as made:
        yield made


def test_a_pod_gets_its_plane_at_once_after_its_namespace_was_made(cluster: Installed) -> None:
    """Namespace and pod in one apply: the mark comes with the namespace, the watch catches up."""
    for number in range(5):
        space = f"quick-{number}"
        cluster.server.apply(namespace(space, **MEMBER), pod("web", space))
        made = cluster.server.get("pod", "web", "-n", space)
        assert '"business"' in made["metadata"]["annotations"][NETWORKS]


def test_the_log_follows_a_pod_by_the_uid_it_keeps(cluster: Installed) -> None:
    cluster.server.apply(pod("followed", "shop"))
    made = cluster.server.get("pod", "followed", "-n", "shop")
    (line,) = [each for each in cluster.lines("pod admitted") if each["pod"] == "shop/followed"]
    assert line["uid"] == made["metadata"]["uid"]
    assert line["planes"] == ["business"]


def test_a_generated_name_is_known_when_it_is_logged(cluster: Installed) -> None:
    obj = pod("", "shop")
    obj["metadata"] = {"generateName": "many-", "namespace": "shop"}
    made = cluster.server.kubectl("create", "-f", "-", "-o", "name", text=json.dumps(obj))
    name = made.strip().removeprefix("pod/")
    assert any(each["pod"] == f"shop/{name}" for each in cluster.lines("pod admitted"))


def test_pods_outside_planes_cost_no_call(cluster: Installed) -> None:
    before = cluster.calls()
    cluster.server.apply(pod("web", "plain", {NETWORKS: "nonsense,,"}), pod("web", "kube-system"))
    cluster.server.kubectl("delete", "pod", "web", "-n", "plain", "--now", "--wait=false")
    assert cluster.calls() == before


def test_a_pod_on_the_host_network_costs_no_call(cluster: Installed) -> None:
    obj = pod("host", "shop")
    obj["spec"]["hostNetwork"] = True
    before = cluster.calls()
    cluster.server.apply(obj)
    assert cluster.calls() == before


def test_status_updates_and_labels_cost_no_call(cluster: Installed) -> None:
    cluster.server.apply(pod("busy", "shop"))
    before = cluster.calls()
    running = json.dumps({"status": {"phase": "Running", "podIP": "10.0.0.9"}})
    cluster.server.kubectl(
        *("patch", "pod", "busy", "-n", "shop", "--subresource=status", "--type=merge"),
        *("-p", running),
    )
    cluster.server.kubectl("label", "pod", "busy", "-n", "shop", "colour=blue")
    cluster.server.kubectl("annotate", "pod", "busy", "-n", "shop", "note=other")
    assert cluster.calls() == before


@pytest.mark.parametrize("status", ['[{"name": "cbr0", "interface": "eth0"}]', ""])
def test_a_restored_pod_loses_its_old_network_status(cluster: Installed, status: str) -> None:
    """As a backup has it: with the status of its old life, and the networks that were injected."""
    injected = '[{"name":"business","namespace":"netplane-system","interface":"net1"}]'
    name = f"restored-{len(status)}"
    old = {STATUS: status, STATUS.replace("network-", "networks-"): status, NETWORKS: injected}
    cluster.server.apply(pod(name, "shop", old))
    made = cluster.server.get("pod", name, "-n", "shop")["metadata"]["annotations"]
    assert [key for key in made if key.endswith("-status")] == []
    assert json.loads(made[NETWORKS]) == json.loads(injected)


@pytest.mark.parametrize("subresource", [[], ["--subresource=status"]])
def test_a_forged_network_status_is_refused(cluster: Installed, subresource: list[str]) -> None:
    cluster.server.apply(pod("forged", "shop"))
    patch = json.dumps({"metadata": {"annotations": {STATUS: "[]"}}})
    with pytest.raises(KubectlError, match="only the pod's node reports it"):
        cluster.server.kubectl(
            *("patch", "pod", "forged", "-n", "shop", "--type=merge", *subresource, "-p", patch)
        )


def test_the_node_s_own_report_costs_no_call(cluster: Installed) -> None:
    obj = pod("reported", "shop")
    obj["spec"]["nodeName"] = "node1"
    cluster.server.apply(obj)
    before = cluster.calls()
    patch = json.dumps({"metadata": {"annotations": {STATUS: "[]"}}})
    identity = [
        "--as=system:serviceaccount:netplane-system:netplane-cni",
        "--as-group=system:masters",
        "--as-user-extra=authentication.kubernetes.io/node-name=node1",
    ]
    arguments = ("patch", "pod", "reported", "-n", "shop", "--type=merge", "-p")
    cluster.server.kubectl(*arguments, patch, *identity)
    assert cluster.calls() == before
    identity[-1] = identity[-1].replace("node1", "node2")
    other = patch.replace("[]", "[ ]")
    with pytest.raises(KubectlError, match="only the pod's node reports it"):
        cluster.server.kubectl(*arguments, other, *identity)


def test_a_refused_pod_is_told_why_and_logged(cluster: Installed) -> None:
    with pytest.raises(KubectlError, match="cannot"):
        cluster.server.apply(pod("bad", "shop", {NETWORKS: "nonsense,,"}))
    assert any(each.get("pod") == "shop/bad" for each in cluster.lines("review refused"))


def test_a_dry_run_gets_its_planes_and_leaves_nothing(cluster: Installed) -> None:
    text = json.dumps(pod("dry", "shop"))
    shown = json.loads(
        cluster.server.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", text=text)
    )
    assert NETWORKS in shown["metadata"]["annotations"]


def test_the_mark_comes_and_goes_in_the_request_that_labels(cluster: Installed) -> None:
    server = cluster.server
    server.apply(namespace("moving"))
    server.kubectl("label", "namespace", "moving", "plane.netplane.io/business=enabled")
    assert server.get("namespace", "moving")["metadata"]["labels"]["netplane.io/joined"] == "true"
    server.kubectl("label", "namespace", "moving", "netplane.io/joined-")
    assert server.get("namespace", "moving")["metadata"]["labels"]["netplane.io/joined"] == "true"
    server.kubectl("label", "namespace", "moving", "plane.netplane.io/business-")
    assert "netplane.io/joined" not in server.get("namespace", "moving")["metadata"]["labels"]


def test_the_plane_s_nad_and_status_are_there(cluster: Installed) -> None:
    nad = until(20, lambda: cluster.server.get("net-attach-def", "-n", "netplane-system")["items"])
    assert nad[0]["metadata"]["name"] == "business"

    def conditions() -> dict[str, str]:
        status = cluster.server.get("plane", "business").get("status", {})
        return {each["type"]: each["status"] for each in status.get("conditions", [])}

    wanted = {
        "Accepted": "True",
        "Overlapping": "False",
        "NADReady": "True",
        "Available": "Unknown",  # no node has tried
        "Exhausted": "False",
        "BlocksIgnored": "False",
    }
    until(20, lambda: conditions() == wanted)
    until(20, lambda: cluster.server.get("plane", "business")["status"]["namespaces"] >= 1)


def test_the_shipped_roles_are_enough(cluster: Installed) -> None:
    assert "forbidden" not in cluster.log.read_text()
    assert "netplane_controller_failures_total 0.0" in cluster.ask("/metrics")[1]
    assert cluster.is_leader


def test_another_replica_takes_over_from_a_leader_that_was_killed(cluster: Installed) -> None:
    other = Installed(cluster.server, "netplane-webhook-two")
    other.start()
    try:
        other.ready()
        assert (cluster.is_leader, other.is_leader) == (True, False)
        cluster.kill()
        place = ("net-attach-def", "business", "-n", "netplane-system")
        cluster.server.kubectl(
            *("patch", *place, "--type=merge", "-p", json.dumps({"spec": {"config": "{}"}}))
        )
        until(40, lambda: other.is_leader)
        until(10, lambda: cluster.server.get(*place)["spec"]["config"] != "{}")
        cluster.start()
        cluster.ready()
        assert other.stop() == 0
        until(10, lambda: cluster.is_leader)  # given back: nobody waits for it to run out
    finally:
        other.stop()


def test_probes_need_no_certificate_and_a_stop_is_clean(cluster: Installed) -> None:
    assert cluster.ask("/livez") == (200, "ok\n")
    assert cluster.stop() == 0
    lease = cluster.server.get("lease", "netplane-webhook", "-n", "netplane-system")
    assert lease["spec"].get("holderIdentity", "") == ""
    cluster.server.apply(pod("unattended", "shop"))  # nobody answers: created all the same
    cluster.start()
    cluster.ready()


def test_without_the_plane_kind_it_waits_and_says_so(own_api_server: ApiServer) -> None:
    cluster = Installed(own_api_server)
    cluster.install(crds=False)
    cluster.start()
    try:
        until(20, lambda: cluster.ask("/readyz")[0] == 503)
        assert cluster.ask("/livez")[0] == 200
        until(10, lambda: re.search(r"planes \(cannot list ", cluster.ask("/readyz")[1]))
        cluster.define()
        cluster.ready()
    finally:
        assert cluster.stop() == 0
