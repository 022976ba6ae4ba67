"""The netconf of type `sriov`, checked before the first step; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from cni.native.interface import MacSources, chosen_mac
from cni.net.pci_functions import is_pci_address
from cni.net.vf_settings import LINK_STATES, PROTO_8021AD, PROTO_8021Q
from cni.plugins.plugin import Call
from planes.model.decode import Fields
from planes.model.errors import BadInput
from planes.model.names import shown
from planes.model.wire.netconf import NetConf

_Value = TypeVar("_Value")

_LAST_VLAN: Final = 4094
_LAST_QOS: Final = 7
_LARGEST_RATE: Final = 0xFFFFFFFF
_PROTOCOLS: Final = {"802.1q": PROTO_8021Q, "802.1ad": PROTO_8021AD}
_SWITCH: Final = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class SriovConf:
    """What a netconf wants of a virtual function; None and "" leave a setting as it is.

    Attributes:
        address: PCI address of the function.
        vlan: 0 is untagged; a netconf without one is untagged too, as with sriov-cni.
        link_state: IFLA_VF_LINK_STATE_….
    """

    address: str
    vlan: int = 0
    vlan_qos: int = 0
    vlan_proto: int = PROTO_8021Q
    mac: str = ""
    spoofchk: bool | None = None
    trust: bool | None = None
    link_state: int | None = None
    min_tx_rate: int | None = None
    max_tx_rate: int | None = None

    @property
    def has_rates(self) -> bool:
        """Report whether a rate is given."""
        return self.min_tx_rate is not None or self.max_tx_rate is not None


def read_sriov_conf(call: Call, conf: NetConf) -> SriovConf:
    """Read a netconf.

    Raises:
        BadInput: a value cannot be used, or no device was given.
    """
    fields = conf.fields()
    vlan, qos, protocol = _vlan(fields)
    sources = MacSources.of(call, conf)
    lowest, highest = _rate(fields, "min_tx_rate"), _rate(fields, "max_tx_rate")
    if highest and (lowest or 0) > highest:
        raise BadInput(
            f"cannot use min_tx_rate {lowest}: it is more than max_tx_rate, {highest}",
            remedy="lower min_tx_rate, or leave max_tx_rate out",
        )
    return SriovConf(
        address=device_address(conf),
        vlan=vlan,
        vlan_qos=qos,
        vlan_proto=protocol,
        mac=chosen_mac(sources.runtime, sources.cni_args, sources.conf),
        spoofchk=_chosen(fields, "spoofchk", _SWITCH),
        trust=_chosen(fields, "trust", _SWITCH),
        link_state=_chosen(fields, "link_state", LINK_STATES),
        min_tx_rate=lowest,
        max_tx_rate=highest,
    )


def device_address(conf: NetConf) -> str:
    """Return the PCI address of the function that the pod was given.

    Raises:
        BadInput: there is none, or it is no PCI address.
    """
    fields = conf.fields()
    runtime = fields.child("runtimeConfig")
    allocated = runtime.string("deviceID") if runtime is not None else ""
    address = (allocated or fields.string("deviceID")).lower()
    if not address:
        raise BadInput(
            "cannot choose a virtual function: the network's configuration has no deviceID",
            remedy="name the resource of a device plugin in the NAD's annotation "
            "k8s.v1.cni.cncf.io/resourceName, or a function in deviceID",
        )
    if not is_pci_address(address):
        raise BadInput(
            f"cannot use {shown(address)} as deviceID: it is no PCI address",
            remedy="write it like 0000:3b:02.1",
        )
    return address


def _vlan(fields: Fields) -> tuple[int, int, int]:
    vlan, qos = fields.optional_integer("vlan"), fields.optional_integer("vlanQoS")
    spelled = fields.string("vlanProto")
    protocol = _PROTOCOLS.get(spelled.lower() or "802.1q")
    if vlan is None and (qos is not None or spelled):
        raise BadInput(
            "cannot use vlanQoS and vlanProto: there is no vlan",
            remedy="give vlan, or remove them",
        )
    if not 0 <= (vlan or 0) <= _LAST_VLAN:
        raise BadInput(f"cannot use vlan {vlan}: it is not from 0 to {_LAST_VLAN}")
    if not 0 <= (qos or 0) <= _LAST_QOS:
        raise BadInput(f"cannot use vlanQoS {qos}: it is not from 0 to {_LAST_QOS}")
    if protocol is None:
        raise BadInput(f"cannot use vlanProto {shown(spelled)}", remedy="give 802.1q or 802.1ad")
    if not vlan and (qos or protocol == PROTO_8021AD):
        raise BadInput(
            "cannot tag frames with vlanQoS or 802.1ad in VLAN 0", remedy="give another vlan"
        )
    return vlan or 0, qos or 0, protocol


def _rate(fields: Fields, key: str) -> int | None:
    rate = fields.optional_integer(key)
    if rate is not None and not 0 <= rate <= _LARGEST_RATE:
        raise BadInput(f"cannot use {key} {rate}: it is no rate in Mbit/s")
    return rate


def _chosen(fields: Fields, key: str, values: dict[str, _Value]) -> _Value | None:
    text = fields.string(key)
    if not text:
        return None
    if text not in values:
        raise BadInput(f"cannot use {key} {shown(text)}", remedy=f"give {', '.join(values)}")
    return values[text]
