"""Somebody who has taken a node, with its daemon's token, writes claims and what is kept."""

from __future__ import annotations

import contextlib

import pytest
import yaml

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.resources import IPAM_CLAIMS
from planes.model.addresses import parse_address, parse_network
from planes.model.errors import JsonObject
from planes.store.protocol import AddressOwner
from tests.attacks.apiserver.shipped import BLOCKS, Shipped, by_policy, refused
from tests.cluster.rest import MANIFESTS, wait_for

CLAIMS = IPAM_CLAIMS.path("shop")
KINDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
STATUS: JsonObject = {"ips": ["10.6.0.7/24"], "ownerPod": "vm"}
CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Said",
    "message": "",
    "lastTransitionTime": "2026-11-30T09:00:00Z",
}
ONE, TWO = "shop/vm/u-1", "shop/other/u-2"


@pytest.fixture(scope="module")
def claims(shipped: Shipped) -> Shipped:
    """Serve the kind, as an administrator installs it."""
    kind = yaml.safe_load((MANIFESTS / "ipam-claim-kind.yaml").read_text())
    with contextlib.suppress(AssertionError):
        shipped.admin.create(KINDS, kind)
    wait_for(lambda: shipped.admin.ask("GET", CLAIMS), lambda reply: reply.is_success)
    path = claim(shipped, "probe")
    shipped.admin.ask("PUT", f"{path}/status", merged(shipped, path, {"status": STATUS}))
    edit = {"status": {**STATUS, "ips": []}}
    wait_for(
        lambda: shipped.n1.ask("PUT", f"{path}/status?dryRun=All", merged(shipped, path, edit)),
        by_policy,
    )
    return shipped


def claim(shipped: Shipped, name: str) -> str:
    """Create a claim as its tenant does; return its path."""
    made = shipped.admin.create(
        CLAIMS,
        {
            "apiVersion": IPAM_CLAIMS.api_version,
            "kind": IPAM_CLAIMS.kind,
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"network": "business", "interface": "net1"},
        },
    )
    assert made.is_success, made.message
    return f"{CLAIMS}/{name}"


def merged(shipped: Shipped, path: str, edit: JsonObject) -> JsonObject:
    obj = shipped.read(path)
    return {**obj, **edit, "metadata": {**obj["metadata"], **edit.get("metadata", {})}}


def block(shipped: Shipped, name: str, cidr: str) -> JsonObject:
    """Create a block in which n1 holds .7, n2 holds .8, and .8 and .9 are kept for claims."""
    network = parse_network(cidr)
    first = str(network.network_address).rpartition(".")[0]
    held = {
        parse_address(f"{first}.7"): Holder(AddressOwner("c1", "net1", "shop", "a", "u", "n1")),
        parse_address(f"{first}.8"): Holder(AddressOwner("c2", "net1", "shop", "b", "v", "n2")),
    }
    kept = {f"{first}.8": TWO, f"{first}.9": ONE}
    return shipped.block({**static_object(name, network, held, "n2"), "claims": kept})


def test_node_writes_the_status_of_a_claim_once_and_nothing_else_of_it(claims: Shipped) -> None:
    path = claim(claims, "once")
    reply = claims.n1.ask("PUT", f"{path}/status", merged(claims, path, {"status": STATUS}))
    assert reply.is_success, reply.message
    for edit in (
        {"status": {**STATUS, "ips": ["10.6.0.8/24"]}},
        {"status": {**STATUS, "ips": []}},
        {"status": {**STATUS, "conditions": [CONDITION]}},
    ):
        assert by_policy(claims.n2.ask("PUT", f"{path}/status", merged(claims, path, edit))), edit
    passed = {"status": {**STATUS, "ownerPod": "next"}, "metadata": {"finalizers": ["a.b/c"]}}
    reply = claims.n2.ask("PUT", f"{path}/status", merged(claims, path, passed))
    assert reply.is_success, reply.message
    found = claims.read(path)
    assert found["status"] == {**STATUS, "ownerPod": "next"}
    assert "finalizers" not in found["metadata"]


def test_node_makes_changes_and_deletes_no_claim(claims: Shipped) -> None:
    path = claim(claims, "theirs")
    obj = claims.read(path)
    assert claims.n1.ask("PUT", path, obj).status == 403
    assert claims.n1.ask("DELETE", path).status == 403
    assert claims.n1.create(CLAIMS, {**obj, "metadata": {"name": "x"}}).status == 403
    assert claims.unbound.ask("PUT", f"{path}/status", {**obj, "status": STATUS}).status == 403


@pytest.mark.parametrize(
    "edit",
    [
        {"10.6.0.8": TWO},
        {},
        {"10.6.0.8": TWO, "10.6.0.9": TWO},
        {"10.6.0.8": TWO, "10.6.0.9": ONE, "10.6.0.10": ONE},
        {"10.6.0.8": ONE, "10.6.0.9": ONE},
        {"10.6.0.8": TWO, "10.6.0.9": ONE, "10.6.0.7": "no claim"},
        {"10.6.0.8": TWO, "10.6.0.9": ONE, "10.6.0.07": ONE},
    ],
)
def test_node_takes_nothing_from_a_claim_and_keeps_nothing_that_it_does_not_hold(
    claims: Shipped, edit: JsonObject, request: pytest.FixtureRequest
) -> None:
    place = request.node.callspec.id
    found = block(claims, f"keep-{place.removeprefix('edit')}", "10.6.0.0/26")
    path = f"{BLOCKS}/{found['metadata']['name']}"
    assert refused(claims.n1.ask("PUT", path, {**found, "claims": edit}))
    assert claims.read(path)["claims"] == found["claims"]


def test_node_keeps_for_a_claim_what_it_holds_and_only_the_leader_ends_that(
    claims: Shipped,
) -> None:
    """The control."""
    found = block(claims, "kept", "10.6.0.0/26")
    path = f"{BLOCKS}/{found['metadata']['name']}"
    more = {**found["claims"], "10.6.0.7": ONE}
    reply = claims.n1.ask("PUT", path, {**found, "claims": more})
    assert reply.is_success, reply.message
    added = {**more, "10.6.0.11": ONE}
    assert by_policy(claims.webhook.ask("PUT", path, {**reply.body, "claims": added}))
    fewer = {"10.6.0.8": TWO}
    reply = claims.webhook.ask("PUT", path, {**reply.body, "claims": fewer})
    assert reply.is_success, reply.message
    assert claims.read(path)["claims"] == fewer


def test_only_a_static_block_keeps_addresses(claims: Shipped) -> None:
    network = parse_network("10.6.0.0/16")
    obj = {**static_object("grids", parse_network("10.6.1.0/26"), {}, "n1")}
    obj["spec"] = {**obj["spec"], "use": "Grid", "blockSize": 26, "cidr": str(network)}
    obj["metadata"] = {"name": "grids.grid.10-6-0-0-16"}
    obj.pop("holders")
    reply = claims.admin.create(BLOCKS, {**obj, "claims": {"10.6.0.7": ONE}})
    assert reply.status == 422
    assert "only a Static block keeps addresses" in reply.message
