"""`netplane pod`: real TLS, real namespaces, a scripted webhook and a scripted shim."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from planes.store.podfiles import PodFiles
from tests.support.command_line import Outcome, netplane
from tests.support.netns import why_no_kernel_tests
from tests.support.planes import plane_object
from tests.support.scripted_shim import ScriptedShim
from tests.support.scripted_webhook import ScriptedWebhook, allowed, denied, scripted_webhook

ROOT = Path(__file__).parents[2]
STATUS = '[{"name":"netplane-system/business","interface":"net1","ips":["10.9.0.7"],"mac":"m"}]'

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(why_no_kernel_tests()), reason=why_no_kernel_tests() or "none"),
]


@dataclass
class Machine:
    """Everything `pod add` meets; `pod` is a name of chance, so that no two tests share one."""

    home: Path
    webhook: ScriptedWebhook
    shim: ScriptedShim
    pod: str

    @property
    def manifests(self) -> Path:
        return self.home / "m"

    @property
    def words(self) -> tuple[str, ...]:
        """Options of `pod add`."""
        trust = ("--webhook", self.webhook.url, "--ca", str(self.webhook.ca))
        return (*trust, *self.where, "--node", "node-a")

    @property
    def where(self) -> tuple[str, ...]:
        """Options of `pod rm`."""
        state = ("--state-dir", str(self.home / "state"), "--socket", str(self.home / "sock"))
        return ("--manifests", str(self.manifests), *state, "--shim", str(self.shim.path))

    def write(self, *names: str, **annotations: str) -> str:
        text = "\n---\n".join(json.dumps(self.manifest(name, **annotations)) for name in names)
        (self.home / "pods.yaml").write_text(text)
        return str(self.home / "pods.yaml")

    def manifest(self, name: str, **annotations: str) -> dict[str, Any]:
        meta = {"name": name, "namespace": "shop", "annotations": annotations}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": "forged"}}

    def add(self, *words: str) -> Outcome:
        return netplane("pod", "add", "-f", self.write(self.pod), *self.words, *words)

    def remove(self, *words: str) -> Outcome:
        return netplane("pod", "rm", *(words or (f"shop/{self.pod}",)), *self.where)

    @property
    def stored(self) -> dict[str, Any] | None:
        return PodFiles(self.manifests).get("shop", self.pod)

    @property
    def namespaces(self) -> list[str]:
        """Network namespaces of this test's pods."""
        home = Path("/run/netns")
        return [path.name for path in home.glob(f"np-shop-{self.pod}*")] if home.is_dir() else []


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "plane.json").write_text(json.dumps(plane_object()))
    with scripted_webhook(tmp_path / "webhook") as webhook:
        shim = ScriptedShim(tmp_path / "shim", tmp_path / "m")
        machine = Machine(tmp_path, webhook, shim, f"t{secrets.token_hex(4)}")
        yield machine
        left = machine.namespaces
        for name in left:
            subprocess.run(["ip", "netns", "del", name], check=False)
    assert left == []


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


def test_json_output_is_one_document_on_stdout(machine: Machine) -> None:
    (pod,) = machine.add("--output", "json").json
    assert (pod["name"], pod["node"]) == (machine.pod, "node-a")
    assert netplane("pod", "rm", "--all", *machine.where, "--output", "json").json == [
        f"shop/{machine.pod}"
    ]


def test_rm_detaches_and_leaves_nothing(machine: Machine) -> None:
    machine.add()
    assert machine.remove().status == 0
    assert machine.shim.verbs == ["ADD", "DEL"]
    assert (machine.stored, machine.namespaces) == (None, [])
    again = machine.remove()
    assert again.status == 1
    assert "there is no such pod" in again.err


def test_rm_speaks_to_the_daemon_that_attached_the_pod(machine: Machine) -> None:
    """A DEL sent to another node's daemon would leave everything behind."""
    machine.add()
    outcome = netplane(
        *("pod", "rm", f"shop/{machine.pod}", *machine.where),
        *("--socket", "/other", "--state-dir", "/elsewhere"),
    )
    assert outcome.status == 0
    assert machine.shim.calls[1]["env"]["NETPLANE_SOCKET"] == str(machine.home / "sock")


def test_a_failed_del_keeps_the_pod_for_another_try(machine: Machine) -> None:
    machine.add()
    machine.shim.answer("DEL", {"code": 11, "msg": "busy"}, status=1)
    outcome = machine.remove()
    assert outcome.status == 1
    assert "cannot detach pod" in outcome.err
    assert machine.stored is not None
    machine.shim.answer("DEL", "")
    assert machine.remove().status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_add_is_undone(machine: Machine, number: signal.Signals) -> None:
    machine.shim.answer("ADD", {}, seconds=20)
    argv = [sys.executable, "-m", "planes.cli", "pod", "add", "-f", machine.write(machine.pod)]
    running = subprocess.Popen(
        [*argv, *machine.words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 10
    while not machine.shim.calls and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(number)
    _, err = running.communicate(timeout=15)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert machine.shim.verbs == ["ADD", "DEL"]
    assert (machine.stored, machine.namespaces) == (None, [])
