"""Links on the wire: the numbers of linux/if_link.h, linux/if.h and linux/rtnetlink.h.

A link message is `struct ifinfomsg` and attributes behind it; see `cni.net.netlink`.
"""

from __future__ import annotations

import errno
import struct

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19

IFF_UP = 0x1
IFF_PROMISC = 0x100
IFF_ALLMULTI = 0x200
IFF_LOWER_UP = 0x10000

OPERSTATE_UNKNOWN, OPERSTATE_UP = 0, 6

AF_BRIDGE = 7

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_LINK = 5
IFLA_MASTER = 10
IFLA_TXQLEN = 13
IFLA_OPERSTATE = 16
IFLA_LINKINFO = 18
IFLA_AF_SPEC = 26
IFLA_IFALIAS = 20
IFLA_GROUP = 27
IFLA_NET_NS_FD = 28
IFLA_EXT_MASK = 29
IFLA_LINK_NETNSID = 37
IFLA_PROP_LIST = 52
IFLA_ALT_IFNAME = 53
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFLA_INFO_SLAVE_KIND = 4
IFLA_INFO_SLAVE_DATA = 5
IFLA_VLAN_ID = 1
IFLA_BR_VLAN_FILTERING = 7
IFLA_BRIDGE_VLAN_INFO = 2
IFLA_VLAN_PROTOCOL = 5
IFLA_IPVLAN_MODE = 1
IFLA_IPVLAN_FLAGS = 2
IFLA_VRF_TABLE = 1
IFLA_INET_CONF = 1
IPV4_DEVCONF_ARP_NOTIFY = 22
VETH_INFO_PEER = 1
IFLA_MACVLAN_MODE = 1
IFLA_MACVLAN_BC_QUEUE_LEN = 7
IFLA_BRPORT_MODE = 4
IFLA_BRPORT_ISOLATED = 33

RTEXT_FILTER_SKIP_STATS = 0x8

INFO = struct.Struct("=BxHiII")
"""`struct ifinfomsg`: family, type, index, flags, mask of the flags to change."""

GONE = frozenset({errno.ENODEV, errno.ENXIO})
"""What the kernel answers about a link that is not there."""


def link_body(*, index: int = 0, flags: int = 0, change: int = 0, family: int = 0) -> bytes:
    """Return the head of a link message."""
    return INFO.pack(family, 0, index, flags, change)


def mac_bytes(mac: str) -> bytes:
    """Return a checked MAC as bytes."""
    return bytes.fromhex(mac.replace(":", "").replace("-", "").replace(".", ""))
