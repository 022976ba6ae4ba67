"""Static addresses by annotation and by reservation, one per replica."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.errors import JsonObject
from planes.model.names import STATIC_IPS_ANNOTATION
from planes.model.objects import Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.static_ips import read_static_ips
from tests.support.model import (
    SUBNET,
    admit,
    make_catalog,
    make_namespace,
    make_plane,
    networks_of,
    pod_object,
    replica,
)

JOINED = make_namespace(business="enabled")
BUSINESS = make_plane()
LIST = {"business": ["192.168.100.10", "192.168.100.16-192.168.100.20", "192.168.100.32/29"]}


def on(pod: JsonObject, plane: Plane = BUSINESS, **options: Any) -> Decision:
    return decide(Pod.from_object(pod), JOINED, make_catalog(plane, **options))


@pytest.mark.parametrize(
    ("ordinal", "address"),
    [
        (0, "192.168.100.10/16"),
        (1, "192.168.100.16/16"),
        (5, "192.168.100.20/16"),
        (6, "192.168.100.32/16"),
        (13, "192.168.100.39/16"),
    ],
)
def test_the_replica_n_takes_the_nth_address(ordinal: int, address: str) -> None:
    _, pod = admit(replica("web", ordinal, static=LIST), JOINED, make_catalog(BUSINESS))
    assert networks_of(pod)[0]["ips"] == [address]


def test_the_pod_index_label_counts_before_the_name() -> None:
    pod = pod_object("odd", labels={"apps.kubernetes.io/pod-index": "1"}, static=LIST)
    assert on(pod).attachments[0].ips == ("192.168.100.16/16",)


def test_an_indexed_job_takes_its_completion_index() -> None:
    index = {"batch.kubernetes.io/job-completion-index": "1"}
    assert on(pod_object("j", annotations=index, static=LIST)).attachments[0].ips == (
        "192.168.100.16/16",
    )


def test_a_list_that_is_too_short_refuses_the_replica() -> None:
    decision = on(replica("web", 14, static=LIST))
    assert "the list has 14 IPv4 addresses" in decision.message
    assert "list at least 15" in decision.message


def test_a_single_pod_takes_the_only_address() -> None:
    decision = on(pod_object(static={"business": "192.168.100.10"}))
    assert decision.attachments[0].ips == ("192.168.100.10/16",)


def test_a_pod_without_ordinal_gets_the_free_addresses_as_candidates() -> None:
    static = {"business": ["192.168.100.10-192.168.100.12"]}
    holder = pod_object("first", static={"business": ["192.168.100.10"]})
    _, holder = admit(holder, JOINED, make_catalog(BUSINESS))
    decision = on(pod_object("second", static=static), pods=[holder])
    (attachment,) = decision.attachments
    assert [str(each) for each in attachment.candidates] == ["192.168.100.11", "192.168.100.12"]
    assert attachment.ips == ()
    assert "ips" not in str(decision.annotations)


def test_candidates_of_a_huge_range_are_bounded() -> None:
    subnet = {"cidr": "fd00::/64", "staticRanges": ["fd00::/65"]}
    decision = on(pod_object(static={"business": ["fd00::/65"]}), make_plane(subnets=[subnet]))
    assert len(decision.attachments[0].candidates) == 256


def test_a_list_without_a_free_address_refuses_the_pod() -> None:
    _, holder = admit(
        pod_object("first", static={"business": ["192.168.100.10"]}), JOINED, make_catalog(BUSINESS)
    )
    static = {"business": ["192.168.100.10", "192.168.10.1"]}
    decision = on(pod_object("second", static=static), pods=[holder])
    assert decision.status == 409


def test_dual_stack_lists_count_each_family_by_itself() -> None:
    plane = make_plane(subnets=[SUBNET, {"cidr": "fd00::/64", "staticRanges": ["fd00::/72"]}])
    static = {"business": ["192.168.100.10", "192.168.100.11", "fd00::10-fd00::20"]}
    decision = on(replica("web", 1, static=static), plane)
    assert decision.attachments[0].ips == ("192.168.100.11/16", "fd00::11/64")


def test_per_ordinal_can_be_switched_off() -> None:
    plane = make_plane(staticIPs={"allow": "Any", "perOrdinal": False})
    assert len(on(replica("web", 1, static=LIST), plane).attachments[0].candidates) == 14


def test_a_static_address_completes_the_users_own_element() -> None:
    text = '[{"name":"business", "namespace":"netplane-system","interface":"biz0"}]'
    pod = pod_object(networks=text, static={"business": ["192.168.100.10"]})
    _, admitted = admit(pod, JOINED, make_catalog(BUSINESS))
    assert networks_of(admitted)[0] == {
        "name": "business",
        "namespace": "netplane-system",
        "interface": "biz0",
        "ips": ["192.168.100.10/16"],
    }
    assert admit(admitted, JOINED, make_catalog(BUSINESS))[1] == admitted


def test_two_annotations_that_disagree_are_refused() -> None:
    text = '[{"name":"business","namespace":"netplane-system","ips":["192.168.100.50"]}]'
    decision = on(pod_object(networks=text, static={"business": ["192.168.100.10"]}))
    assert "cannot follow both annotations" in decision.message


def test_a_plane_that_is_not_attached_is_named() -> None:
    decision = on(pod_object(static={"busines": ["192.168.100.10"]}))
    assert "did you mean business?" in decision.message
    pod = Pod.from_object(pod_object(static={"business": ["192.168.100.10"]}))
    decision = decide(pod, make_namespace(), make_catalog(BUSINESS))
    assert "plane.netplane.io/business: enabled" in decision.message


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("[1]", "must be a string"),
        ("[]", "cannot read the addresses"),
        ("7", "cannot read the addresses"),
        ('["192.168.100.010"]', "as an IP address"),
        ('["192.168.100.9-192.168.100.1"]', "ends before it starts"),
        ('["192.168.100.9-fd00::1"]', "mixes IPv4 and IPv6"),
        ('["192.168.100.10/24"]', "host bits"),
    ],
)
def test_entries_that_cannot_be_read_are_refused(entries: str, words: str) -> None:
    errors = read_static_ips(f'{{"business": {entries}}}').errors
    assert words in errors[0].message
    assert errors[0].path.startswith(f"metadata.annotations[{STATIC_IPS_ANNOTATION}].business")


@pytest.mark.parametrize("text", ["[", "[]", "7", '"x"'])
def test_a_text_that_is_no_object_is_refused(text: str) -> None:
    errors = read_static_ips(text).errors
    assert len(errors) == 1


def test_a_reservation_is_given_without_being_asked_for() -> None:
    entries = [
        {"ip": f"192.168.100.{10 + n}", "namespace": "shop", "owner": "web", "ordinal": n}
        for n in range(2)
    ]
    plane = make_plane(staticIPs={"reservations": entries})
    assert on(replica("web", 1), plane).attachments[0].ips == ("192.168.100.11/16",)
    assert on(replica("db", 1), plane).attachments[0].ips == ()


def test_reservations_without_ordinal_are_candidates_of_all_replicas() -> None:
    entries = [
        {"ip": f"192.168.100.{host}", "namespace": "shop", "owner": "web"} for host in (10, 11)
    ]
    plane = make_plane(staticIPs={"reservations": entries})
    owner = {"kind": "ReplicaSet", "name": "web-abc", "controller": True}
    pod = pod_object("web-abc-x", labels={"pod-template-hash": "abc"}, ownerReferences=[owner])
    (attachment,) = on(pod, plane).attachments
    assert [str(each) for each in attachment.candidates] == ["192.168.100.10", "192.168.100.11"]


def test_a_single_reservation_that_is_taken_leaves_a_free_address() -> None:
    entry = {"ip": "192.168.100.10", "namespace": "shop"}
    plane = make_plane(staticIPs={"reservations": [entry]})
    _, first = admit(pod_object("first"), JOINED, make_catalog(plane))
    assert networks_of(first)[0]["ips"] == ["192.168.100.10/16"]
    decision = on(pod_object("second"), plane, pods=[first])
    assert not decision.denied
    assert decision.attachments[0].ips == ()


@pytest.mark.parametrize(
    ("entries", "cause", "status"),
    [
        (["10.0.0.1-10.0.0.9"], "10.0.0.5: it is outside plane business (192.168.0.0/16)", 422),
        (["fd00::1-fd00::9"], "fd00::5: plane business has no IPv6 subnet", 422),
        (["192.168.0.1", "192.168.255.255"], "192.168.0.1: it is the gateway", 422),
        (["192.168.100.7", "192.168.100.8"], "192.168.100.7: plane business reserves it for", 403),
    ],
)
def test_a_list_of_which_nothing_may_be_had_says_why_and_not_that_it_is_held(
    entries: list[str], cause: str, status: int
) -> None:
    subnet = {**SUBNET, "gateway": "192.168.0.1"}
    reserved = [{"ip": f"192.168.100.{host}", "namespace": "bank"} for host in (7, 8)]
    plane = make_plane(subnets=[subnet], staticIPs={"allow": "Any", "reservations": reserved})
    decision = on(pod_object(static={"business": entries}), plane)
    (error,) = [each for each in decision.errors if "may have no" in each.message]
    assert cause in error.message
    assert "free" not in error.message
    assert "pods that hold" not in error.remedy
    assert error.status == status


def test_a_list_whose_addresses_are_all_held_says_that() -> None:
    plane = make_plane(staticIPs={"allow": "Any"})
    pods = [
        admit(
            pod_object(f"other{host}", static={"business": [f"192.168.100.{host}"]}),
            JOINED,
            make_catalog(plane),
        )[1]
        for host in (10, 11)
    ]
    asked = pod_object(static={"business": ["192.168.100.10", "192.168.100.11"]})
    (error,) = on(asked, plane, pods=pods).errors
    assert "no IPv4 address of 192.168.100.10, 192.168.100.11 is free" in error.message
    assert error.status == 409


def test_one_family_of_a_dual_stack_plane_is_warned_about() -> None:
    plane = make_plane(subnets=[SUBNET, {"cidr": "fd00::/64"}])
    decision = on(pod_object(static={"business": ["192.168.100.10"]}), plane)
    assert "no IPv6 address of plane business" in decision.warnings[0].message


@pytest.mark.parametrize("depth", [1, 300, 1000])
def test_an_empty_list_in_the_users_element_is_filled(depth: int) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    text = f'[{{"name":"business","namespace":"netplane-system","ips":[],"cni-args":{deep}}}]'
    pod = pod_object(networks=text, static={"business": ["192.168.100.10"]})
    decision, admitted = admit(pod, JOINED, make_catalog(BUSINESS))
    assert decision.attachments[0].ips == ("192.168.100.10/16",)
    again, _ = admit(admitted, JOINED, make_catalog(BUSINESS))
    assert again.attachments[0].ips == ("192.168.100.10/16",)
    assert not again.annotations
