"""IPAM type `plane`: addresses of a plane, from its address book.

Addresses that were decided for the attachment are claimed exactly; candidates are tried in order;
else the book chooses. CNI_ARGS and the netconf cannot ask for addresses here. An attachment for
which no address of the plane was decided gets none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from cni.ipam import requested
from cni.ipam.conflicts import (
    AddressConflict,
    Conflicts,
    all_in_use,
    anew,
    ignore_conflicts,
    static_in_use,
)
from cni.plugins.plugin import Call, Probing
from planes.model.addresses import IPAddress, parse_interface
from planes.model.errors import Denied, NotFound
from planes.model.objects import Namespace
from planes.model.spec.conflict_probe import PROBED_ADDRESSES, PROBED_CANDIDATES
from planes.model.spec.ipam_claim import MAX_KEPT_OF_NAMESPACE
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Address, Result, Route
from planes.run.shielded import shielded
from planes.store.protocol import AddressBook, ClaimReference


class PlaneIpam:
    """IPAM type `plane`, over the store's address book and current catalog."""

    def __init__(
        self,
        addresses: AddressBook,
        catalog: Callable[[], Catalog],
        conflicts: Conflicts = ignore_conflicts,
    ) -> None:
        self._addresses = addresses
        self._catalog = catalog
        self._conflicts = conflicts

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
        if call.claim and (wanted or candidates):
            raise Denied(
                f"cannot use IPAMClaim {call.owner.namespace}/{call.claim}: other addresses of "
                f"plane {plane.name} were decided for the pod, by a list or a reservation",
                remedy="remove ipam-claim-reference, or take the pod out of the list",
            )
        return await self._claim(plane, call, conf, wanted, candidates)

    async def replace(
        self,
        call: Call,
        conf: NetConf,
        found: Mapping[IPAddress, str],
        answered: Mapping[IPAddress, str],
        *,
        is_final: bool = False,
    ) -> Result:
        """Claim other addresses in place of some that answered to probes, which are quarantined.

        Args:
            call: of the attachment.
            conf: its netconf.
            found: the addresses that it has now and that are in use, with MACs.
            answered: all that were found in use for it, these included.
            is_final: the interface cannot get others any more.

        Raises:
            Conflict: the pod asks for them, or so many were in use that no more are tried.
            PlanesError: as `AddressBook.claim`.
        """
        plane = self._plane(conf)
        is_asked_for = bool(call.ips or call.claim)
        self._conflicts(AddressConflict(plane.name, call.owner, found, is_asked_for))
        if is_asked_for:
            raise static_in_use(plane.name, found)
        await shielded(self._addresses.quarantine(plane, call.owner, found))
        if is_final or plane.macs is not None:  # another address would need another MAC
            raise anew(plane.name, found)
        tried = Counter(address.version for address in answered)
        candidates = [a for a in map(requested.bare, call.candidates) if a not in answered]
        families = {address.version for address in candidates}
        has_none = bool(call.candidates) and not families.issuperset(a.version for a in found)
        most = PROBED_CANDIDATES if call.candidates else PROBED_ADDRESSES
        if has_none or max(tried.values()) >= most:
            raise all_in_use(plane.name, answered)
        result = await self._claim(plane, call, conf, (), tuple(candidates))
        if not answered.keys().isdisjoint(parse_interface(one.address).ip for one in result.ips):
            raise all_in_use(plane.name, answered)  # there are no others
        return result

    def completed(self, call: Call, conf: NetConf, claimed: Result) -> Call:
        """Return a call with what was claimed for it, and what the plane says of that.

        A MAC that the pod asks for has precedence over the one that the plane makes.
        """
        call = replace(call, claimed=claimed)
        plane = self._catalog().plane(self.plane_name(conf))
        if plane is None:
            return call
        if plane.probe is not None:
            call = replace(call, probing=Probing(plane.name, plane.probe))
        if plane.macs is None or call.arg("MAC"):
            return call
        mac = plane.macs.of(parse_interface(one.address).ip for one in claimed.ips)
        return replace(call, cni_args=(*call.cni_args, ("MAC", mac)))

    async def _claim(
        self,
        plane: Plane,
        call: Call,
        conf: NetConf,
        wanted: tuple[IPAddress, ...],
        candidates: tuple[IPAddress, ...],
    ) -> Result:
        claim = self._addresses.claim(
            plane,
            call.owner,
            wanted=wanted,
            candidates=candidates,
            reference=self._reference(plane, call, conf),
        )

        async def undo(_claimed: tuple[Address, ...]) -> None:
            await self.release(call, conf)

        claimed = await shielded(claim, undo)
        return Result(ips=claimed, routes=_routes(plane, claimed))

    def _reference(self, plane: Plane, call: Call, conf: NetConf) -> ClaimReference | None:
        if not call.claim:
            return None
        name = call.owner.namespace
        quota = plane.quota_for(self._catalog().namespace_of(name) or Namespace(name))
        given = [most for most in (quota.static, quota.addresses) if most is not None]
        most = min(given, default=MAX_KEPT_OF_NAMESPACE)
        return ClaimReference(call.claim, tuple({plane.name, conf.name}), most)

    async def release(self, call: Call, conf: NetConf) -> None:
        """Release the addresses of the attachment; the plane itself may be gone.

        Raises:
            PlanesError: as `AddressBook.release`.
        """
        name = self.plane_name(conf)
        await shielded(self._addresses.release(name, call.owner.container_id, call.owner.interface))

    async def check(self, call: Call, conf: NetConf) -> None:
        """Raise where the attachment holds no address of the plane.

        Raises:
            NotFound: it holds none.
        """
        name = self.plane_name(conf)
        holders = await self._addresses.holders(name)
        identity = (call.owner.container_id, call.owner.interface)
        if not any((one.container_id, one.interface) == identity for one in holders.values()):
            raise NotFound(
                f"cannot find an address of container {call.container_id} in plane {name}"
            )

    async def status(self, call: Call, conf: NetConf) -> None:
        """Raise where an ADD cannot succeed (CNI STATUS).

        Raises:
            NotFound: there is no such plane.
        """
        self._plane(conf)

    @staticmethod
    def plane_name(conf: NetConf) -> str:
        """Return the plane that a netconf names in `ipam.plane`.

        Raises:
            BadInput: it is no string.
        """
        return requested.ipam_fields(conf).string("plane")

    def _plane(self, conf: NetConf) -> Plane:
        name = self.plane_name(conf)
        plane = self._catalog().plane(name)
        if plane is None:
            raise NotFound(
                f"cannot allocate addresses: there is no plane {name!r}",
                remedy="create the plane, or name another in ipam.plane",
            )
        return plane


def _routes(plane: Plane, claimed: tuple[Address, ...]) -> tuple[Route, ...]:
    """Return the routes of the subnets in use, those of the plane, and the default where wanted."""
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
