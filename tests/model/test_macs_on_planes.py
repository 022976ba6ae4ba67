"""A MAC that two pods ask for on a plane's wire is refused, with the holder (kubemacpool's job)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.decide.decision import Decision, decide
from planes.model.objects import Namespace, Pod
from planes.model.state.catalog import Catalog
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import claims_of
from tests.support.model import (
    claim_index,
    make_catalog,
    make_nad,
    make_namespace,
    make_plane,
    pod_object,
)

MAC = "02:00:00:00:00:11"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
STATUS = "k8s.v1.cni.cncf.io/network-status"
ON_PLANE = {"name": "business", "namespace": "netplane-system"}
JOINED = make_namespace(business="enabled")
TENANT = make_nad(
    "own", "shop", {"cniVersion": "1.0.0", "type": "macvlan", "master": "eth1", "mode": "bridge"}
)


def asks(
    name: str, mac: str = MAC, status: str = "", on: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    annotations = {NETWORKS: json.dumps([{**(ON_PLANE if on is None else on), "mac": mac}])}
    if status:
        shown = {"name": "netplane-system/business", "mac": status, "ips": [], "dns": {}}
        annotations[STATUS] = json.dumps([shown])
    return pod_object(name, annotations=annotations, **more)


def decided(pod: dict[str, Any], catalog: Catalog) -> Decision:
    return decide(Pod.from_object(pod), JOINED, catalog)


def catalog_of(*pods: dict[str, Any], **spec: Any) -> Catalog:
    return make_catalog(make_plane(**spec), nads=[TENANT], pods=pods)


@pytest.mark.parametrize("spelling", [MAC, MAC.upper(), "0200.0000.0011"])
def test_the_later_pod_is_refused_with_the_holder(spelling: str) -> None:
    [error] = decided(asks("second"), catalog_of(asks("first", spelling))).errors
    assert error.status == 409
    assert error.message == (
        f"cannot give the pod MAC {MAC}: pod shop/first asks for it already on that wire"
    )
    assert error.path.endswith("[0].mac")


def test_a_pod_that_has_it_is_named_as_such() -> None:
    [error] = decided(asks("second"), catalog_of(asks("first", status=MAC))).errors
    assert "pod shop/first has it on that wire" in error.message


def test_who_is_attached_keeps_it_whatever_its_name() -> None:
    """Both were created while no webhook ran: the one that has it starts anew, too."""
    older, newer = asks("z", status=MAC), asks("a")
    catalog = catalog_of(older, newer)
    assert decided(older, catalog).errors == ()
    assert len(decided(newer, catalog).errors) == 1


def test_a_status_that_its_author_wrote_proves_nothing() -> None:
    pod = Pod.from_object(asks("z", status=MAC))
    assert not any(claim.is_attached for claim in claims_of(pod).claims.values())
    assert any(claim.is_attached for claim in claims_of(pod, is_believed=True).claims.values())


def test_of_two_that_ask_exactly_one_is_refused() -> None:
    pods = [asks("a"), asks("b")]
    catalog = catalog_of(*pods)
    assert [len(decided(pod, catalog).errors) for pod in pods] == [0, 1]


@pytest.mark.parametrize("networks", [(ON_PLANE, {"name": "own"}), ({"name": "own"}, ON_PLANE)])
def test_a_nad_on_the_plane_s_wire_is_on_the_same_segment(
    networks: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """Exactly one of both is refused, also where both are known."""
    first, second = asks("first", on=networks[0]), asks("second", on=networks[1])
    assert len(decided(second, catalog_of(first)).errors) == 1
    both = catalog_of(first, second)
    assert [len(decided(pod, both).errors) for pod in (first, second)] == [0, 1]


def test_a_plane_on_another_wire_has_macs_of_its_own() -> None:
    other = make_plane("storage", network={"type": "macvlan", "master": "eth2"})
    pods = [asks("first", on={"name": "storage", "namespace": "netplane-system"})]
    catalog = make_catalog(make_plane(), other, pods=pods)
    assert decided(asks("second"), catalog).errors == ()


def test_a_namespace_that_did_not_join_keeps_no_mac_from_others() -> None:
    """Anybody may write the annotation; such a pod would be refused, or was before."""
    pods = [asks("first", namespace="evil"), asks("third", on={"name": "own"}, namespace="evil")]
    joined = {"shop": JOINED}
    catalog = make_catalog(
        make_plane(),
        nads=[TENANT],
        pods=pods,
        namespace_of=lambda name: joined.get(name, Namespace(name)),
    )
    assert decided(asks("second"), catalog).errors == ()


def test_a_lenient_plane_leaves_the_mac_out() -> None:
    decision = decided(asks("second"), catalog_of(asks("first"), enforcement={"pods": "Warn"}))
    assert decision.errors == ()
    assert [each.mac for each in decision.attachments] == [""]
    assert any("pod shop/first" in str(each) for each in decision.warnings)


def test_a_deployment_is_told_how_it_rolls_out() -> None:
    owner = {"kind": "ReplicaSet", "name": "web-5d", "uid": "u", "controller": True}
    pod = asks("web-5d-abcde", ownerReferences=[owner])
    [error] = decided(pod, catalog_of(asks("first"))).errors
    assert "of Deployment web, set strategy.type: Recreate" in error.remedy


OWN, OTHER = "0a:6e:c0:a8:64:05", "0a:6e:c0:a8:64:06"
FROM_IP = {"mac": {"source": "FromIP"}, "staticIPs": {"allow": "Any"}}


def test_a_mac_of_an_address_is_kept_for_it() -> None:
    [error] = decided(asks("web", "0a:6e:0a:09:00:05"), catalog_of(**FROM_IP)).errors
    assert error.status == 403
    assert "plane business makes MACs that begin with 0a:6e from addresses" in error.message


def test_who_asks_for_the_address_may_ask_for_its_mac() -> None:
    on = {**ON_PLANE, "ips": ["192.168.100.5/16"]}
    assert decided(asks("web", OWN, on=on), catalog_of(**FROM_IP)).errors == ()
    assert len(decided(asks("web", OTHER, on=on), catalog_of(**FROM_IP)).errors) == 1


def test_an_address_that_is_refused_has_no_mac() -> None:
    """A lenient plane leaves both out: else the pod would have the MAC of another one's address."""
    on = {**ON_PLANE, "ips": ["192.168.100.5/16"]}
    lenient = {**FROM_IP, "staticIPs": {"allow": "Never"}, "enforcement": {"pods": "Warn"}}
    [attached] = decided(asks("web", OWN, on=on), catalog_of(**lenient)).attachments
    assert (attached.ips, attached.mac) == ((), "")


def test_it_is_kept_on_the_whole_wire() -> None:
    """A NAD of a tenant is there, too."""
    pod = asks("web", "0a:6e:0a:09:00:05", on={"name": "own"})
    assert len(decided(pod, catalog_of(**FROM_IP)).errors) == 1


def test_other_macs_may_be_asked_for_unless_the_plane_refuses_them() -> None:
    assert decided(asks("web"), catalog_of(**FROM_IP)).errors == ()
    strict = {**FROM_IP, "mac": {"source": "FromIP", "allowRequest": False}}
    [error] = decided(asks("web"), catalog_of(**strict)).errors
    assert "does not allow it" in error.message


NAMES = st.sampled_from(["a", "b", "c", "d"])
PODS = st.builds(
    asks,
    NAMES,
    st.sampled_from([MAC, "02:00:00:00:00:12"]),
    st.sampled_from(["", MAC]),
    st.sampled_from([None, {"name": "own"}]),
)


@given(st.lists(st.tuples(PODS, st.booleans()), max_size=12))
def test_the_networks_of_a_mac_are_those_where_it_is_claimed(
    changes: list[tuple[dict[str, Any], bool]],
) -> None:
    """However pods come, change and go: the index is as if made of those that are left."""
    index, left = ClaimIndex(), {}
    for obj, is_gone in changes:
        pod = Pod.from_object(obj)
        index = index.changed({pod.key: None if is_gone else claims_of(pod)})
        left[pod.key] = pod
        if is_gone:
            del left[pod.key]
    fresh = claim_index(left.values())
    for mac in (bytes.fromhex("020000000011"), bytes.fromhex("020000000012")):
        found = index.networks_with_mac(mac)
        assert sorted(found) == sorted(fresh.networks_with_mac(mac))
        assert len(found) == len(set(found))
        assert all(index.holders(ref, mac) for ref in found)


@given(st.lists(PODS, max_size=4, unique_by=lambda pod: pod["metadata"]["name"]))
def test_at_most_one_of_the_pods_of_a_wire_may_have_a_mac(pods: list[dict[str, Any]]) -> None:
    """Unless several have it already."""
    catalog = catalog_of(*pods)
    free = [pod for pod in pods if not decided(pod, catalog).errors]
    wanted = [json.loads(pod["metadata"]["annotations"][NETWORKS])[0]["mac"] for pod in free]
    attached = [pod for pod in pods if STATUS in pod["metadata"]["annotations"]]
    if len(attached) <= 1:
        assert len(wanted) == len(set(wanted))
