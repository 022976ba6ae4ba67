"""Scenarios of host-device: a card of the node moves into the pod and comes back."""

from __future__ import annotations

from tests.interop.inventory.trial import V4, V6, Trial, host_local, static

_CARD = (
    "host ip link add card address c2:11:22:00:00:07 type veth peer name plug netns FAR",
    "far ip link set plug up",
)
_BY_NAME = {"type": "host-device", "device": "card"}
_WITH_ADDRESSES = (
    *_CARD,
    "host ip link set card up",
    "host ip addr add 192.0.2.7/24 dev card",
    "host ip route add 198.51.100.0/24 via 192.0.2.1 dev card",
)
_AS_FOUND = "a device comes back to the node with its addresses, routes and state"

HOST_DEVICE = (
    Trial("no-ipam", (_BY_NAME,), prepare=_CARD, oldest="0.3.0", is_repeatable=False),
    Trial(
        "by-mac",
        ({"type": "host-device", "hwaddr": "c2:11:22:00:00:07"},),
        prepare=_CARD,
        oldest="0.3.0",
        is_repeatable=False,
    ),
    Trial("v4", ({**_BY_NAME, "ipam": host_local(V4)},), prepare=_CARD, is_repeatable=False),
    Trial(
        "dual-static",
        ({**_BY_NAME, "ipam": static("10.9.0.7/24 10.9.0.1", "fd00:9::7/64")},),
        prepare=_CARD,
        is_repeatable=False,
    ),
    Trial(
        "with-addresses",
        (_BY_NAME,),
        prepare=_WITH_ADDRESSES,
        oldest="0.3.0",
        is_repeatable=False,
        detached_otherwise=_AS_FOUND,
    ),
    Trial(
        "host-network",
        ({**_BY_NAME, "useInterfaceNetwork": True},),
        prepare=_WITH_ADDRESSES,
        oldest="0.3.0",
        is_repeatable=False,
        since="1.10.0",
        detached_otherwise=_AS_FOUND,
    ),
    Trial(
        "lost", ({"type": "host-device", "device": "eth7"},), refused="eth7|device|Link not found"
    ),
    Trial("nothing-named", ({"type": "host-device"},), refused="device"),
    Trial("v6", ({**_BY_NAME, "ipam": host_local(V6)},), prepare=_CARD, is_repeatable=False),
)
