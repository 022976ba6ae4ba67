"""Messages, attributes and constants of addresses and routes: rtnetlink(7), linux/rtnetlink.h."""

from __future__ import annotations

import struct
from typing import Final

IFADDRMSG: Final = struct.Struct("=BBBBI")
"""struct ifaddrmsg: family, prefix length, flags, scope, index of the link."""
RTMSG: Final = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, prefix lengths of destination and source, TOS, table, protocol, scope,
kind, flags."""
NEXT_HOP: Final = struct.Struct("=HBBi")
"""struct rtnexthop: length, flags, weight less one, index of the link."""

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26

IFA_FLAGS: Final = 8

RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC = 1, 4, 5, 6, 7
RTA_MULTIPATH, RTA_CACHEINFO, RTA_TABLE, RTA_EXPIRES, RTA_NH_ID = 9, 12, 15, 23, 30

RT_TABLE_MAIN: Final = 254
RT_TABLE_LOCAL: Final = 255
RT_SCOPE_UNIVERSE: Final = 0  # also of an address that is not link-local
RT_SCOPE_LINK: Final = 253
RT_SCOPE_HOST: Final = 254
RTPROT_KERNEL: Final = 2
RTPROT_BOOT: Final = 3
RTN_UNICAST: Final = 1
RTM_F_CLONED: Final = 0x200
"""An entry of the cache, no route."""
