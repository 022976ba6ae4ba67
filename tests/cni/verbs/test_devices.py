"""ADD, DEL and hot-plug of networks with a resource: each gets a device of its own pod."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni.call import CniRequest, parse_call
from cni.serving.multus_protocol import InterfaceAttributes
from planes.model.errors import PlanesError, Unavailable
from planes.model.objects import NadRef
from planes.model.state.claimed_devices import AllocatedDevice, ClaimedDevice, PoolName
from tests.cni.verbs.device_scene import ONE, THREE, TWO, VF, device_of, given, scene
from tests.support.cni.exec import PluginCall, failed, plain
from tests.support.cni.kubelet import ApiKubelet, serving
from tests.support.cni.runtime import NETNS, NOTHING


async def test_networks_of_one_resource_get_a_device_each_in_their_order(root: Path) -> None:
    given(root, TWO, ONE)
    made = await scene(root)
    await made.call("ADD", uid="u1")
    for ifname, device in (("net1", ONE), ("net2", TWO)):
        path = f"{root}/devinfo/cni/shop-vf-c1_{ifname}"
        assert device_of(made, f"ADD sriov {ifname}") == (device, device)
        assert device_of(made, f"ADD meta {ifname}") == (device, device)
        runtime = made.exec.one(f"ADD sriov {ifname}").conf["runtimeConfig"]
        assert runtime == {"deviceID": device, "CNIDeviceInfoFile": path}
        assert "runtimeConfig" not in made.exec.one(f"ADD meta {ifname}").conf
    await made.call("DEL")
    assert device_of(made, "DEL sriov net1") == (ONE, ONE)
    assert made.leftovers() == NOTHING


async def test_the_socket_is_asked_once_for_all_networks(root: Path) -> None:
    kubelet = ApiKubelet({("shop", "web"): [{VF: [ONE]}, {VF: [TWO]}]})
    made = await scene(root)
    with serving(kubelet, root / "kubelet"):
        await made.call("ADD", uid="u1")
    assert kubelet.asked == ["Get"]
    assert device_of(made, "ADD sriov net2") == (TWO, TWO)


async def test_nobody_asks_where_no_network_has_a_resource(root: Path) -> None:
    kubelet = ApiKubelet({("shop", "web"): []})
    made = await scene(root, "")
    with serving(kubelet, root / "kubelet"):
        await made.call("ADD", uid="u1")
    assert kubelet.asked == []
    assert made.store.claims_read == []


async def test_a_pod_without_a_device_is_refused_naming_nad_interface_and_resource(
    root: Path,
) -> None:
    given(root, ONE, uid="another")
    made = await scene(root, "vf")
    with pytest.raises(PlanesError) as caught:
        await made.call("ADD", uid="u1")
    for text in ("net1", "NAD shop/vf", f'resource "{VF}"', 'type "sriov"'):
        assert text in caught.value.message
    assert "resources.limits" in caught.value.remedy
    assert made.exec.calls == []
    assert made.leftovers() == NOTHING


async def test_fewer_devices_than_networks_are_counted(root: Path) -> None:
    given(root, ONE)
    made = await scene(root)
    with pytest.raises(PlanesError, match="the pod has 1 of it"):
        await made.call("ADD", uid="u1")
    assert made.exec.calls == []


async def test_a_type_that_needs_none_starts_without_one_and_without_a_kubelet(
    root: Path,
) -> None:
    made = await scene(root, "macvlan")
    await made.call("ADD", uid="u1")
    assert device_of(made, "ADD macvlan net1") == (None, None)


async def test_a_kubelet_that_is_away_is_named_where_a_device_is_needed(root: Path) -> None:
    made = await scene(root, "vf")
    with pytest.raises(Unavailable, match="cannot ask the kubelet"):
        await made.call("ADD", uid="u1")


async def test_a_device_that_the_pod_names_is_never_used_beside_a_resource(root: Path) -> None:
    given(root)
    asked = [{"name": "vf", "deviceID": THREE}]
    made = await scene(root, asked)
    with pytest.raises(PlanesError, match="none was allocated"):
        await made.call("ADD", uid="u1")
    given(root, ONE)
    await made.call("ADD", uid="u1")
    assert made.exec.one("ADD sriov net1").conf["runtimeConfig"]["deviceID"] == ONE


async def test_the_kubelets_device_wins_over_that_of_the_configuration(root: Path) -> None:
    given(root, ONE)
    made = await scene(root, "fixed")
    await made.call("ADD", uid="u1")
    assert device_of(made, "ADD sriov net1") == (ONE, ONE)


async def test_the_default_networks_nad_and_the_first_network_get_different_devices(
    root: Path,
) -> None:
    given(root, ONE, TWO)
    made = await scene(root, "vf", annotations={"v1.multus-cni.io/default-network": "shop/vf"})
    await made.call("ADD", uid="u1")
    assert device_of(made, "ADD sriov eth0") == (ONE, ONE)
    assert device_of(made, "ADD sriov net1") == (TWO, TWO)


async def test_a_plane_gets_its_device_too(root: Path) -> None:
    given(root, ONE, resource="example.com/fast")
    made = await scene(root, "", labels={"plane.netplane.io/fast": "enabled"})
    await made.call("ADD", uid="u1")
    assert device_of(made, "ADD sriov net1") == (ONE, ONE)


async def test_a_device_that_could_not_be_given_back_is_not_given_to_the_next_sandbox(
    root: Path,
) -> None:
    given(root, ONE)
    made = await scene(root, "vf")
    await made.call("ADD", uid="u1")

    async def stuck(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        return failed("busy") if call.verb == "DEL" else await plain(call)

    made.exec.scripts["sriov"] = stuck
    with pytest.raises(PlanesError):
        await made.call("DEL")
    with pytest.raises(Unavailable) as caught:
        await made.call("ADD", container="c2", uid="u1")
    assert f'"{ONE}" is in use by net1 of shop/web (sandbox c1)' in caught.value.message
    made.exec.scripts["sriov"] = plain
    await made.call("DEL")
    await made.call("ADD", container="c2", uid="u1")


def claimed(resource: str, device_id: str) -> ClaimedDevice:
    allocated = AllocatedDevice("nics", PoolName("nic.example.com", "node-a"), "vf1")
    return ClaimedDevice(allocated, resource, device_id)


async def test_a_device_of_a_resource_claim_is_used_where_the_kubelet_has_too_few(
    root: Path,
) -> None:
    given(root, ONE)
    made = await scene(root)
    made.store.claimed["shop", "web"] = (claimed("gpus", ""), claimed(VF, TWO))
    await made.call("ADD", uid="u1")
    assert device_of(made, "ADD sriov net1") == (ONE, ONE)
    assert device_of(made, "ADD sriov net2") == (TWO, TWO)
    assert made.store.claims_read == [("shop", "web", "u1")]


async def test_claims_are_not_read_where_the_kubelet_has_enough(root: Path) -> None:
    given(root, ONE, TWO)
    made = await scene(root)
    await made.call("ADD", uid="u1")
    assert made.store.claims_read == []


async def test_a_claim_of_another_resource_is_refused_with_both_names(root: Path) -> None:
    given(root)
    made = await scene(root, "vf")
    made.store.claimed["shop", "web"] = (claimed("example.com/other", ONE),)
    with pytest.raises(PlanesError) as caught:
        await made.call("ADD", uid="u1")
    assert f'resource "{VF}"' in caught.value.message
    assert 'of resource "example.com/other"' in caught.value.message


def plug(ifname: str, conf: str) -> CniRequest:
    env = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": NETNS,
        "CNI_IFNAME": ifname,
        "CNI_PATH": "/opt/cni/bin",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=u1",
    }
    return parse_call(env, conf.encode())


async def test_a_hot_plug_to_a_plane_gets_a_device_that_the_pod_has_left(root: Path) -> None:
    given(root, ONE, TWO, resource="example.com/fast")
    made = await scene(root, "", labels={"plane.netplane.io/fast": "enabled"})
    await made.call("ADD", uid="u1")
    conf = made.store.catalog.nads[NadRef("netplane-system", "fast")].config
    nothing_more = InterfaceAttributes((), "", {})
    await made.hotplug.delegate(plug("net9", conf), nothing_more)
    assert device_of(made, "ADD sriov net1") == (ONE, ONE)
    assert device_of(made, "ADD sriov net9") == (TWO, TWO)
    with pytest.raises(Unavailable, match="is in use by net1 of shop/web"):
        await made.hotplug.delegate(plug("net8", conf), nothing_more)
