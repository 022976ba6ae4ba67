"""`netplane migrate check` and `dump` on a real API server, beside what tenants may write there."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.kube.resources import NADS
from planes.model.errors import JsonObject
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    NETWORKS_ANNOTATION,
    RESOURCE_NAME_ANNOTATION,
    STATUS_ANNOTATION,
)
from tests.cluster.apiserver import ApiServer, running_api_server
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing
from tests.cluster.rest import MANIFESTS, PLANES, Rest, serve_planes, wait_for
from tests.support.command_line import Outcome, netplane

SECRET = "Zq7-hunter2.Zq7"
ESCAPE = "\x1b]0;owned\x07\x1b[31m"
LOCAL = {"type": "host-local", "subnet": "10.7.0.0/24"}


def config(**members: Any) -> str:
    return json.dumps({"cniVersion": "1.0.0", "name": "x", **members})


HONEST = {
    "macvlan": config(type="macvlan", master="eth1", mode="bridge", ipam=LOCAL),
    "ipvlan": config(type="ipvlan", master="eth2", ipam={"type": "static"}),
    "bridge": config(type="bridge", bridge="br-shop", ipam={**LOCAL, "subnet": "10.8.0.0/24"}),
    "vlan": config(type="vlan", master="eth3", vlanId=7, ipam={"type": "whereabouts"}),
    "device": config(type="host-device", device="eth4", ipam={"type": "dhcp"}),
    "ovs": config(type="ovs", bridge="br-ovs"),
}
HOSTILE = {
    "escapes": config(type=f"mac{ESCAPE}", master=ESCAPE, mode=ESCAPE, ipam={"type": ESCAPE}),
    "arguments": config(type="macvlan", master="eth1", args=["--password", SECRET]),
    "variables": config(type="macvlan", master="eth1", env=[{"name": "PW", "value": SECRET}]),
    "logins": config(type="macvlan", master="eth1", etcd_host=f"https://u:{SECRET}@h", ipam=LOCAL),
    "within": config(type="macvlan", master="eth1", x=json.dumps({"token": SECRET})),
    "kubeconfig": config(type="macvlan", master="eth1", kubeconfig=f"token: {SECRET}"),
    "types": config(type="macvlan", master={"a": SECRET}, mtu=SECRET, ipam=SECRET),
    "broken": f'{{"type": "macvlan", "password": "{SECRET}", ',
    "none": f"password: {SECRET}",
    "large": config(type="macvlan", x="y" * 1_000_000),
    "deep": f'{{"type": "macvlan", "x": {"[" * 9000}{"]" * 9000}}}',
}
PODS: dict[str, dict[str, str]] = {
    "honest-0": {NETWORKS_ANNOTATION: "macvlan,ipvlan,bridge,vlan,device,ovs"},
    "honest-1": {NETWORKS_ANNOTATION: "macvlan,ipvlan,bridge,vlan,device,ovs"},
    "arguments": {NETWORKS_ANNOTATION: json.dumps([{"name": "ovs", "CNI-Args": {"x": SECRET}}])},
    "default": {DEFAULT_NETWORK_ANNOTATION: json.dumps([{"name": "x", "cni-args": {"x": SECRET}}])},
    "status": {
        NETWORKS_ANNOTATION: "ovs",
        STATUS_ANNOTATION: json.dumps(
            [{"name": "tenant/ovs", "interface": ESCAPE, "ips": [ESCAPE], "x": SECRET}]
        ),
    },
    "escapes": {NETWORKS_ANNOTATION: f"ovs@{ESCAPE}"},
    "large": {NETWORKS_ANNOTATION: json.dumps([{"name": "ovs"}] * 5000)},
}


def nad(name: str, text: str) -> JsonObject:
    annotations = {RESOURCE_NAME_ANNOTATION: ESCAPE} if name == "escapes" else {}
    meta = {"name": name, "namespace": "tenant", "annotations": annotations}
    return {
        "apiVersion": NADS.api_version,
        "kind": NADS.kind,
        "metadata": meta,
        "spec": {"config": text},
    }


def pod(name: str, annotations: dict[str, str]) -> JsonObject:
    container = {
        "name": "c",
        "image": "i",
        "args": ["--password", SECRET],
        "env": [{"name": "X", "value": SECRET}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "tenant", "annotations": annotations},
        "spec": {"containers": [container], "automountServiceAccountToken": False},
    }


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as made:
        rest = Rest(made)
        serve_planes(made, rest)
        made.kubectl("apply", "-f", str(MANIFESTS / "nad-kind.yaml"))
        nads = NADS.path("tenant")
        wait_for(lambda: rest.ask("GET", nads), lambda reply: reply.is_success)
        made.kubectl("create", "namespace", "tenant")
        for name, text in {**HONEST, **HOSTILE}.items():
            reply = rest.create(nads, nad(name, text))
            assert reply.is_success, (name, reply.message)
        for name, annotations in PODS.items():
            reply = rest.create("/api/v1/namespaces/tenant/pods", pod(name, annotations))
            assert reply.is_success, (name, reply.message)
        rest.close()
        yield made


def on(server: ApiServer, *words: str, user: str = "admin") -> Outcome:
    """Run a command, which moves no terminal and shows no secret."""
    found = netplane(*words, "--kubeconfig", str(server.kubeconfig(user)))
    for text in (found.out, found.err):
        assert text.replace("\n", "").isprintable()
        assert SECRET not in text
    return found


def test_every_nad_is_judged_and_what_will_be_refused_is_said(server: ApiServer) -> None:
    found = on(server, "migrate", "check", "--nads", "open", "-o", "json")
    assert found.status == 1
    handling = {each["name"]: each["handling"] for each in found.json["nads"]}
    assert {name: handling[name] for name in HONEST} == {
        **dict.fromkeys(("macvlan", "ipvlan", "bridge"), "native"),
        "vlan": "executed",
        "device": "executed",
        "ovs": "executed",
    }
    assert {handling[name] for name in ("broken", "none", "large", "deep")} == {"refused"}
    assert set(handling) == {*HONEST, *HOSTILE}
    on(server, "migrate", "check")


def test_each_plane_that_is_proposed_is_taken_by_the_server(server: ApiServer) -> None:
    found = on(server, "migrate", "check", "--propose", "--nads", "open")
    planes = list(yaml.safe_load_all(found.out))
    assert len(planes) >= len(HONEST)
    with closing(Rest(server)) as rest:
        for text, obj in zip(found.out.split("---\n")[1:], planes, strict=True):
            message = rest.try_out(PLANES, obj).message
            assert not message or "Not accepted as it is" in text, message


def test_a_user_of_one_namespace_judges_its_own(server: ApiServer) -> None:
    rules = ["--verb=get,list", "--resource=pods,network-attachment-definitions.k8s.cni.cncf.io"]
    server.kubectl("-n", "tenant", "create", "role", "reader", *rules)
    server.kubectl("-n", "tenant", "create", "rolebinding", "r", "--role=reader", "--user=bob")
    alone = on(server, "migrate", "check", "-n", "tenant", "-o", "json", user="bob")
    assert {each["name"] for each in alone.json["nads"]} == {*HONEST, *HOSTILE}
    assert any("cannot list namespaces" in note for note in alone.json["notes"])
    refused = on(server, "migrate", "check", user="bob")
    assert "the right to list network-attachment-definitions" in refused.err


def test_a_dump_has_no_secret_and_no_control_character(server: ApiServer, tmp_path: Path) -> None:
    file = tmp_path / "d.tar.gz"
    assert on(server, "dump", "-f", str(file)).status == 0
    with tarfile.open(file) as tar:
        for entry in tar:
            member = tar.extractfile(entry)
            assert member is not None
            text = member.read().decode()
            assert SECRET not in text, entry.name
            assert text.replace("\n", "").isprintable(), entry.name
            assert "hunter2" not in text, entry.name


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_explained_whatever_its_author_wrote(server: ApiServer, name: str) -> None:
    found = on(server, "explain", f"pod/{name}", "-n", "tenant")
    assert f"Pod tenant/{name} " in found.out
    on(server, "explain", f"pod/{name}", "-n", "tenant", "-o", "json")
