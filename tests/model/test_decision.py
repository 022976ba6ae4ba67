"""What `decide` attaches, in which order and under which names."""

from __future__ import annotations

import orjson
import pytest

from planes.model.decide.decision import decide
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    INJECTED_ANNOTATION,
    NETWORKS_ANNOTATION,
    STATUS_ANNOTATION,
)
from planes.model.objects import Pod
from tests.support.model import (
    admit,
    injected_of,
    make_catalog,
    make_nad,
    make_namespace,
    make_plane,
    networks_of,
    pod_object,
)

JOINED = make_namespace(business="enabled")
BUSINESS = make_plane()
STORAGE = make_plane("storage", subnets=[{"cidr": "172.16.0.0/16"}])


def test_a_label_alone_attaches_the_plane() -> None:
    decision, pod = admit(pod_object(), JOINED, make_catalog(BUSINESS))
    assert networks_of(pod) == [
        {"name": "business", "namespace": "netplane-system", "interface": "net1"}
    ]
    assert injected_of(pod) == ["business"]
    (attachment,) = decision.attachments
    assert (attachment.plane, attachment.interface, attachment.injected) == (
        "business",
        "net1",
        True,
    )


def test_a_namespace_without_label_gets_nothing() -> None:
    decision = decide(Pod.from_object(pod_object()), make_namespace(), make_catalog(BUSINESS))
    assert not decision.attachments
    assert not decision.annotations
    assert not decision.denied


def test_planes_come_by_order_then_name() -> None:
    namespace = make_namespace(business="enabled", storage="enabled", backup="required")
    catalog = make_catalog(
        BUSINESS, make_plane("backup", order=5, subnets=[{"cidr": "10.1.0.0/16"}]), STORAGE
    )
    decision, _ = admit(pod_object(), namespace, catalog)
    assert [each.plane for each in decision.attachments] == ["business", "storage", "backup"]
    assert [each.interface for each in decision.attachments] == ["net1", "net2", "net3"]


def test_planes_follow_the_users_own_networks() -> None:
    catalog = make_catalog(BUSINESS, nads=[make_nad("own")])
    _, pod = admit(pod_object(networks='[{"name": "own"}]'), JOINED, catalog)
    assert [element["name"] for element in networks_of(pod)] == ["own", "business"]
    assert networks_of(pod)[1]["interface"] == "net2"


def test_a_comma_list_stays_a_comma_list() -> None:
    catalog = make_catalog(BUSINESS, nads=[make_nad("own")])
    _, pod = admit(pod_object(networks="own@eth7\n"), JOINED, catalog)
    text = pod["metadata"]["annotations"][NETWORKS_ANNOTATION]
    assert text == "own@eth7,netplane-system/business@net2"


def test_a_comma_list_becomes_json_where_an_address_has_to_be_said() -> None:
    catalog = make_catalog(BUSINESS, nads=[make_nad("own")])
    pod = pod_object(networks="own@eth7", static={"business": ["192.168.100.5"]})
    _, admitted = admit(pod, JOINED, catalog)
    assert networks_of(admitted) == [
        {"name": "own", "namespace": "shop", "interface": "eth7"},
        {
            "name": "business",
            "namespace": "netplane-system",
            "interface": "net2",
            "ips": ["192.168.100.5/16"],
        },
    ]


def test_json_is_spliced_so_that_the_authors_text_stays() -> None:
    text = (
        '[ {"namespace":"shop", "name":"own","cni-args":{"big":123456789012345678901,"f":1.50}} ]'
    )
    catalog = make_catalog(BUSINESS, nads=[make_nad("own")])
    _, pod = admit(pod_object(networks=text), JOINED, catalog)
    changed = pod["metadata"]["annotations"][NETWORKS_ANNOTATION]
    assert changed.startswith(text[:-2].rstrip())


def test_a_plane_that_the_user_names_is_not_added_again() -> None:
    pod = pod_object(networks="netplane-system/business@biz0")
    decision, admitted = admit(pod, JOINED, make_catalog(BUSINESS))
    assert admitted == pod
    assert not decision.attachments[0].injected


def test_a_taken_interface_name_moves_on_to_the_next_free_one() -> None:
    catalog = make_catalog(make_plane(interface="biz0"), nads=[make_nad("own"), make_nad("other")])
    decision, _ = admit(pod_object(networks="own@biz0,other@net3"), JOINED, catalog)
    assert [each.interface for each in decision.attachments] == ["biz0", "net3", "net4"]


def test_the_planes_own_interface_name_is_used() -> None:
    decision, _ = admit(pod_object(), JOINED, make_catalog(make_plane(interface="biz0")))
    assert decision.attachments[0].interface == "biz0"


def test_a_plane_on_request_is_not_injected() -> None:
    catalog = make_catalog(make_plane(attachment="OnRequest"))
    assert not decide(Pod.from_object(pod_object()), JOINED, catalog).attachments


def test_a_pod_selector_narrows_the_plane() -> None:
    catalog = make_catalog(make_plane(podSelector={"matchLabels": {"app": "db"}}))
    assert not decide(Pod.from_object(pod_object()), JOINED, catalog).attachments
    chosen = Pod.from_object(pod_object(labels={"app": "db"}))
    assert len(decide(chosen, JOINED, catalog).attachments) == 1


def test_a_default_route_plane_asks_for_the_default_route() -> None:
    _, pod = admit(pod_object(), JOINED, make_catalog(make_plane(defaultRoute=True)))
    assert networks_of(pod)[0]["default-route"] == ["192.168.0.1"]


def test_a_pod_on_the_host_network_gets_no_planes_and_a_warning_if_annotated() -> None:
    pod = {**pod_object(networks="business"), "spec": {"hostNetwork": True}}
    decision = decide(Pod.from_object(pod), JOINED, make_catalog(BUSINESS))
    assert not decision.attachments
    assert not decision.denied
    assert "ignored" in decision.warnings[0].message


def test_a_rerun_of_the_hook_changes_nothing() -> None:
    catalog = make_catalog(BUSINESS, make_plane("storage", subnets=[{"cidr": "10.0.0.0/8"}]))
    namespace = make_namespace(business="enabled", storage="enabled")
    _, once = admit(pod_object(static={"business": ["192.168.100.5"]}), namespace, catalog)
    decision, twice = admit(once, namespace, catalog)
    assert twice == once
    assert all(attachment.injected for attachment in decision.attachments)


def test_an_element_added_by_another_hook_changes_nothing_of_ours() -> None:
    catalog = make_catalog(BUSINESS, nads=[make_nad("mesh")])
    _, once = admit(pod_object(), JOINED, catalog)
    elements = [*networks_of(once), {"name": "mesh"}]
    once["metadata"]["annotations"][NETWORKS_ANNOTATION] = orjson.dumps(elements).decode()
    _, twice = admit(once, JOINED, catalog)
    assert twice == once


def test_a_record_that_describes_nothing_is_written_anew() -> None:
    forged = '{"planes":[{"name":"business","generation":9,"interface":"net1"}],"hash":"00"}'
    pod = pod_object(
        networks="netplane-system/business@net1", annotations={INJECTED_ANNOTATION: forged}
    )
    decision, admitted = admit(pod, JOINED, make_catalog(BUSINESS))
    assert injected_of(admitted) == []
    assert not decision.attachments[0].injected


def test_a_network_status_at_creation_is_refused() -> None:
    pod = Pod.from_object(pod_object(annotations={STATUS_ANNOTATION: "[]"}))
    assert decide(pod, JOINED, make_catalog(), creating=True).status == 403
    assert not decide(pod, JOINED, make_catalog()).denied


def test_the_default_network_annotation_names_exactly_one_nad() -> None:
    catalog = make_catalog(nads=[make_nad("calico", "kube-system")])
    pod = pod_object(annotations={DEFAULT_NETWORK_ANNOTATION: "calico"})
    found = decide(Pod.from_object(pod), JOINED, catalog).default_network
    assert found is not None
    assert str(found.network) == "kube-system/calico"
    pod = pod_object(annotations={DEFAULT_NETWORK_ANNOTATION: "calico,calico"})
    assert "exactly one" in decide(Pod.from_object(pod), JOINED, catalog).message


@pytest.mark.parametrize("value", ["true", "Enabled", "disabled"])
def test_a_bad_label_value_joins_nothing_and_is_reported(value: str) -> None:
    pod = Pod.from_object(pod_object())
    decision = decide(pod, make_namespace(business=value), make_catalog(BUSINESS))
    assert not decision.attachments
    assert "neither enabled nor required" in decision.warnings[0].message


def test_a_required_plane_that_does_not_exist_refuses_the_pod() -> None:
    pod = Pod.from_object(pod_object())
    catalog = make_catalog(BUSINESS)
    assert not decide(pod, make_namespace(busines="enabled"), catalog).denied
    decision = decide(pod, make_namespace(busines="required"), catalog)
    assert "did you mean business?" in decision.message
