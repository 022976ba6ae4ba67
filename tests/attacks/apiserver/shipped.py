"""What is shipped, on a real API server: kinds, roles and policies, and the tokens of its programs.

The daemon's tokens are bound to pods, as kubelet asks for them, so the API server itself says which
node each is of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from planes.kube.addresses.ipblocks import NodeBlock
from planes.model.addresses import parse_network
from planes.model.errors import JsonObject
from tests.cluster.apiserver import ApiServer, running_api_server
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing
from tests.cluster.rest import (
    MANIFESTS,
    NAMESPACES,
    PLANES,
    Reply,
    Rest,
    pods,
    serve_planes,
    wait_for,
)
from tests.support.planes import plane_object

SYSTEM = "netplane-system"
DAEMON, WEBHOOK = "netplane-cni", "netplane-webhook"
BLOCKS = "/apis/netplane.io/v1alpha1/ipblocks"
NODES = ("n1", "n2")
STATUS = "k8s.v1.cni.cncf.io/network-status"


class Shipped:
    """An API server with what is shipped, and who asks it.

    Attributes:
        admin: may do everything.
        n1: the daemon of node n1, as whoever has taken that node.
        n2: the daemon of node n2.
        unbound: the daemon's service account, by a token that is bound to no pod.
        webhook: the webhook.
    """

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.admin = Rest(server)
        self._install()
        self.n1, self.n2 = (self._daemon(node) for node in NODES)
        self.unbound = self._as(DAEMON)
        self.webhook = self._as(WEBHOOK)
        self._wait_until_in_force()

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Shipped]:
        """Run a server; skip where there is none to run."""
        if reason := why_missing(CONTROL_PLANE):
            pytest.skip(reason)
        with running_api_server() as server:
            made = cls(server)
            try:
                yield made
            finally:
                for each in (made.admin, made.n1, made.n2, made.unbound, made.webhook):
                    each.close()

    def pod(self, name: str, node: str, space: str = "default") -> JsonObject:
        """Create a pod that runs on a node, with a status as its kubelet wrote it."""
        made = self.admin.create(pods(space), pod_object(name, space, node))
        assert made.is_success, made.message
        status = {"phase": "Running", "podIP": "10.244.0.9", "podIPs": [{"ip": "10.244.0.9"}]}
        written = self.admin.merge(f"{pods(space)}/{name}/status", {"status": status})
        assert written.is_success, written.message
        return dict(written.body)

    def block(self, obj: Mapping[str, Any]) -> JsonObject:
        """Create an IPBlock as an administrator."""
        made = self.admin.create(BLOCKS, obj)
        assert made.is_success, made.message
        return dict(made.body)

    def read(self, path: str) -> JsonObject:
        found = self.admin.ask("GET", path)
        assert found.is_success, found.message
        return dict(found.body)

    def _install(self) -> None:
        for name in (SYSTEM, "shop"):
            made = self.admin.create(NAMESPACES, {"metadata": {"name": name}})
            assert made.is_success, made.message
        serve_planes(self.server, self.admin)
        for part in ("crds", "policies", "user-roles"):
            self.server.kubectl("apply", "--server-side", "-k", str(MANIFESTS / "base" / part))
        for part in ("cni", "webhook"):
            for file in sorted((MANIFESTS / "base" / part).glob("rbac*.yaml")):
                self.server.kubectl("apply", "--server-side", "-f", str(file))
        for node in NODES:
            assert self.admin.create("/api/v1/nodes", {"metadata": {"name": node}}).is_success

    def _daemon(self, node: str) -> Rest:
        name = f"{DAEMON}-{node}"
        made = self.admin.create(pods(SYSTEM), pod_object(name, SYSTEM, node, DAEMON))
        assert made.is_success, made.message
        return self._as(DAEMON, "--bound-object-kind=Pod", f"--bound-object-name={name}")

    def _as(self, account: str, *more: str) -> Rest:
        text = self.server.kubectl("-n", SYSTEM, "create", "token", account, *more)
        return Rest(self.server, token=text.strip())

    def _wait_until_in_force(self) -> None:
        """Wait for roles and policies: each takes a moment after it was applied."""
        own = node_block("probe", "10.0.0.0/26", "n1")
        wait_for(lambda: self.n1.try_out(BLOCKS, own), lambda reply: reply.is_success)
        others = node_block("probe", "10.0.0.0/26", "n2")
        wait_for(lambda: self.n1.try_out(BLOCKS, others), refused)
        probe = self.block(others)
        path = f"{BLOCKS}/{probe['metadata']['name']}"
        wait_for(lambda: self.webhook.ask("PUT", f"{path}?dryRun=All", labelled(probe)), by_policy)
        patch = {"metadata": {"labels": {"a": "b"}}}
        space = f"{NAMESPACES}/shop?dryRun=All"
        wait_for(lambda: self.webhook.merge(space, patch), by_policy)
        one = self.pod("probe", "n2")
        path = f"{pods('default')}/{one['metadata']['name']}/status?dryRun=All"
        wait_for(lambda: self.n1.merge(path, {"metadata": {"labels": {"a": "b"}}}), by_policy)
        about = {"metadata": {"name": "probe"}, "involvedObject": {"kind": "Node", "name": "n2"}}
        events = pods("default").replace("/pods", "/events?dryRun=All")
        wait_for(lambda: self.n1.create(events, about), by_policy)
        wait_for(lambda: self.webhook.create(events, about), by_policy)
        made = self.admin.create(PLANES, plane_object("probe"))
        assert made.is_success, made.message
        path = f"{PLANES}/probe?dryRun=All"
        wait_for(lambda: self.webhook.merge(path, {"metadata": {"labels": {"a": "b"}}}), by_policy)
        many = {"metadata": {"name": "probe", "labels": {f"l{n}": "" for n in range(1200)}}}
        wait_for(lambda: self.admin.try_out(NAMESPACES, many), by_policy)


def pod_object(name: str, space: str, node: str, account: str = "default") -> JsonObject:
    """Return a pod that is bound to a node."""
    spec = {
        "nodeName": node,
        "serviceAccountName": account,
        "containers": [{"name": "main", "image": "none"}],
    }
    metadata = {"name": name, "namespace": space, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def node_block(plane: str, cidr: str, node: str) -> JsonObject:
    """Return a node's block as its daemon makes it, for any cidr."""
    return NodeBlock(plane, node, parse_network(cidr)).to_json()


def labelled(obj: Mapping[str, Any]) -> JsonObject:
    """Return an object with a label more."""
    return {**obj, "metadata": {**obj["metadata"], "labels": {"a": "b"}}}


def by_policy(reply: Reply) -> bool:
    """Report whether one of our policies refused, not a role or the definition."""
    return reply.status == 403 and "ValidatingAdmissionPolicy 'netplane-" in reply.message


def refused(reply: Reply) -> bool:
    """Report whether the request was refused, by policy or as what the definition forbids."""
    return by_policy(reply) or reply.status == 422
