"""Type `sriov` without a card: its netconf, who has a function, /sys, and what is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cni.native.types.sriov_conf import read_sriov_conf
from cni.native.types.sriov_holds import VfBusy, VfHolds, VfRecord
from cni.net.pci_functions import PciFunctions, VirtualFunction
from cni.net.vf_settings import PROTO_8021AD, VfSettings
from cni.plugins.device_taken import DeviceTaken
from cni.plugins.plugin import Call
from planes.model.errors import BadInput
from planes.model.wire.netconf import NetConf

VF = "0000:3b:02.1"
HERE = "/proc/self/ns/net"
CALL = Call("c1", HERE, "net1")
OTHER = Call("c2", HERE, "net1")
FOUND = VfSettings(mac="02:00:00:00:00:01", vlan=7, vlan_qos=2, spoofchk=True, max_tx_rate=9)


def netconf(**conf: Any) -> NetConf:
    return NetConf({"cniVersion": "1.0.0", "name": "n", "type": "sriov", "deviceID": VF, **conf})


def record(netns: str = HERE, **more: Any) -> VfRecord:
    return VfRecord(
        VF, netns, frozenset({"vlan", "mac"}), FOUND, "eth2", "02:00:00:00:00:09", **more
    )


@pytest.fixture
def holds(tmp_path: Path) -> VfHolds:
    return VfHolds(tmp_path / "sriov")


@pytest.mark.parametrize(
    ("conf", "text"),
    [
        ({"deviceID": ""}, "has no deviceID"),
        ({"deviceID": "eth2"}, "it is no PCI address"),
        ({"deviceID": 5}, "deviceID"),
        ({"vlan": 4095}, "not from 0 to 4094"),
        ({"vlan": -1}, "not from 0 to 4094"),
        ({"vlan": "7"}, "vlan"),
        ({"vlanQoS": 1}, "there is no vlan"),
        ({"vlanProto": "802.1q"}, "there is no vlan"),
        ({"vlan": 7, "vlanQoS": 8}, "not from 0 to 7"),
        ({"vlan": 0, "vlanQoS": 1}, "in VLAN 0"),
        ({"vlan": 0, "vlanProto": "802.1ad"}, "in VLAN 0"),
        ({"vlan": 7, "vlanProto": "qinq"}, "cannot use vlanProto"),
        ({"spoofchk": "yes"}, "cannot use spoofchk"),
        ({"trust": "true"}, "cannot use trust"),
        ({"link_state": "up"}, "cannot use link_state"),
        ({"min_tx_rate": -1}, "no rate"),
        ({"max_tx_rate": 1 << 32}, "no rate"),
        ({"min_tx_rate": 20, "max_tx_rate": 10}, "more than max_tx_rate"),
        ({"mac": "01:00:00:00:00:01"}, "as the MAC of an interface"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(conf: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        read_sriov_conf(CALL, netconf(**conf))


def test_keys_are_read_in_any_case_and_values_as_by_the_plugin() -> None:
    conf = netconf(VLAN=7, vlanQoS=3, vlanProto="802.1AD", MAC="02-00-00-00-00-AB", trust="on")
    wanted = read_sriov_conf(CALL, conf)
    assert (wanted.vlan, wanted.vlan_qos, wanted.vlan_proto) == (7, 3, PROTO_8021AD)
    assert (wanted.mac, wanted.trust, wanted.spoofchk) == ("02:00:00:00:00:ab", True, None)


def test_the_device_that_the_pod_was_given_comes_before_the_one_of_the_nad() -> None:
    """And the MAC of the runtime before CNI_ARGS and netconf."""
    runtime = {"deviceID": "0000:3B:02.5", "mac": "02:00:00:00:00:03"}
    call = replace(CALL, cni_args=(("IgnoreUnknown", "1"), ("MAC", "02:00:00:00:00:02")))
    wanted = read_sriov_conf(call, netconf(runtimeConfig=runtime, mac="02:00:00:00:00:01"))
    assert (wanted.address, wanted.mac) == ("0000:3b:02.5", "02:00:00:00:00:03")


def test_a_function_is_held_by_one_sandbox(holds: VfHolds, tmp_path: Path) -> None:
    """For another daemon over the same files too, until it is released."""
    holds.hold(CALL, record(), {})
    with pytest.raises(DeviceTaken, match=rf"cannot use device {VF}: container.*c1.*has it"):
        VfHolds(tmp_path / "sriov").hold(OTHER, record(), {})
    assert holds.load(OTHER) is None
    holds.release(CALL, record())
    holds.hold(OTHER, record(), {})
    assert holds.load(CALL) is None


def test_a_function_of_a_sandbox_that_is_gone_is_free(holds: VfHolds) -> None:
    """What was not detached of it is found; the sandbox that has it now is not taken for it."""
    holds.hold(CALL, record("/run/netns/np-t-none"), {})
    assert [(one.container_id, one.ifname) for one in holds.stale(VF)] == [("c1", "net1")]
    holds.hold(OTHER, record(), {})
    assert holds.stale(VF) == []
    gone = holds.load(CALL)
    assert gone is not None
    assert not holds.is_holder(replace(CALL, netns=""), gone)
    holds.release(replace(CALL, netns=""), gone)
    with pytest.raises(DeviceTaken):
        holds.hold(CALL, record(), {})


def test_what_is_recorded_is_read_back(holds: VfHolds) -> None:
    holds.hold(CALL, record(mtu=1500), {"vlan": 100, "ipam": {}})
    assert holds.load(CALL) == record(mtu=1500)


def test_a_record_of_sriov_cni_is_read(holds: VfHolds, tmp_path: Path) -> None:
    """Of its keys those that are set count as changed, and VLAN and MAC, which it always writes."""
    theirs = {
        "deviceID": VF,
        "Master": "eth0",
        "MAC": "",
        "VFID": 1,
        "vlan": None,
        "trust": "on",
        "max_tx_rate": 10,
        "OrigVfState": {
            "HostIFName": "eth2",
            "SpoofChk": True,
            "AdminMAC": "02:00:00:00:00:01",
            "EffectiveMAC": "02:00:00:00:00:09",
            "Vlan": 7,
            "VlanQoS": 2,
            "MaxTxRate": 9,
        },
    }
    (tmp_path / "sriov").mkdir()
    (tmp_path / "sriov/c1-net1").write_text(json.dumps(theirs))
    changed = frozenset({"vlan", "mac", "trust", "max_tx_rate"})
    assert holds.load(CALL) == replace(record(""), changed=changed)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"deviceID": "../x", "OrigVfState": {}}'])
def test_a_record_that_cannot_be_read_counts_as_none(
    text: str, holds: VfHolds, tmp_path: Path
) -> None:
    (tmp_path / "sriov").mkdir()
    (tmp_path / "sriov/c1-net1").write_text(text)
    assert holds.load(CALL) is None


def test_nobody_waits_for_the_lock_of_a_function(holds: VfHolds) -> None:
    with holds.locked(VF), pytest.raises(VfBusy, match="another plugin is at work"):
        holds.hold(CALL, record(), {})


def test_a_function_is_found_below_a_root_directory(tmp_path: Path) -> None:
    pci = tmp_path / "sys/bus/pci/devices"
    for address in ("0000:3b:00.0", VF, "0000:3b:02.2"):
        (pci / address).mkdir(parents=True)
    (pci / "0000:3b:00.0/net/eth0").mkdir(parents=True)
    (pci / VF / "net/eth2").mkdir(parents=True)
    (pci / "0000:3b:00.0/virtfn4").symlink_to("../0000:3b:02.2")
    (pci / "0000:3b:00.0/virtfn3").symlink_to(f"../{VF}")
    (pci / VF / "physfn").symlink_to("../0000:3b:00.0")
    (tmp_path / "sys/bus/pci/drivers/vfio-pci").mkdir(parents=True)
    (pci / VF / "driver").symlink_to("../../drivers/vfio-pci")
    functions = PciFunctions(str(tmp_path))
    assert functions.virtual_function(VF) == VirtualFunction(VF, "eth0", 3, "vfio-pci", "eth2")
    assert functions.virtual_function("0000:3b:02.2") is None
    assert functions.virtual_function("0000:3b:00.0") is None
    assert functions.links("../../../../etc") == ()
    assert not functions.has("0000:3b:02.7")
