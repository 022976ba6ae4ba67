"""Networks that need a device: usable where something says which, else refused."""

from __future__ import annotations

import json

import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.decide.hotplug import decide_network, decide_one, read_wishes
from planes.model.decide.nad_review import review_nad
from planes.model.errors import BadInput, JsonObject
from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, Pod
from planes.model.spec.plane_check import check_plane
from planes.model.spec.render import plane_nad
from planes.model.state.catalog import Catalog
from planes.model.state.kubelet_devices import needed_device
from planes.model.wire.netconf import parse_conflist
from tests.support.model import make_catalog, make_namespace, make_plane, pod_object

VF = "example.com/vfs"
PCI = "0000:03:02.0"
JOINED = make_namespace(fast="enabled")


def nad(*plugins: JsonObject, resource: str = VF) -> Nad:
    """Return NAD shop/own with some plugins."""
    config = {"cniVersion": "1.0.0", "name": "own", "plugins": list(plugins)}
    annotations = {RESOURCE_NAME_ANNOTATION: resource} if resource else {}
    return Nad("shop", "own", json.dumps(config), annotations)


def decided(catalog: Catalog, networks: str | None = "own") -> Decision:
    return decide(Pod.from_object(pod_object(networks=networks)), JOINED, catalog)


def lacks(*plugins: JsonObject, resource: str = "") -> str:
    made = nad(*plugins, resource=resource)
    return make_catalog(nads=[made]).facts_of(made.ref).lacks_device


def needs(*plugins: JsonObject, resource: str = VF) -> str:
    return needed_device(parse_conflist(nad(*plugins).config), resource)


@pytest.mark.parametrize(
    "type_",
    [
        "sriov",
        "ib-sriov",
        "ib-sriov-cni",
        "accelerated-bridge",
        "host-device",
        "vdpa",
        "userspace",
        "ovs",
        "macvtap",
        "somebodys-own",
    ],
)
def test_a_type_that_is_told_its_device_needs_it_from_the_resource(type_: str) -> None:
    assert needs({"type": type_}) == type_
    assert needs({"type": "macvlan", "master": "eth1"}, {"type": type_}) == type_
    assert lacks({"type": type_}, resource=VF) == ""


@pytest.mark.parametrize("type_", ["sriov", "ib-sriov", "rdma"])
def test_some_types_lack_it_without_any_resource(type_: str) -> None:
    assert lacks({"type": type_}) == type_


@pytest.mark.parametrize(
    "plugin",
    [
        {"type": "sriov", "deviceID": PCI},
        {"type": "sriov", "DeviceId": PCI},
        {"type": "ib-sriov", "deviceID": PCI},
        {"type": "host-device", "pciBusID": PCI},
        {"type": "host-device", "device": "eth7"},
        {"type": "host-device", "hwaddr": "02:00:00:00:00:01"},
        {"type": "host-device", "kernelpath": "/sys/devices/x"},
    ],
)
def test_a_device_that_the_nad_names_itself_is_used(plugin: JsonObject) -> None:
    assert needs(plugin) == lacks(plugin) == ""
    assert not decided(make_catalog(nads=[nad(plugin)])).errors


@pytest.mark.parametrize("type_", ["macvlan", "ipvlan", "ipoib", "bridge", "vlan"])
def test_a_resource_beside_a_type_that_needs_none_is_for_the_containers(type_: str) -> None:
    """RDMA: the device plugin mounts devices, and the interface is made on a master."""
    assert needs({"type": type_, "master": "eth1"}) == ""


def test_without_a_resource_nobody_guesses_about_unknown_types() -> None:
    for type_ in ("host-device", "vdpa", "ovs", "somebodys-own"):
        assert lacks({"type": type_}) == needs({"type": type_}, resource="") == ""


def test_a_pod_is_refused_at_admission_naming_nad_and_type() -> None:
    decision = decided(make_catalog(nads=[nad({"type": "sriov"}, resource="")]))
    (error,) = decision.errors
    assert error.path.endswith("[0].name")
    assert error.message == (
        'cannot use NAD shop/own: its type "sriov" needs a device, and nothing says which'
    )
    assert RESOURCE_NAME_ANNOTATION in error.remedy
    assert not decision.resources


def test_a_pod_of_a_plane_with_a_resource_asks_for_a_device_of_it() -> None:
    fast = make_plane("fast", network={"type": "sriov", "resourceName": VF})
    decision = decided(make_catalog(fast), networks=None)
    assert not decision.denied
    assert decision.resources == {VF: 1}


def test_a_device_in_the_element_counts_where_the_plugin_is_told_it() -> None:
    asks = json.dumps([{"name": "own", "deviceID": PCI}])
    told = nad({"type": "sriov", "capabilities": {"deviceID": True}}, resource="")
    assert not decided(make_catalog(nads=[told]), asks).errors
    assert decided(make_catalog(nads=[nad({"type": "sriov"}, resource="")]), asks).denied


def test_a_device_in_the_element_is_told_to_have_no_effect_beside_a_resource() -> None:
    asks = json.dumps([{"name": "own", "deviceID": PCI}])
    told = nad({"type": "sriov", "capabilities": {"deviceID": True}})
    decision = decided(make_catalog(nads=[told]), asks)
    assert not decision.errors
    (warning,) = [each for each in decision.warnings if each.path.endswith("[0].deviceID")]
    assert f'the device of resource "{VF}"' in warning.message


def test_a_hot_plug_without_resource_is_refused_and_one_with_it_is_not() -> None:
    fast = make_plane("fast", network={"type": "sriov", "resourceName": VF})
    catalog = make_catalog(fast, nads=[nad({"type": "sriov"}, resource="")])
    pod = Pod.from_object(pod_object())
    wishes = read_wishes("net1", {})
    assert not decide_one(pod, JOINED, catalog, fast, wishes).denied
    own = nad({"type": "sriov"}).ref
    assert "needs a device" in decide_network(pod, JOINED, catalog, own, wishes).message


def test_the_author_of_the_nad_is_warned_and_may_write_it() -> None:
    review = review_nad(nad({"type": "sriov"}, resource=""), make_catalog())
    assert not review.errors
    assert any("pods of it are refused" in each.message for each in review.warnings)
    told = review_nad(nad({"type": "sriov"}), make_catalog())
    assert not any("pods of it are refused" in each.message for each in told.warnings)


def test_a_plane_on_such_a_nad_is_doubtful() -> None:
    network = {"nadRef": {"namespace": "shop", "name": "own"}}
    plane = make_plane("fast", network=network, subnets=None, ipam={"mode": "None"})
    lacking = nad({"type": "sriov"}, resource="")
    (doubt,) = make_catalog(plane, nads=[lacking]).warnings
    assert doubt.path == "spec.network of planes fast"
    assert "needs a device" in doubt.message
    assert not make_catalog(plane, nads=[nad({"type": "sriov"})]).warnings
    assert not make_catalog(plane, nads=[nad({"type": "sriov", "deviceID": PCI})]).warnings


def test_a_host_device_plane_by_resource_names_no_interface() -> None:
    plane = make_plane("cards", network={"type": "host-device", "resourceName": VF})
    assert not list(check_plane(plane))
    rendered = plane_nad(plane)
    assert rendered is not None
    (plugin,) = json.loads(rendered.config)["plugins"]
    assert "device" not in plugin
    assert rendered.annotations == {RESOURCE_NAME_ANNOTATION: VF}
    with pytest.raises(BadInput, match="without master or resourceName"):
        make_plane("cards", network={"type": "host-device"})
