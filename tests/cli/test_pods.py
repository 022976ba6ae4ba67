"""`netplane pod add`: real TLS, real namespaces, a scripted webhook and a scripted shim."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cli.pod_machine import KERNEL_TESTS, Machine
from tests.support.command_line import netplane
from tests.support.planes import plane_object
from tests.support.webhook.scripted_webhook import allowed, denied

STATUS = '[{"name":"netplane-system/business","interface":"net1","ips":["10.9.0.7"],"mac":"m"}]'

pytestmark = KERNEL_TESTS


def test_a_pod_is_admitted_stored_and_attached(machine: Machine) -> None:
    patch = {"op": "add", "path": "/metadata/annotations/seen", "value": "yes"}
    machine.webhook.answers["/mutate/pods"] = allowed(patch, warnings=("mind the gap",))
    outcome = machine.add()
    assert outcome.status == 0, outcome.err
    assert "warning: " in outcome.err
    assert "mind the gap" in outcome.err
    pod = machine.stored
    assert pod is not None
    assert pod["metadata"]["annotations"]["seen"] == "yes"
    assert (pod["spec"]["nodeName"], pod["status"]["phase"]) == ("node-a", "Running")
    assert pod["status"]["podIPs"] == [{"ip": "10.1.0.2"}]
    assert machine.remove().status == 0


def test_the_shim_is_called_as_a_container_runtime_calls_it(machine: Machine) -> None:
    machine.add()
    pod = machine.stored
    assert pod is not None
    sandbox = pod["status"]["sandbox"]
    (name,) = machine.namespaces
    (call,) = machine.shim.calls
    uid = pod["metadata"]["uid"]
    assert call["env"] == {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": sandbox["containerID"],
        "CNI_NETNS": f"/run/netns/{name}",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME={machine.pod};"
        f"K8S_POD_INFRA_CONTAINER_ID={sandbox['containerID']};K8S_POD_UID={uid}",
        "CNI_PATH": str(machine.shim.path.parent),
        "NETPLANE_SOCKET": str(machine.home / "sock"),
        "NETPLANE_STATE_DIR": str(machine.home / "state"),
        "NETPLANE_WAIT_SECONDS": "60",
    }
    assert call["conf"] == {"cniVersion": "1.0.0", "name": "netplane", "type": "netplane"}
    assert call["netns"]
    assert call["pods"] == [f"shop_{machine.pod}.json"]
    assert len(sandbox["containerID"]) == 64
    loopback = subprocess.run(
        ["ip", "-n", name, "-br", "link", "show", "lo"], capture_output=True, text=True, check=True
    )
    assert "UP" in loopback.stdout
    machine.remove()


def test_the_network_status_of_the_daemon_lands_on_the_pod(machine: Machine) -> None:
    status = machine.home / "state" / "status" / "shop" / f"{machine.pod}.json"
    status.parent.mkdir(parents=True)
    status.write_text(STATUS)
    machine.add()
    status.unlink()
    table = netplane("pod", "list", *machine.where[:4]).out
    lines = [line.split() for line in table.splitlines()]
    assert lines[1] == [f"shop/{machine.pod}", "node-a", "Running", "net1", "business", "10.9.0.7"]
    (pod,) = netplane("pod", "list", *machine.where[:4], "--output", "json").json
    assert pod["interfaces"][0]["plane"] == "business"
    machine.remove()


def test_a_refused_pod_leaves_nothing_and_says_why(machine: Machine) -> None:
    machine.webhook.answers["/validate/pods"] = denied("ips[0]: cannot give 10.9.0.9; take .10")
    outcome = machine.add()
    assert outcome.status == 1
    assert "the webhook refuses it\n  ips[0]: cannot give 10.9.0.9; take .10\n" in outcome.err
    assert (machine.shim.calls, machine.stored, machine.namespaces) == ([], None, [])


def test_a_failed_add_is_undone_and_told_with_its_remedy(machine: Machine) -> None:
    error = {"code": 111, "msg": "cannot take 10.9.0.9", "details": "ask for another"}
    machine.shim.answer("ADD", error, status=1)
    outcome = machine.add()
    assert outcome.status == 1
    assert "cannot attach pod shop/" in outcome.err
    assert ": cannot take 10.9.0.9\n  ask for another\n" in outcome.err
    assert machine.shim.verbs == ["ADD", "DEL"]
    assert machine.shim.calls[1]["netns"]
    assert (machine.stored, machine.namespaces) == (None, [])


def test_a_failed_add_is_undone_even_where_its_del_fails(machine: Machine) -> None:
    machine.shim.answer("ADD", "", status=1, stderr="out of luck\n")
    machine.shim.answer("DEL", "", status=1, stderr="again\n")
    outcome = machine.add()
    assert "out of luck" in outcome.err
    assert (outcome.status, machine.stored, machine.namespaces) == (1, None, [])


def test_of_several_pods_those_that_can_be_made_are_made(machine: Machine) -> None:
    names = [f"{machine.pod}{letter}" for letter in "ab"]
    machine.webhook.refused.add(names[0])
    outcome = netplane("pod", "add", "-f", machine.write(*names), *machine.words)
    assert outcome.status == 1
    assert f"pod shop/{names[1]} runs" in outcome.out
    assert netplane("pod", "rm", "--all", *machine.where).out == f"pod shop/{names[1]} removed\n"


def test_a_pod_that_exists_is_not_made_again(machine: Machine) -> None:
    machine.add()
    outcome = machine.add()
    assert outcome.status == 1
    assert f"netplane pod rm shop/{machine.pod}" in outcome.err
    assert machine.shim.verbs == ["ADD"]
    machine.remove()


def test_a_namespace_that_is_not_there_is_told(machine: Machine) -> None:
    """Its labels are what makes pods join: without a manifest nobody would know why they do not."""
    told = "namespace shop has no manifest"
    assert told in machine.add().err
    machine.remove()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    (machine.manifests / "ns.json").write_text(json.dumps(namespace))
    assert told not in machine.add().err
    machine.remove()


def test_a_plane_beside_a_pod_is_told_where_it_counts(machine: Machine) -> None:
    file = Path(machine.write(machine.pod))
    file.write_text(f"{file.read_text()}\n---\n{json.dumps(plane_object('spare'))}")
    outcome = netplane("pod", "add", "-f", str(file), *machine.words)
    assert f"passed over: Plane spare is no pod or workload; put it into {machine.manifests}" in (
        outcome.err
    )
    machine.remove()


def test_json_output_is_one_document_on_stdout(machine: Machine) -> None:
    (pod,) = machine.add("--output", "json").json
    assert (pod["name"], pod["node"]) == (machine.pod, "node-a")
    assert netplane("pod", "rm", "--all", *machine.where, "--output", "json").json == [
        f"shop/{machine.pod}"
    ]
