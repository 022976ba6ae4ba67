"""Addresses of planes that an attachment has from elsewhere, held for it in the address book.

A NAD of others on a plane's wire may bring addresses of the plane's subnets, where policy permits
each. The book then has them as taken, so that the plane gives them to nobody else; and what comes
out of the plugins may have no other address of those subnets.
"""

from __future__ import annotations

from collections.abc import Callable

from cni.attachment import PlannedAttachment
from cni.completion import complete
from cni.plugin import Call
from planes.model.addresses import parse_address, parse_interface
from planes.model.errors import BadInput, CniCode, Denied
from planes.model.spec.plane_spec import IpamMode
from planes.model.state.catalog import Catalog
from planes.model.wire.result import Result
from planes.store.protocol import AddressBook


class Holds:
    """Takes and gives back what attachments hold.

    Args:
        addresses: the planes' address book.
        catalog: gives the current planes.
    """

    def __init__(self, addresses: AddressBook, catalog: Callable[[], Catalog]) -> None:
        self._addresses = addresses
        self._catalog = catalog

    async def take(self, call: Call, attachment: PlannedAttachment) -> None:
        """Hold what an attachment brings; what was begun is the caller's to give back.

        Raises:
            PlanesError: somebody else has it, or the book cannot be written.
        """
        for name, texts in attachment.holds.items():
            plane = self._catalog().plane(name)
            if plane is not None and plane.ipam_mode is IpamMode.PLANE:
                wanted = [parse_address(text) for text in texts]
                await complete(self._addresses.claim(plane, call.owner, wanted=wanted))

    async def give_back(self, call: Call, attachment: PlannedAttachment) -> None:
        """Give back what an attachment holds; nothing held is fine.

        Raises:
            PlanesError: the book cannot be written.
        """
        for name in attachment.holds:
            owner = call.owner
            await complete(self._addresses.release(name, owner.container_id, owner.interface))


def check_result(attachment: PlannedAttachment, result: Result) -> None:
    """Refuse addresses of a plane's subnets that an attachment was not judged to have.

    Raises:
        Denied: it got one.
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
                    f"cannot attach {attachment.ifname} to {attachment.network}: its plugin gave "
                    f"{address}, an address of plane {plane.name} that nobody judged",
                    remedy=f"use NAD {plane.ref}, or set network.shared of the plane",
                    code=CniCode.DENIED,
                )
