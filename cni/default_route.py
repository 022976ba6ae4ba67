"""Which attachment has the default route, and what that means for everybody's result.

Invariant: results, and with them network-status and CHECK, say what the kernel was told: where an
attachment takes the default route of a family, no other one's result has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address

from cni.attachment import PlannedAttachment
from planes.model.wire.result import Result, Route

_ANY = {4: "0.0.0.0/0", 6: "::/0"}


def takers(attachments: Iterable[PlannedAttachment]) -> dict[str, tuple[str, ...]]:
    """Give gateways by interface for those who take a default route; mostly empty."""
    return {one.ifname: one.default_route for one in attachments if one.default_route}


def settled(
    results: Mapping[str, Result], taken: Mapping[str, tuple[str, ...]]
) -> dict[str, Result]:
    """Give all results as they are after the default routes were set.

    Args:
        results: by interface.
        taken: see `takers`.
    """
    families = {ip_address(gw).version for gateways in taken.values() for gw in gateways}
    found: dict[str, Result] = {}
    for ifname, result in results.items():
        kept = tuple(
            route
            for route in result.routes
            if not (route.is_default and not route.table and route.family in families)
        )
        own = tuple(Route(_ANY[ip_address(gw).version], gw) for gw in taken.get(ifname, ()))
        found[ifname] = replace(result, routes=(*kept, *own))
    return found
