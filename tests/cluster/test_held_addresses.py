"""Static blocks that say what pods have are not deleted by mistake, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.model.addresses import parse_network
from planes.store.protocol import AddressOwner
from tests.cluster.apiserver import ApiServer, KubectlError, running_api_server
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing
from tests.support.node.node import eventually

BASE = Path(__file__).parents[2] / "manifests/base"
NETWORK = parse_network("10.9.0.192/26")
POD = AddressOwner("c" * 64, "net1", "shop", "db-0", "uid-1", "n1")
HELD = {IPv4Address("10.9.0.200"): Holder(POD, 7)}


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """An API server with the kind and the policies in force."""
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as server:
        server.kubectl("apply", "--server-side", "-k", str(BASE / "crds"))
        server.kubectl("wait", "--for=condition=Established", "crd/ipblocks.netplane.io")
        server.kubectl("apply", "--server-side", "-k", str(BASE / "policies"))
        probe = put(server, "probe", HELD)
        eventually(lambda: "pods have" in why_not_deleted(server, probe, "--dry-run=server"), 30)
        yield server


def put(server: ApiServer, plane: str, held: dict[Any, Holder], **more: Any) -> str:
    """Make a static block; return its name."""
    made = {**static_object(plane, NETWORK, held), **more}
    server.apply(made)
    return str(made["metadata"]["name"])


def why_not_deleted(server: ApiServer, name: str, *more: str) -> str:
    """Delete a block as an administrator; return why that is refused, "" where it is not."""
    try:
        server.kubectl("delete", "ipb", name, *more)
    except KubectlError as error:
        return str(error)
    return ""


def test_a_block_whose_addresses_pods_have_is_not_deleted(server: ApiServer) -> None:
    """Without it nobody would know that they are taken, and another pod could have them."""
    name = put(server, "held", HELD)
    why = why_not_deleted(server, name)
    assert f"pods have 1 of the addresses of IPBlock {name}" in why
    assert "netplane.io/delete-in-use" in why
    assert server.get("ipb", name)["holders"]


def test_a_block_that_keeps_addresses_for_claims_is_not_deleted(server: ApiServer) -> None:
    name = put(server, "kept", {}, claims={"10.9.0.200": "shop/vm1.business/uid-1"})
    assert "claims keep 1" in why_not_deleted(server, name)


def test_what_nobody_holds_is_deleted(server: ApiServer) -> None:
    assert why_not_deleted(server, put(server, "idle", {})) == ""


def test_an_annotation_has_it_deleted_all_the_same(server: ApiServer) -> None:
    name = put(server, "forced", HELD)
    server.kubectl("annotate", "ipb", name, "netplane.io/delete-in-use=true")
    assert why_not_deleted(server, name) == ""


def test_deleting_all_blocks_leaves_what_pods_have(server: ApiServer) -> None:
    name = put(server, "all", HELD)
    server.apply(
        grid_object("all", parse_network("10.9.0.0/16"), 26),
        NodeBlock("all", "n1", parse_network("10.9.0.0/26")).to_json(),
    )
    with pytest.raises(KubectlError, match="pods have 1"):
        server.kubectl("delete", "ipb", "--field-selector", "spec.plane=all")
    left = server.get("ipb", "--field-selector", "spec.plane=all")["items"]
    assert [each["metadata"]["name"] for each in left] == [name]


def test_the_definition_is_deleted_with_all_blocks(own_api_server: ApiServer) -> None:
    """As uninstalling does: the API server deletes what is left of the kind by itself."""
    server = own_api_server
    server.kubectl("apply", "--server-side", "-k", str(BASE / "crds"))
    server.kubectl("wait", "--for=condition=Established", "crd/ipblocks.netplane.io")
    server.kubectl("apply", "--server-side", "-k", str(BASE / "policies"))
    probe = put(server, "probe", HELD)
    eventually(lambda: "pods have" in why_not_deleted(server, probe, "--dry-run=server"), 30)
    server.kubectl("delete", "crd", "ipblocks.netplane.io", "--timeout=30s")
