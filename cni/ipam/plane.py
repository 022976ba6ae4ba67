"""IPAM type `plane`: addresses of a plane, from the address book that never gives one out twice.

What was decided for the attachment is taken exactly; candidates are tried in order; else the book
chooses. Neither CNI_ARGS nor anything in the configuration asks for addresses here, and an
attachment that was not decided for the plane gets none of it.
"""

from __future__ import annotations

from collections.abc import Callable

from cni.completion import complete
from cni.ipam import requested
from cni.plugin import Call
from planes.model.addresses import parse_interface
from planes.model.errors import Denied, NotFound
from planes.model.spec.plane import Plane
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Result, Route
from planes.store.protocol import AddressBook


class PlaneIpam:
    """The type, over the store's address book and its current catalog."""

    def __init__(self, addresses: AddressBook, catalog: Callable[[], Catalog]) -> None:
        self._addresses = addresses
        self._catalog = catalog

    async def add(self, call: Call, conf: NetConf) -> Result:
        """Claim one address per family, durably.

        Raises:
            NotFound: there is no such plane.
            Denied: the attachment was not decided for it.
            PlanesError: as `AddressBook.claim`.
        """
        plane = self._plane(conf)
        if call.plane != plane.name:
            raise Denied(
                f"cannot allocate addresses of plane {plane.name} on {call.ifname}: its network "
                "is not the plane's",
                remedy=f"attach NAD {plane.ref}, which policy judges, or use another IPAM",
            )
        wanted = tuple(dict.fromkeys(map(requested.bare, call.ips)))
        candidates = () if wanted else tuple(map(requested.bare, call.candidates))
        claim = self._addresses.claim(plane, call.owner, wanted=wanted, candidates=candidates)

        async def undo(_claimed: tuple[Address, ...]) -> None:
            await self.release(call, conf)

        claimed = await complete(claim, undo)
        return Result(ips=claimed, routes=_routes(plane, claimed))

    async def release(self, call: Call, conf: NetConf) -> None:
        """Give back what the attachment holds; the plane itself may be gone.

        Raises:
            PlanesError: as `AddressBook.release`.
        """
        name = requested.ipam_fields(conf).string("plane")
        await complete(self._addresses.release(name, call.owner.container_id, call.owner.interface))

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the attachment holds no address of the plane.

        Raises:
            NotFound: it holds none.
        """
        name = requested.ipam_fields(conf).string("plane")
        holders = await self._addresses.holders(name)
        identity = (call.owner.container_id, call.owner.interface)
        if not any((one.container_id, one.interface) == identity for one in holders.values()):
            raise NotFound(
                f"cannot find an address of container {call.container_id} in plane {name}"
            )

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD would be bound to fail.

        Raises:
            NotFound: there is no such plane.
        """
        self._plane(conf)

    def _plane(self, conf: NetConf) -> Plane:
        name = requested.ipam_fields(conf).string("plane")
        plane = self._catalog().plane(name)
        if plane is None:
            raise NotFound(
                f"cannot allocate addresses: there is no plane {name!r}",
                remedy="create the plane, or name another in ipam.plane",
            )
        return plane


def _routes(plane: Plane, claimed: tuple[Address, ...]) -> tuple[Route, ...]:
    """Routes of the subnets in use, then the plane's, then the default where it is to be."""
    families = {one.family for one in claimed}
    networks = {parse_interface(one.address).network for one in claimed}
    declared = [
        route for subnet in plane.subnets if subnet.cidr in networks for route in subnet.routes
    ]
    declared += [route for route in plane.routes if route.destination.version in families]
    routes = [Route(str(one.destination), str(one.gateway or "")) for one in declared]
    if plane.default_route:
        routes += [
            Route("0.0.0.0/0" if one.family == 4 else "::/0", one.gateway)
            for one in claimed
            if one.gateway
        ]
    return tuple(dict.fromkeys(routes))
