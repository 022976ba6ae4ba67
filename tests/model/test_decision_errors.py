"""What `decide` refuses, where it says so, and what it tells people to do."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.errors import Finding, JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.model.objects import Nad, Pod
from tests.support.model import (
    SUBNET,
    make_catalog,
    make_nad,
    make_namespace,
    make_plane,
    pod_object,
)

PATH = f"metadata.annotations[{NETWORKS_ANNOTATION}]"
JOINED = make_namespace(business="enabled")
BUSINESS = make_plane()


def asking(ip: str, **more: Any) -> JsonObject:
    element = {"name": "business", "namespace": "netplane-system", "ips": [ip]}
    return pod_object(networks=orjson.dumps([element]).decode(), **more)


def on(pod: JsonObject, *planes: Any, **options: Any) -> Decision:
    catalog = make_catalog(*(planes or (BUSINESS,)), **options)
    return decide(Pod.from_object(pod), JOINED, catalog)


def only_error(decision: Decision) -> Finding:
    (error,) = decision.errors
    return error


@pytest.mark.parametrize(
    ("ip", "words", "status"),
    [
        ("10.0.0.1", "outside plane business (192.168.0.0/16)", 422),
        ("192.168.0.0", "the network address", 422),
        ("192.168.255.255", "the broadcast address", 422),
        ("192.168.0.1", "the gateway", 422),
        ("192.168.10.5", "does not give it out as a static address", 422),
        ("fd00::5", "has no IPv6 subnet", 422),
        ("192.168.100.5/24", "cannot use prefix length /24", 422),
        ("192.168.100.9", "excludes it", 422),
    ],
)
def test_an_address_the_plane_cannot_give_is_refused(ip: str, words: str, status: int) -> None:
    plane = make_plane(subnets=[{**SUBNET, "exclude": ["192.168.100.9"]}])
    error = only_error(on(asking(ip), plane))
    assert words in error.message
    assert error.message.startswith("cannot ")
    assert error.path == f"{PATH}[0].ips[0]"
    assert error.status == status
    assert error.remedy


@pytest.mark.parametrize("ip", ["192.168.100.5", "192.168.100.5/16", "::ffff:192.168.100.5"])
def test_an_address_of_the_static_range_is_fine(ip: str) -> None:
    assert not on(asking(ip)).denied


def test_the_right_prefix_length_is_named() -> None:
    assert only_error(on(asking("192.168.100.5/24"))).remedy == "write 192.168.100.5/16"


def test_an_address_in_use_names_the_holder_and_free_ones() -> None:
    other = asking("192.168.100.5", name="first")
    error = only_error(on(asking("192.168.100.5"), pods=[other]))
    assert error.status == 409
    assert "pod shop/first asks for it already" in error.message
    assert error.remedy == "free now: 192.168.100.6, 192.168.100.7, 192.168.100.8"


def test_an_address_that_an_interface_has_is_in_use() -> None:
    status = '[{"name":"netplane-system/business","interface":"net1","ips":["192.168.100.5"]}]'
    other = pod_object("first", annotations={STATUS_ANNOTATION: status})
    assert "pod shop/first has it" in only_error(on(asking("192.168.100.5"), pods=[other])).message


def test_a_pod_is_no_rival_of_itself() -> None:
    pod = asking("192.168.100.5")
    assert not on(pod, pods=[pod]).denied


def test_of_two_pods_that_ask_for_one_address_exactly_one_is_refused() -> None:
    pods = [asking("192.168.100.5", name=name) for name in ("a", "b")]
    assert [on(pod, pods=pods).denied for pod in pods] == [False, True]


def test_a_pod_that_has_ended_holds_no_address() -> None:
    other = {**asking("192.168.100.5", name="job"), "status": {"phase": "Succeeded"}}
    assert not on(asking("192.168.100.5"), pods=[other]).denied


def test_never_allows_no_static_address() -> None:
    error = only_error(on(asking("192.168.100.5"), make_plane(staticIPs={"allow": "Never"})))
    assert error.status == 403


def test_reserved_allows_the_reservations_of_the_pod_only() -> None:
    entry = {"ip": "192.168.100.5", "namespace": "shop", "owner": "web-0"}
    plane = make_plane(staticIPs={"allow": "Reserved", "reservations": [entry]})
    assert not on(asking("192.168.100.5"), plane).denied
    assert only_error(on(asking("192.168.100.6"), plane)).remedy == (
        "reserved for this pod: 192.168.100.5"
    )
    error = only_error(on(asking("192.168.100.5", name="other"), plane))
    assert "reserves it for shop/web-0" in error.message


def test_two_addresses_of_one_family_are_refused() -> None:
    text = (
        '[{"name":"business","namespace":"netplane-system",'
        '"ips":["192.168.100.5","192.168.100.6"]}]'
    )
    assert "one of each family" in on(pod_object(networks=text)).message


def test_all_errors_are_told_at_once() -> None:
    text = (
        '[{"name":"none"},{"name":"business","namespace":"netplane-system","interface":"eth0",'
        '"ips":["10.0.0.1"],"mac":"01:00:00:00:00:01"}]'
    )
    paths = {error.path.removeprefix(PATH) for error in on(pod_object(networks=text)).errors}
    assert paths == {"[0].name", "[1].ips[0]", "[1].interface", "[1].mac"}


def test_an_unknown_nad_names_close_ones_and_other_namespaces() -> None:
    nads = [make_nad("storage-net"), make_nad("backup", "ops")]
    error = only_error(on(pod_object(networks="storage-nett"), nads=nads, pods=[]))
    assert "did you mean shop/storage-net?" in error.remedy
    error = only_error(on(pod_object(networks="backup"), nads=nads))
    assert "that name exists as ops/backup" in error.remedy


def test_a_plane_is_closed_to_namespaces_that_have_not_joined() -> None:
    pod = Pod.from_object(pod_object(networks="netplane-system/business"))
    error = only_error(decide(pod, make_namespace(), make_catalog(BUSINESS)))
    assert error.status == 403
    assert "label namespace shop with plane.netplane.io/business: enabled" in error.remedy


def test_a_hand_written_nad_behind_a_plane_is_closed_too() -> None:
    plane = make_plane(
        network={"nadRef": {"namespace": "ops", "name": "biz"}}, subnets=None, staticIPs=None
    )
    catalog = make_catalog(plane, nads=[make_nad("biz", "ops")])
    pod = Pod.from_object(pod_object(networks="ops/biz"))
    assert decide(pod, make_namespace(), catalog).status == 403
    assert not decide(pod, JOINED, catalog).denied


def test_other_nads_are_open_unless_namespaces_are_isolated() -> None:
    nads = [make_nad("own"), make_nad("far", "ops"), make_nad("shared", "default")]
    pod = pod_object(networks="own,default/shared,ops/far")
    assert not on(pod, nads=nads).denied
    error = only_error(on(pod, nads=nads, namespace_isolation=True))
    assert (error.path, error.status) == (f"{PATH}[2].name", 403)


def test_a_nad_that_cannot_be_read_refuses_the_pod() -> None:
    nads = [Nad("shop", "own", "{"), Nad("shop", "file", "")]
    assert "cannot use NAD shop/own" in on(pod_object(networks="own"), nads=nads).message
    assert not on(pod_object(networks="file"), nads=nads).denied


def test_a_missing_nad_of_a_plane_refuses_the_pod() -> None:
    plane = make_plane(
        network={"nadRef": {"namespace": "ops", "name": "biz"}}, subnets=None, staticIPs=None
    )
    assert "its NAD ops/biz does not exist" in on(pod_object(), plane).message


def test_a_missing_nad_of_a_plane_is_missing_for_who_names_it_too() -> None:
    network = {"nadRef": {"namespace": "ops", "name": "biz"}}
    plane = make_plane(network=network, subnets=None, staticIPs=None)
    error = only_error(on(pod_object(networks="ops/biz"), plane))
    assert error.path == f"{PATH}[0].name"


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ("own@sixteen-letters!", "at most 15 bytes"),
        ("own@eth0", "every pod has it already"),
        ("own@net2,own", "the element at [0] has it"),
        ("own,", "surplus comma"),
        ("own/a/b", "cannot read"),
        ("[null]", "must be an object, not null"),
        ("{}", "must be a list"),
        ("[", "cannot read"),
        (",".join(["own"] * 33), "33 networks"),
    ],
)
def test_a_bad_selection_is_refused(networks: str, words: str) -> None:
    decision = on(pod_object(networks=networks), nads=[make_nad("own")])
    assert words in decision.message
    assert decision.status == 422
    assert not decision.annotations


def test_planes_count_towards_the_limit_of_attachments() -> None:
    networks = ",".join(["own"] * 32)
    assert "33 networks" in on(pod_object(networks=networks), nads=[make_nad("own")]).message


def test_warn_and_audit_let_the_pod_start() -> None:
    warned = on(asking("10.0.0.1"), make_plane(enforcement={"pods": "Warn"}))
    assert not warned.denied
    assert "outside plane" in warned.warnings[0].message
    audited = on(asking("10.0.0.1"), make_plane(enforcement={"pods": "Audit"}))
    assert not audited.denied
    assert "outside plane" in audited.audits[0].message


def test_a_required_plane_is_enforced_whatever_it_says_itself() -> None:
    catalog = make_catalog(make_plane(enforcement={"pods": "Warn"}))
    pod = Pod.from_object(asking("10.0.0.1"))
    assert decide(pod, make_namespace(business="required"), catalog).denied


@pytest.mark.parametrize(
    ("quota", "words"),
    [
        ({"attachmentsPerNamespace": 1}, "holds 1 of 1 attachments"),
        ({"addressesPerNamespace": 1}, "holds 1 of 1 addresses"),
        ({"staticPerNamespace": 1}, "holds 1 of 1 static addresses"),
        ({"staticPerNamespace": 0}, "holds 1 of 0 static addresses"),
    ],
)
def test_a_quota_counts_what_the_namespace_holds(quota: JsonObject, words: str) -> None:
    plane = make_plane(quota=quota)
    others = [asking("192.168.100.4", name="first")]
    error = only_error(on(asking("192.168.100.5"), plane, pods=others))
    assert words in error.message
    assert error.status == 403


def test_a_quota_can_be_overridden_for_a_namespace() -> None:
    override = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
        "attachmentsPerNamespace": 5,
    }
    plane = make_plane(quota={"attachmentsPerNamespace": 0, "overrides": [override]})
    assert not on(pod_object(), plane).denied


def test_a_mac_that_the_plane_does_not_allow_is_refused() -> None:
    pod = pod_object(
        networks='[{"name":"business","namespace":"netplane-system","mac":"02:00:00:00:00:01"}]'
    )
    assert not on(pod).denied
    assert only_error(on(pod, make_plane(mac={"allowRequest": False}))).status == 403


def test_two_default_routes_of_one_family_are_refused() -> None:
    text = (
        '[{"name":"own","default-route":["10.9.0.1"]},{"name":"own","default-route":["10.9.0.2"]}]'
    )
    decision = on(pod_object(networks=text), nads=[make_nad("own")])
    assert "two IPv4 default routes" in decision.message


def misspelt(key: str) -> JsonObject:
    element = {"name": "business", "namespace": "netplane-system", key: ["10.9.0.9"]}
    return pod_object(networks=orjson.dumps([element]).decode())


@pytest.mark.parametrize(
    ("key", "remedy"), [("ip", "did you mean ips?"), ("zzz", "remove it")], ids=["near", "far"]
)
def test_a_misspelt_member_on_a_plane_is_refused_once_with_the_near_one(
    key: str, remedy: str
) -> None:
    """That it is ignored is so on other networks only."""
    decision = on(misspelt(key))
    assert only_error(decision).remedy == remedy
    assert decision.warnings == ()


def test_where_a_plane_only_audits_the_author_is_warned_of_it() -> None:
    decision = on(misspelt("ip"), make_plane(enforcement={"pods": "Audit"}))
    assert not decision.denied
    assert [each.remedy for each in decision.warnings] == ["did you mean ips?"]
