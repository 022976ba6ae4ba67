"""Explanations that people read: which planes and why, what the pod gets, what is wrong."""

from __future__ import annotations

from typing import Any

from planes.model.decide.decision import decide
from planes.model.decide.explain import explain
from planes.model.errors import JsonObject
from planes.model.objects import Namespace, Pod
from planes.model.state.catalog import Catalog
from tests.support.model import (
    make_catalog,
    make_nad,
    make_namespace,
    make_plane,
    pod_object,
)

JOINED = make_namespace(business="enabled")


def told(pod: JsonObject, namespace: Namespace, catalog: Catalog) -> str:
    found = Pod.from_object(pod)
    return explain(found, namespace, catalog, decide(found, namespace, catalog))


def on(pod: JsonObject, **spec: Any) -> str:
    return told(pod, JOINED, make_catalog(make_plane(**spec)))


def test_a_pod_that_gets_a_plane() -> None:
    assert told(pod_object(), JOINED, make_catalog(make_plane(purpose="business traffic"))) == (
        "Pod shop/web-0 starts with its default network and 1 network more.\n"
        "\n"
        "Planes:\n"
        "  business  yes  namespace shop has plane.netplane.io/business: enabled"
        " (business traffic)\n"
        "\n"
        "Attachments:\n"
        "  net1  plane business, NAD netplane-system/business, injected\n"
        "    address: a free one of 192.168.10.0-192.168.99.255\n"
        "    link: macvlan on eth1\n"
        "\n"
        "Annotations that admission sets:\n"
        "  adds k8s.v1.cni.cncf.io/networks: "
        '[{"name":"business","namespace":"netplane-system","interface":"net1"}]\n'
    )


def test_each_plane_says_why_not() -> None:
    label = {"namespaceSelector": {"matchLabels": {"tier": "db"}}}
    storage, backup, admin = ({"type": "macvlan", "master": f"eth{n}"} for n in (2, 3, 4))
    planes = [
        make_plane(),
        make_plane("storage", network=storage, **label),
        make_plane("backup", network=backup, podSelector={"matchLabels": {"app": "db"}}),
        make_plane("admin", network=admin, attachment="OnRequest"),
    ]
    namespace = make_namespace(business="yes", backup="enabled", admin="enabled")
    text = told(pod_object(), namespace, make_catalog(*planes))
    assert 'has plane.netplane.io/business: "yes", not enabled or required' in text
    assert "namespace shop does not match tier=db" in text
    assert "the pod's labels do not match app=db" in text
    assert "pods must ask for it: add netplane-system/admin to their networks" in text


def test_errors_have_place_and_remedy() -> None:
    text = on(pod_object(static={"business": ["10.0.0.1"]}))
    assert text.startswith("Pod shop/web-0 is refused: 1 error.")
    assert "  - cannot give the pod 10.0.0.1: it is outside plane business" in text
    assert "    where: metadata.annotations[netplane.io/static-ips].business[0]" in text
    assert "    remedy: ask for one of 192.168.100.0-192.168.100.255" in text


def test_static_addresses_and_candidates_are_shown() -> None:
    assert "address: 192.168.100.5/16 (static)" in on(
        pod_object(static={"business": ["192.168.100.5"]})
    )
    assert "address: the first free of 3, 192.168.100.5 to 192.168.100.7" in on(
        pod_object(static={"business": ["192.168.100.5-192.168.100.7"]})
    )


def test_a_plane_that_starts_pods_on_a_master_without_carrier_says_so() -> None:
    network = {"type": "macvlan", "master": "eth1"}
    assert "carrier" not in on(pod_object(), network=network)
    text = on(pod_object(), network={**network, "requireCarrier": False})
    assert "carrier: not required; the pod starts while the link is down, too" in text


def test_routes_link_and_mac_are_shown() -> None:
    network = {"type": "vlan", "master": "eth1", "vlan": 7}
    networks = (
        '[{"name":"business","namespace":"netplane-system","mac":"02:00:00:00:00:01",'
        '"default-route":["192.168.0.1"]}]'
    )
    routes = [{"dst": "10.0.0.0/8", "gw": "192.168.0.1"}]
    text = on(pod_object(networks=networks), network=network, mtu=9000, routes=routes)
    assert "MAC: 02:00:00:00:00:01" in text
    assert "default route: 192.168.0.1, instead of eth0's" in text
    assert "link: vlan on eth1, VLAN 7, MTU 9000" in text
    assert "routes: 10.0.0.0/8" in text


def test_nothing_to_do_is_said_too() -> None:
    text = told(pod_object(), make_namespace(), make_catalog())
    assert text == (
        "Pod shop/web-0 starts with its default network only.\n\nPlanes: none is defined.\n"
    )
    host = {**pod_object(), "spec": {"hostNetwork": True}}
    assert "runs in the host's network: it gets no planes" in on(host)


def test_a_nad_of_its_own_and_its_faults_are_shown() -> None:
    config = {
        "cniVersion": "0.3.1",
        "type": "macvlan",
        "ipam": {"type": "host-local", "subnet": "10.9.0.0/24"},
    }
    catalog = make_catalog(nads=[make_nad("own", config=config)])
    text = told(pod_object(networks="own"), make_namespace(), catalog)
    assert "net1  a NAD of its own, NAD shop/own, asked for by the pod" in text
    assert "address: from the NAD's IPAM host-local" in text
    assert "addresses will be given out twice" in text


def test_an_unnamed_pod_is_shown_by_its_prefix() -> None:
    pod = pod_object("", generateName="web-")
    assert on(pod).startswith("Pod shop/web-* starts")


def test_how_the_address_is_used_is_told() -> None:
    spec = {"mac": {"source": "FromIP"}, "ipam": {"conflictDetection": "Probe"}}
    text = on(pod_object(), **spec)
    assert "    MAC: 0a:6e:…, made from the address\n" in text
    assert "    conflicts: the address is probed on the wire before it is used\n" in text


def test_the_mac_of_a_static_address_is_told() -> None:
    spec = {"mac": {"source": "FromIP"}, "staticIPs": {"allow": "Any"}}
    text = on(pod_object(static={"business": "192.168.100.7"}), **spec)
    assert "MAC: 0a:6e:c0:a8:64:07, made from the address" in text
