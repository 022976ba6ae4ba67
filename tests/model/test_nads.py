"""NADs: rendered from planes, read for facts, linted, and checked against requests."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, NadRef, Pod
from planes.model.spec.render import plane_nad
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import parse_conflist
from tests.support.model import make_catalog, make_nad, make_namespace, make_plane, pod_object

HOST_LOCAL = {
    "type": "host-local",
    "subnet": "192.168.0.0/16",
    "rangeStart": "192.168.100.10",
    "rangeEnd": "192.168.100.200",
    "gateway": "192.168.100.1",
}


def nad(type_: str = "bridge", ipam: dict[str, Any] | None = None, **more: Any) -> Nad:
    config = {"cniVersion": "0.3.1", "type": type_, "ipam": ipam or HOST_LOCAL, **more}
    return make_nad("own", config=config)


def asking(ip: str, found: Nad) -> Decision:
    pod = pod_object(networks=orjson.dumps([{"name": "own", "ips": [ip]}]).decode())
    return decide(Pod.from_object(pod), make_namespace(), make_catalog(nads=[found]))


def lint(found: Nad) -> list[str]:
    catalog = make_catalog(nads=[found])
    return [
        finding.path.removeprefix("NAD shop/own ") for finding in catalog.lint.get(found.ref, ())
    ]


@pytest.mark.parametrize(
    ("network", "main"),
    [
        (
            {"type": "macvlan", "master": "eth1", "mode": "bridge"},
            {"master": "eth1", "mode": "bridge"},
        ),
        ({"type": "ipvlan", "master": "eth1"}, {"master": "eth1"}),
        ({"type": "bridge", "master": "br1", "vlan": 7}, {"bridge": "br1", "vlan": 7}),
        ({"type": "vlan", "master": "eth1", "vlan": 7}, {"master": "eth1", "vlanId": 7}),
        ({"type": "host-device", "master": "eth2"}, {"device": "eth2"}),
        ({"type": "host-device", "resourceName": "x/nic"}, {}),
        ({"type": "sriov", "resourceName": "x/vf", "vlan": 7}, {"vlan": 7}),
    ],
)
def test_each_type_is_rendered_for_its_plugin(
    network: dict[str, Any], main: dict[str, Any]
) -> None:
    found = plane_nad(make_plane(network=network))
    assert found is not None
    conflist = parse_conflist(found.config)
    plugin = conflist.plugins[0]
    assert plugin.type == network["type"]
    assert main.items() <= plugin.raw.items()
    assert plugin.raw["ipam"] == {"type": "plane", "plane": "business"}
    assert "ips" in plugin.capabilities


@pytest.mark.parametrize("kind", ["host-device", "sriov"])
def test_a_plane_of_a_resource_gets_its_device_at_add(kind: str) -> None:
    """The NAD names the resource and no device; its plugin takes the one that the pod was given."""
    found = plane_nad(make_plane(network={"type": kind, "resourceName": "example.com/vf"}))
    assert found is not None
    plugin = parse_conflist(found.config).plugins[0]
    assert found.annotations == {RESOURCE_NAME_ANNOTATION: "example.com/vf"}
    assert "deviceID" in plugin.capabilities
    assert plugin.raw.keys().isdisjoint({"device", "deviceID", "pciBusID"})


def test_the_rest_of_the_plane_becomes_chained_plugins() -> None:
    plane = make_plane(
        network={"type": "bridge", "plugins": [{"type": "portmap"}]},
        mtu=9000,
        sysctls={"net.ipv4.conf.IFNAME.arp_filter": "1"},
        bandwidth={"ingressRate": 8, "ingressBurst": 8},
    )
    found = plane_nad(plane)
    assert found is not None
    plugins = parse_conflist(found.config).plugins
    assert [plugin.type for plugin in plugins] == ["bridge", "tuning", "bandwidth", "portmap"]
    assert plugins[0].raw["mtu"] == 9000


def test_a_plane_that_keeps_addresses_says_so_to_kubevirt() -> None:
    """Its IPAM controller makes claims for networks with this member alone."""
    subnets = [{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.215"]}]
    keeping = plane_nad(make_plane(subnets=subnets, ipam={"lifecycle": "Persistent"}))
    plain = plane_nad(make_plane(subnets=subnets))
    assert keeping is not None
    assert plain is not None
    assert orjson.loads(keeping.config)["allowPersistentIPs"] is True
    assert "allowPersistentIPs" not in plain.config


def test_a_plane_without_addresses_renders_a_network_without_ipam() -> None:
    found = plane_nad(make_plane(ipam={"mode": "None"}, subnets=None, staticIPs=None))
    assert found is not None
    assert parse_conflist(found.config).plugins[0].raw["ipam"] == {}


def test_a_nad_that_an_administrator_wrote_is_not_rendered() -> None:
    network = {"nadRef": {"namespace": "ops", "name": "biz"}}
    assert plane_nad(make_plane(network=network, subnets=None)) is None


def test_a_rendered_nad_takes_the_place_of_a_hand_written_one() -> None:
    forged = Nad("netplane-system", "business", "{}")
    catalog = make_catalog(make_plane(), nads=[forged])
    assert catalog.nads[NadRef("netplane-system", "business")].plane == "business"


def test_facts_of_unchanged_nads_are_kept_from_one_catalog_to_the_next() -> None:
    one = Catalog.build([], [nad()])
    two = Catalog.build([], [nad(), make_nad("new")], previous=one)
    assert two.facts[nad().ref] is one.facts[nad().ref]


def test_the_prefix_length_of_a_plain_nad_is_only_a_warning() -> None:
    decision = asking("192.168.100.10/24", nad(capabilities={"ips": True}))
    assert not decision.denied
    assert decision.warnings[0].remedy == "write 192.168.100.10/16"


@pytest.mark.parametrize("ip", ["10.0.0.1", "192.168.1.1/16", "192.168.100.1/16"])
def test_what_host_local_would_refuse_is_refused_early(ip: str) -> None:
    assert "host-local IPAM" in asking(ip, nad()).message


def test_static_ipam_needs_a_prefix_length() -> None:
    found = nad("ipvlan", {"type": "static"})
    assert "needs a prefix length" in asking("10.0.0.1", found).message
    assert not asking("10.0.0.1/24", found).denied
    assert "network address" in asking("10.0.0.0/24", found).message
    assert "broadcast address" in asking("10.0.0.255/24", found).message


def test_an_address_in_use_on_a_plain_nad_is_warned_about_as_multus_attaches_it() -> None:
    """So a Deployment with one address on a NAD of its own rolls out as it did under Multus."""
    text = '[{"name":"own","ips":["192.168.100.10"]}]'
    first, second = (pod_object(name, networks=text) for name in ("first", "second"))
    catalog = make_catalog(nads=[nad("macvlan", master="eth9")], pods=[first])
    decision = decide(Pod.from_object(second), make_namespace(), catalog)
    assert not decision.denied
    assert decision.attachments[0].ips == ("192.168.100.10",)
    (warning,) = [each for each in decision.warnings if "shop/first" in each.message]
    assert "asks for it too" in warning.message
    assert "192.168.100.10" in warning.message


def test_the_old_and_the_new_form_of_host_local_ranges_are_read() -> None:
    sets = [[{"subnet": "10.1.0.0/24"}], [{"subnet": "fd00::/64"}], [{"subnet": "x"}], 7]
    found = nad(ipam={"type": "host-local", "ranges": sets})
    facts = make_catalog(nads=[found]).facts_of(found.ref)
    assert [str(entry.span) for entry in facts.ranges] == [
        "10.1.0.1-10.1.0.254",
        "fd00::1-fd00::ffff:ffff:ffff:ffff",
    ]
    assert "host-local IPAM it is the gateway" in asking("10.1.0.1", found).message
    assert not asking("10.1.0.2", found).denied


def test_configured_static_addresses_tell_the_subnet() -> None:
    entries = [{"address": "10.1.0.9/24", "gateway": "10.1.0.1"}, {"address": "x"}]
    found = nad("ipvlan", {"type": "static", "addresses": entries})
    remedies = [one.remedy for one in asking("10.1.0.10/16", found).warnings]
    assert "write 10.1.0.10/24" in remedies


def test_an_ipam_that_ignores_requests_is_warned_about() -> None:
    assert "ignores requested" in asking("10.0.0.1", nad(ipam={"type": "dhcp"})).warnings[0].message


def test_a_missing_capability_is_warned_about_as_the_address_goes_another_way() -> None:
    assert "CNI_ARGS IP=" in asking("192.168.100.10", nad()).warnings[0].message


def test_a_request_that_no_plugin_sees_is_warned_about() -> None:
    text = '[{"name":"own","bandwidth":{"ingressRate":1,"ingressBurst":1},"deviceID":"x"}]'
    pod = Pod.from_object(pod_object(networks=text))
    decision = decide(pod, make_namespace(), make_catalog(nads=[nad()]))
    assert [warning.path.rpartition(".")[2] for warning in decision.warnings] == [
        "bandwidth",
        "deviceID",
    ]


def test_ipvlan_ignores_a_mac() -> None:
    pod = Pod.from_object(pod_object(networks='[{"name":"own","mac":"02:00:00:00:00:01"}]'))
    decision = decide(pod, make_namespace(), make_catalog(nads=[nad("ipvlan")]))
    assert any("share their master's MAC" in each.message for each in decision.warnings)


def test_the_faults_of_real_nads_are_found() -> None:
    default = {**HOST_LOCAL, "routes": [{"dst": "0.0.0.0/0", "gw": "192.168.100.1"}]}
    own = {"type": "static", "routes": [{"dst": "192.168.122.0/24", "gw": "192.168.122.1"}]}
    assert lint(nad("macvlan", default, master="eth1")) == ["ipam", "ipam.routes"]
    assert lint(nad("ipvlan", own)) == ["ipam.routes"]
    assert lint(nad("sriov", {"type": "static"}, deviceID="0000:03:00.0", vf=0)) == [
        "deviceID",
        "vf",
    ]
    assert lint(nad("host-device", {"type": "static"}, device="eth2")) == ["device"]
    assert lint(nad("bridge")) == []


def test_a_nad_of_any_text_is_read_or_carries_its_fault() -> None:
    for config in ("{", "[]", "null", '{"type":7}', '{"plugins":[]}', '{"type":"x","ipam":7}'):
        catalog = make_catalog(nads=[Nad("shop", "own", config)])
        assert catalog.facts[NadRef("shop", "own")] is not None


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        ("0.0.0.0/0", "of several the network that is last in the pod's list wins"),
        ("::/0", "of several the network that is first in the pod's list wins"),
    ],
)
def test_a_default_route_is_warned_about_with_the_one_that_wins(
    destination: str, told: str
) -> None:
    """As tests/cni/test_order_on_a_node.py sees it on a node."""
    ipam = {"type": "static", "routes": [{"dst": destination}]}
    config = {"cniVersion": "1.0.0", "type": "macvlan", "ipam": ipam}
    catalog = make_catalog(nads=[make_nad("routed", config=config)])
    [warning] = catalog.lint.get(NadRef("shop", "routed")) or ()
    assert told in warning.message
