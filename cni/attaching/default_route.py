"""Default routes of a selection (`default-route`): which attachment gets it, in every result.

Invariant: the results, and with them network-status and CHECK, match the routes in the kernel:
where one attachment gets the default route of an address family, no other result has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address

from cni.plugins.attachment import PlannedAttachment
from planes.model.wire.result import Result, Route

_ANY = {4: "0.0.0.0/0", 6: "::/0"}


def gateways_of(attachments: Iterable[PlannedAttachment]) -> dict[str, tuple[str, ...]]:
    """Return the gateways by interface, for attachments with a default route; mostly empty."""
    return {one.ifname: one.default_route for one in attachments if one.default_route}


def with_default_routes(
    results: Mapping[str, Result], gateways: Mapping[str, tuple[str, ...]]
) -> dict[str, Result]:
    """Return all results as they are once the default routes are set.

    Args:
        results: by interface.
        gateways: by interface, see `gateways_of`.
    """
    families = {ip_address(gw).version for each in gateways.values() for gw in each}
    found: dict[str, Result] = {}
    for ifname, result in results.items():
        kept = tuple(
            route
            for route in result.routes
            if not (route.is_default and not route.table and route.family in families)
        )
        own = tuple(Route(_ANY[ip_address(gw).version], gw) for gw in gateways.get(ifname, ()))
        found[ifname] = replace(result, routes=(*kept, *own))
    return found
