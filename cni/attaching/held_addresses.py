"""Addresses in a plane's subnets that an attachment outside the plane has.

A NAD on the same wire as a plane may bring addresses of the plane's subnets, if policy permits each
of them. They are claimed in the plane's address book, so that the plane allocates them to no other
pod. Invariant: the result of such an attachment has no other address of these subnets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cni.plugins.attachment import PlannedAttachment
from cni.plugins.plugin import Call, Probing
from planes.model.addresses import IPAddress, parse_address, parse_interface
from planes.model.errors import BadInput, CniCode, Denied
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.catalog import Catalog
from planes.model.wire.result import Result
from planes.run.shielded import shielded
from planes.store.protocol import AddressBook


class HeldAddresses:
    """Claims and releases the addresses that attachments bring.

    Args:
        addresses: the planes' address book.
        catalog: returns the current catalog.
    """

    def __init__(self, addresses: AddressBook, catalog: Callable[[], Catalog]) -> None:
        self._addresses = addresses
        self._catalog = catalog

    async def claim(self, call: Call, attachment: PlannedAttachment) -> Call:
        """Claim the addresses that an attachment brings; the caller releases them on failure.

        The call that is returned says which of them are probed before they are used.

        Raises:
            PlanesError: another attachment has one, or the book cannot be written.
        """
        for name, texts in attachment.holds.items():
            plane = self._catalog().plane(name)
            if plane is not None and plane.ipam_mode is IpamMode.PLANE:
                wanted = [parse_address(text) for text in texts]
                await shielded(self._addresses.claim(plane, call.owner, wanted=wanted))
                call = _probing(call, plane, wanted)
        return call

    async def release(self, call: Call, attachment: PlannedAttachment) -> None:
        """Release the addresses that an attachment brings; none claimed is no error.

        Raises:
            PlanesError: the book cannot be written.
        """
        for name in attachment.holds:
            owner = call.owner
            await shielded(self._addresses.release(name, owner.container_id, owner.interface))


def _probing(call: Call, plane: Plane, addresses: Sequence[IPAddress]) -> Call:
    if plane.probe is None:
        return call
    before = call.probing
    others = frozenset[IPAddress]() if before is None else before.only or frozenset()
    probing = Probing(plane.name, plane.probe, others.union(addresses))
    return replace(call, probing=probing)


def check_result(attachment: PlannedAttachment, result: Result) -> None:
    """Refuse a result with addresses of a plane's subnets that policy did not permit.

    Raises:
        Denied: it has one.
    """
    if not attachment.guards:
        return
    for ip in result.ips:
        try:
            address = parse_interface(ip.address).ip
        except BadInput:
            continue
        for plane in attachment.guards:
            if plane.subnet_of(address) is None:
                continue
            if str(address) not in attachment.holds.get(plane.name, ()):
                raise Denied(
                    f"cannot keep to the decision: its plugin gave {address}, an address of plane "
                    f"{plane.name} that nobody judged",
                    remedy=f"use NAD {plane.ref}, or set network.shared of the plane",
                    code=CniCode.DENIED,
                )
