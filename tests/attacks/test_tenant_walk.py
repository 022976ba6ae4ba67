"""Every member of a selection element against every setting of a plane, in webhook and node.

What a plane permits is written down here a second time, by hand: `ips`, `mac` and the gateways of
`default-route` by settings, everything else never. A member that the format learns and nobody
lists makes `test_every_member_is_walked` fail.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.annotations.element_reader import KNOWN_MEMBERS
from planes.model.decide.decision import Attachment, Decision, decide
from planes.model.decide.wishes import WISHES
from planes.model.errors import PlanesError
from planes.model.objects import Nad, Namespace, Pod
from planes.model.spec.plane import parse_plane
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from tests.attacks.wishes import ALL_CAPABILITIES, seen_by_plugins
from tests.cni.runtime_scene import bench
from tests.support.cni.exec import plain
from tests.support.cni.runtime import NOTHING, Bench
from tests.support.plane_corpus import ACCEPTED, corpus_plane
from tests.support.store import FakeStore

JsonObject = dict[str, Any]

LABELS = {"plane.netplane.io/business": "enabled", "tier": "front", "a": "x"}
SHOP = Namespace("shop", LABELS)
IDENTITY = {"name", "namespace", "interface", "interfaceRequest"}
WISHED: JsonObject = {
    "ips": ["10.9.0.7/24"],
    "mac": "02:00:00:00:be:ef",
    "default-route": ["10.9.0.66"],
    "cni-args": {"evil": "a66"},
    "portMappings": [{"hostPort": 10250, "containerPort": 1}],
    "bandwidth": {"ingressRate": 66666, "ingressBurst": 66666},
    "deviceID": "0000:66:00.6",
    "infiniband-guid": "02:00:00:00:00:00:66:66",
    "ipam-claim-reference": "claim66",
    "gateway-request": "odd66",
}
"""One wish for each member that asks for something, and one that nobody knows."""
TOKENS = {
    "ips": '"10.9.0.7',
    "mac": "be:ef",
    "default-route": "10.9.0.66",
    "cni-args": "a66",
    "portMappings": "10250",
    "bandwidth": "66666",
    "deviceID": "0000:66:00.6",
    "infiniband-guid": "00:66:66",
    "ipam-claim-reference": "claim66",
    "gateway-request": "odd66",
}
"""What a plugin would see of it."""

OF_DEVICES = {
    "sriov": "example.com/vf",
    "mtu zero of sriov": "a/b",
    "host-device of a resource": "example.com/nic",
}
"""Settings of which a pod gets nothing without a device of the resource that is named."""
"""Their pods are refused, whatever they ask for: nobody gives them the device."""
KEEPING = "addresses that claims keep"
"""The node needs an API server then: see tests/model/test_claim_reference.py."""
DEAD = "pods on a dead master of a nadRef"
SETTINGS: dict[str, JsonObject] = {
    **{name: spec for name, spec in ACCEPTED.items() if name not in {*OF_DEVICES, KEEPING}},
    "allow Any": {"staticIPs": {"allow": "Any"}},
    "allow Never": {"staticIPs": {"allow": "Never"}},
    "allow Reserved": {"staticIPs": {"allow": "Reserved"}},
    "reserved for others": {
        "staticIPs": {"allow": "Any", "reservations": [{"ip": "10.9.0.7", "namespace": "bank"}]}
    },
    "no MAC": {"mac": {"allowRequest": False}},
    "MAC": {"mac": {"allowRequest": True}},
    "another gateway": {"subnets": [{"cidr": "10.9.0.0/24", "gateway": "10.9.0.66"}]},
}
# An address: allow is Reserved by default, and a plane without subnets leaves it to the NAD.
GIVES_IPS = {"allow Any", "reservations", "nadRef", "ipam NAD", "shared wire of a nadRef", DEAD}
GIVES_NO_MAC = {"no MAC", "what is not enforced, switched off"}
# The gateway 10.9.0.66: nobody knows better where the plane knows no gateway at all.
ROUTES = {
    "another gateway",
    "nadRef",
    "shared wire of a nadRef",
    DEAD,
    "nadRef with subnets",
    "ipam NAD",
    "ipam None",
    "ranges of all forms",
    "a range of one",
    "a range across a digit",
    "exclude and staticRanges",
    "routes of a subnet",
    "neighbouring subnets",
    "whole of IPv4",
}


def may(key: str, setting: str) -> bool:
    """Report whether a plane of that setting permits the wish for a member."""
    permitted = {
        "ips": setting in GIVES_IPS,
        "mac": setting not in GIVES_NO_MAC,
        "default-route": setting in ROUTES,
    }
    return permitted.get(key, False)


def plane_of(setting: str, mode: str) -> Plane:
    """Return a plane whose plugins declare every capability, so that they show what is passed."""
    spec = dict(SETTINGS[setting])
    network = dict(spec.get("network") or {"type": "macvlan", "master": "eth1"})
    if "type" in network:
        shows_all = {"type": "meta", "capabilities": ALL_CAPABILITIES}
        network["plugins"] = [*network.get("plugins", ()), shows_all]
    enforcement = {**spec.get("enforcement", {}), "pods": mode}
    obj = corpus_plane({**spec, "network": network, "enforcement": enforcement, "attachment": None})
    return parse_plane(obj)


NAD = Nad(
    "shop",
    "eth.1",
    json.dumps({"cniVersion": "1.0.0", "type": "two", "capabilities": ALL_CAPABILITIES}),
)


def pod_of(plane: Plane, wishes: JsonObject) -> Pod:
    element = {"name": plane.ref.name, "namespace": plane.ref.namespace, **wishes}
    networks = json.dumps([element])
    return Pod("shop", "web", uid="u1", annotations={"k8s.v1.cni.cncf.io/networks": networks})


def admission(plane: Plane, wishes: JsonObject) -> Decision:
    return decide(pod_of(plane, wishes), SHOP, Catalog.build([plane], [NAD]))


async def node(root: Path, plane: Plane, wishes: JsonObject) -> Bench:
    store = FakeStore(planes=[plane], namespaces=[SHOP], nads=[NAD], pods=[pod_of(plane, wishes)])
    made = await bench(root, store)
    for kind in ("macvlan", "ipvlan", "bridge", "vlan", "sriov", "host-device", "tuning"):
        made.exec.scripts[kind] = plain
    made.exec.scripts["bandwidth"] = plain
    made.exec.scripts["two"] = plain
    return made


def told(attachment: Attachment) -> str:
    """Return all that a decision lets plugins know of an element."""
    return json.dumps(
        [
            attachment.ips,
            attachment.mac,
            dict(attachment.capabilities),
            dict(attachment.cni_args),
            attachment.default_route,
        ]
    )


@pytest.mark.parametrize("mode", ["Deny", "Warn", "Audit"])
@pytest.mark.parametrize("setting", OF_DEVICES)
async def test_pods_that_nobody_gives_a_device_are_refused_whatever_the_enforcement(
    tmp_path: Path, setting: str, mode: str
) -> None:
    """Admission requests one device for the pod; the node attaches nothing without it."""
    plane = parse_plane(corpus_plane({**ACCEPTED[setting], "enforcement": {"pods": mode}}))
    assert admission(plane, {}).resources == {OF_DEVICES[setting]: 1}
    made = await node(tmp_path, plane, {})
    with pytest.raises(PlanesError, match=r"cannot ask the kubelet at .* for devices"):
        await made.call("ADD")
    assert made.leftovers() == NOTHING


def test_every_member_is_walked() -> None:
    assert set(WISHES) == KNOWN_MEMBERS
    assert IDENTITY | set(WISHED) - {"gateway-request"} == KNOWN_MEMBERS
    assert set(TOKENS) == set(WISHED)


@pytest.mark.parametrize("key", WISHED)
def test_tenant_gets_at_admission_what_each_setting_permits_and_nothing_else(key: str) -> None:
    for setting in SETTINGS:
        strict = admission(plane_of(setting, "Deny"), {key: WISHED[key]})
        assert strict.denied is not may(key, setting), (setting, strict.message)
        if strict.denied:
            assert all(f"[0].{key}" in each.path for each in strict.errors), setting
        for mode in ("Warn", "Audit"):
            lenient = admission(plane_of(setting, mode), {key: WISHED[key]})
            assert not lenient.denied, (setting, lenient.message)
            reported = lenient.warnings if mode == "Warn" else lenient.audits
            assert may(key, setting) or any(f".{key}" in each.path for each in reported), setting
            seen = told(lenient.attachments[0])
            assert (TOKENS[key] in seen) is may(key, setting), (setting, mode, seen)


@pytest.mark.parametrize("setting", SETTINGS)
async def test_tenant_is_refused_on_the_node_with_every_wish_named(
    tmp_path: Path, setting: str
) -> None:
    plane = plane_of(setting, "Deny")
    made = await node(tmp_path, plane, WISHED)
    with pytest.raises(PlanesError) as caught:
        await made.call("ADD")
    for key in WISHED:
        assert (f"[0].{key}" in caught.value.message) is not may(key, setting), key
    assert made.leftovers() == NOTHING


@pytest.mark.parametrize("setting", SETTINGS)
async def test_tenant_of_a_lenient_plane_gets_on_the_node_what_each_setting_permits(
    tmp_path: Path, setting: str
) -> None:
    """Whatever the pod asks for at once, plugins see the permitted wishes and no others."""
    plane = plane_of(setting, "Warn")
    wishes = dict(WISHED)
    if setting in {"nadRef", "ipam NAD", "shared wire of a nadRef", DEAD}:
        wishes.pop("ips")  # its plugin, a script, gives no address that it is asked for
    made = await node(tmp_path, plane, wishes)
    await made.call("ADD")
    seen = seen_by_plugins(made, "net1")
    for key in wishes:
        if key == "default-route":
            assert bool(made.kernel.default_routes) is may(key, setting)
        else:
            assert (TOKENS[key] in seen) is may(key, setting), (key, seen)


@pytest.mark.parametrize("setting", ["plain", "allow Any", "no MAC", "another gateway"])
async def test_tenant_wish_by_wish_webhook_and_node_agree(tmp_path: Path, setting: str) -> None:
    plane = plane_of(setting, "Deny")
    for number, (key, value) in enumerate(WISHED.items()):
        place = tmp_path / str(number)
        place.mkdir()
        made = await node(place, plane, {key: value})
        if may(key, setting):
            await made.call("ADD")
            assert not admission(plane, {key: value}).denied
        else:
            with pytest.raises(PlanesError):
                await made.call("ADD")
            assert admission(plane, {key: value}).denied
            assert made.leftovers() == NOTHING


_NAMES = {name.lower() for name in IDENTITY}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1 << 70) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
_KEYS = st.sampled_from([*WISHED, "Mac", "CNI-ARGS", "portmappings"]) | st.text(max_size=12)
_VALUES = st.sampled_from(list(WISHED.values())) | _JSON


@given(
    wishes=st.dictionaries(_KEYS.filter(lambda key: key.lower() not in _NAMES), _VALUES),
    setting=st.sampled_from(sorted(SETTINGS)),
    mode=st.sampled_from(["Deny", "Warn", "Audit"]),
)
def test_tenant_gets_nothing_by_any_element_but_what_a_plane_can_permit(
    wishes: JsonObject, setting: str, mode: str
) -> None:
    for attachment in admission(plane_of(setting, mode), wishes).attachments:
        assert attachment.governed
        assert attachment.cni_args == {}
        assert set(attachment.capabilities) <= {"ips", "mac"}
        assert not attachment.ips or setting in GIVES_IPS
        assert not attachment.mac or setting not in GIVES_NO_MAC
        assert attachment.capabilities.get("ips", []) == list(attachment.ips)
        assert attachment.capabilities.get("mac", "") == attachment.mac
