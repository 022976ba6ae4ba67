"""Settings of virtual functions, read and written through their physical function's link.

Layouts: `struct ifla_vf_…` of linux/if_link.h. A driver may refuse any of them: igb knows neither
link state nor a least rate.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from typing import Final

from cni.net.channel import Channel
from cni.net.errors import kernel_error
from cni.net.if_link import (
    IFLA_EXT_MASK,
    IFLA_IFNAME,
    INFO,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_NEWLINK,
    link_body,
    mac_bytes,
)
from cni.net.netlink import (
    NetlinkRequest,
    attribute,
    attributes,
    each_attribute,
    nested,
    text,
    u32,
)
from planes.model.errors import BadInput, NotFound, PlanesError

_RTEXT_FILTER_VF: Final = 1
_VFINFO_LIST: Final = 22
_VF_INFO: Final = 1
_MAC, _VLAN, _SPOOFCHK, _LINK_STATE, _RATE, _TRUST, _VLAN_LIST = 1, 2, 4, 5, 6, 9, 12
_VLAN_INFO: Final = 1
_MAC_FIELD: Final = struct.Struct("=I32s")
_PAIR: Final = struct.Struct("=II")
_TRIPLE: Final = struct.Struct("=III")
_VLAN_HEAD: Final = struct.Struct("=III")
_PROTOCOL: Final = struct.Struct("!HH")
ETHERNET_BYTES: Final = 6
PROTO_8021Q, PROTO_8021AD = 0x8100, 0x88A8
NO_MAC: Final = "00:00:00:00:00:00"
LINK_STATES: Final = {"auto": 0, "enable": 1, "disable": 2}


@dataclass(frozen=True, slots=True)
class VfSettings:
    """Settings of one virtual function.

    Attributes:
        mac: administrative MAC, all zeros where the function chooses its own.
        vlan_proto: Ethernet type of the VLAN tag.
        min_tx_rate: in Mbit/s, 0 for none; `max_tx_rate` likewise.
        link_state: IFLA_VF_LINK_STATE_….
    """

    mac: str = NO_MAC
    vlan: int = 0
    vlan_qos: int = 0
    vlan_proto: int = PROTO_8021Q
    min_tx_rate: int = 0
    max_tx_rate: int = 0
    spoofchk: bool = False
    trust: bool = False
    link_state: int = 0


def read_settings(host: Channel, physical: str, number: int) -> VfSettings:
    """Read the settings of a virtual function.

    Raises:
        NotFound: the physical function is gone, or has no such virtual function.
    """
    mask = u32(IFLA_EXT_MASK, _RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS)
    body = link_body() + text(IFLA_IFNAME, physical) + mask
    asked = NetlinkRequest(RTM_GETLINK, 0, body, f"find physical function {physical}")
    for message in host.batch([asked])[0]:
        found = attributes(message.payload[INFO.size :], {_VFINFO_LIST})
        for kind, info in each_attribute(found[_VFINFO_LIST]) if found else ():
            members = attributes(info) if kind == _VF_INFO else {}
            if _MAC in members and _MAC_FIELD.unpack_from(members[_MAC])[0] == number:
                return _read(members)
    raise NotFound(
        f"cannot find virtual function {number} of {physical}: it has none of that number",
        remedy="look at `ip link show` of the physical function on the node",
    )


def _read(members: dict[int, memoryview]) -> VfSettings:
    vlan = qos = lowest = highest = 0
    protocol = PROTO_8021Q
    if _VLAN in members:
        _vf, vlan, qos = _TRIPLE.unpack_from(members[_VLAN])
    for kind, one in each_attribute(members[_VLAN_LIST]) if _VLAN_LIST in members else ():
        if kind == _VLAN_INFO:
            protocol = _PROTOCOL.unpack_from(one, _VLAN_HEAD.size)[0] or PROTO_8021Q
    if _RATE in members:
        _vf, lowest, highest = _TRIPLE.unpack_from(members[_RATE])

    def second(key: int) -> int:
        value = _PAIR.unpack_from(members[key])[1] if key in members else 0
        return 0 if value == 0xFFFFFFFF else int(value)  # -1: the driver does not know it

    return VfSettings(
        mac=_MAC_FIELD.unpack_from(members[_MAC])[1][:ETHERNET_BYTES].hex(":"),
        vlan=vlan,
        vlan_qos=qos,
        vlan_proto=protocol,
        min_tx_rate=lowest,
        max_tx_rate=highest,
        spoofchk=bool(second(_SPOOFCHK)),
        trust=bool(second(_TRUST)),
        link_state=second(_LINK_STATE),
    )


@dataclass(frozen=True, slots=True)
class VfWriter:
    """Writes settings of one virtual function; every method raises `PlanesError` where refused.

    Attributes:
        host: the socket in the host's namespace.
        physical: link of the physical function.
        index: of that link.
        number: of the virtual function.
    """

    host: Channel
    physical: str
    index: int
    number: int

    def set_vlan(self, vlan: int, qos: int, protocol: int) -> None:
        """Set VLAN, priority and tag; VLAN 0 is untagged. 802.1Q in the form all kernels know."""
        if protocol == PROTO_8021Q:
            part = attribute(_VLAN, _TRIPLE.pack(self.number, vlan, qos))
        else:
            info = _VLAN_HEAD.pack(self.number, vlan, qos) + _PROTOCOL.pack(protocol, 0)
            part = nested(_VLAN_LIST, attribute(_VLAN_INFO, info))
        self._write(part, f"VLAN {vlan}", "vlan, vlanQoS and vlanProto")

    def set_mac(self, mac: str) -> None:
        """Set the administrative MAC; all zeros leave it to the function."""
        part = attribute(_MAC, _MAC_FIELD.pack(self.number, mac_bytes(mac)))
        self._write(part, f"MAC {mac}", "mac")

    def set_rates(self, lowest: int, highest: int) -> None:
        """Set the rates to send at, in Mbit/s; 0 for none."""
        part = attribute(_RATE, _TRIPLE.pack(self.number, lowest, highest))
        self._write(part, f"rates {lowest} to {highest} Mbit/s", "min_tx_rate and max_tx_rate")

    def set_spoofchk(self, is_on: bool) -> None:
        """Have the device drop frames from other MACs than the function's."""
        part = attribute(_SPOOFCHK, _PAIR.pack(self.number, is_on))
        self._write(part, "spoofchk", "spoofchk")

    def set_trust(self, is_on: bool) -> None:
        """Permit the function what only a trusted one may do."""
        self._write(attribute(_TRUST, _PAIR.pack(self.number, is_on)), "trust", "trust")

    def set_link_state(self, state: int) -> None:
        """Set the link state that the function sees."""
        part = attribute(_LINK_STATE, _PAIR.pack(self.number, state))
        self._write(part, "the link state", "link_state")

    def _write(self, part: bytes, what: str, keys: str) -> None:
        body = link_body(index=self.index) + nested(_VFINFO_LIST, nested(_VF_INFO, part))
        action = f"set {what} of virtual function {self.number} of {self.physical}"

        def refused(number: int) -> PlanesError | None:
            if number not in {errno.EOPNOTSUPP, errno.EINVAL, errno.ERANGE}:
                return None
            cause = kernel_error(number, action).message
            return BadInput(
                f"{cause}: the driver of {self.physical} does not take it",
                remedy=f"leave {keys} out of the network's configuration, or correct it",
            )

        self.host.batch([NetlinkRequest(RTM_NEWLINK, 0, body, action, explain=refused)])
