"""IPAMClaims of the Network Plumbing Working Group: addresses that outlive the pod that uses them.

A pod's network element names a claim of the pod's namespace (`ipam-claim-reference`). The claim
keeps its addresses until it is deleted. Static blocks say which these are: their `claims` map an
address to the claim, with its UID. The claim's status repeats it for readers.

Invariant: nothing that a tenant can write decides which address a claim has. An address in a
claim's status counts only where a block keeps it for the claim's UID.

Source: k8snetworkplumbingwg/ipamclaims, `k8s.cni.cncf.io/v1alpha1`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from planes.model.addresses import AddressRange, IPAddress, parse_interface
from planes.model.errors import BadInput, Conflict, Denied
from planes.model.names import is_dns_label, is_dns_subdomain, shown
from planes.model.spans import subtract
from planes.model.spec.plane_spec import Plane

MAX_KEPT_OF_NAMESPACE: Final = 1024
"""Addresses that one plane keeps for the claims of one namespace, where no quota is lower."""
CANDIDATES: Final = 32
"""Free addresses of one family that are tried for a new claim in one attempt."""
_MOST_IPS: Final = 2
_MOST_CHARACTERS: Final = 254
"""Kept of a text: names have fewer, so one that was cut equals none."""
_UID: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.:]{0,127}")


class ClaimKey(NamedTuple):
    """One claim, for ever: another one of its name has another UID."""

    namespace: str
    name: str
    uid: str

    @property
    def text(self) -> str:
        """As a static block has it."""
        return f"{self.namespace}/{self.name}/{self.uid}"


@dataclass(frozen=True, slots=True)
class IpamClaim:
    """A claim as it was read.

    Attributes:
        network: the network that it is for.
        interface: the interface that it is for.
        asks: it asks for addresses (`spec.ipRequests`).
        ips: what its status says; nobody else's word for it.
        owner_pod: the pod that had them last, as its status says.
        is_ending: it was deleted, and only a finalizer keeps it.
        has_owner: it is deleted with another object (`metadata.ownerReferences`).
    """

    key: ClaimKey
    network: str
    interface: str
    asks: bool = False
    ips: tuple[IPAddress, ...] = ()
    owner_pod: str = ""
    is_ending: bool = False
    has_owner: bool = False


def read_claim_key(text: str) -> ClaimKey | None:
    """Read what a static block says of a claim; None where it names none."""
    parts = text.split("/")
    if len(parts) != 3:
        return None
    key = ClaimKey(*parts)
    is_valid = is_dns_label(key.namespace) and is_dns_subdomain(key.name)
    return key if is_valid and _UID.fullmatch(key.uid) else None


def read_ipam_claim(obj: Mapping[str, Any]) -> IpamClaim:
    """Read a claim of the API server.

    Raises:
        BadInput: it is none, or its status has something else than addresses.
    """
    meta, spec, status = (_mapping(obj.get(key)) for key in ("metadata", "spec", "status"))
    key = ClaimKey(*(str(meta.get(field) or "") for field in ("namespace", "name", "uid")))
    if read_claim_key(key.text) != key:
        raise BadInput(f"cannot read IPAMClaim {shown(key.namespace)}/{shown(key.name)}")
    ips = _status_ips(status)
    if ips is None:
        raise BadInput(
            f"cannot use IPAMClaim {key.namespace}/{key.name}: its status.ips is not one address "
            "of each family",
            remedy="delete the claim and make it anew",
        )
    return IpamClaim(
        key,
        str(spec.get("network") or "")[:_MOST_CHARACTERS],
        str(spec.get("interface") or "")[:_MOST_CHARACTERS],
        bool(spec.get("ipRequests")),
        ips,
        str(status.get("ownerPod") or "")[:_MOST_CHARACTERS],
        bool(meta.get("deletionTimestamp")),
        bool(meta.get("ownerReferences")),
    )


def _status_ips(status: Mapping[str, Any]) -> tuple[IPAddress, ...] | None:
    """Return the addresses of a status; None where it has something else."""
    ips = status.get("ips") or []
    if not isinstance(ips, list) or len(ips) > _MOST_IPS:
        return None
    try:
        found = tuple(parse_interface(str(text)).ip for text in ips)
    except BadInput:
        return None
    return found if len({address.version for address in found}) == len(found) else None


def check_ipam_claim(
    claim: IpamClaim, plane: Plane, networks: Collection[str], interface: str
) -> None:
    """Check that an attachment may use a claim of its pod's namespace.

    Args:
        claim: the claim.
        plane: of the attachment.
        networks: names of the attachment's network.
        interface: of the attachment.

    Raises:
        Denied: the claim is for another network or interface, or asks for what no plane gives.
    """
    what = f"cannot use IPAMClaim {claim.key.namespace}/{claim.key.name} in plane {plane.name}"
    if not plane.is_persistent:
        raise Denied(
            f"{what}: the plane's addresses end with their pod",
            remedy="remove ipam-claim-reference, or give the plane ipam.lifecycle: Persistent",
        )
    if claim.network not in networks:
        raise Denied(
            f"{what}: it is for network {shown(claim.network)}",
            remedy=f"name a claim with spec.network: {plane.name}",
        )
    if claim.interface != interface:
        raise Denied(
            f"{what} for interface {interface}: it is for {shown(claim.interface)}",
            remedy="name the claim of this interface, or give the element that interface",
        )
    if claim.asks:
        raise Denied(
            f"{what}: its spec.ipRequests asks for addresses",
            remedy="leave ipRequests out: the plane chooses from its staticRanges",
        )
    if claim.is_ending:
        raise Denied(f"{what}: it is being deleted", remedy="make another one")


def kept_addresses(claim: IpamClaim, kept: Mapping[IPAddress, ClaimKey]) -> tuple[IPAddress, ...]:
    """Return the addresses that a claim has; none where it is new.

    Args:
        claim: the claim.
        kept: what blocks keep, for any claim.

    Raises:
        Conflict: its status has an address that no block keeps for it.
    """
    own = [address for address, key in kept.items() if key == claim.key]
    for address in claim.ips:
        if address not in own:
            raise Conflict(
                f"cannot use IPAMClaim {claim.key.namespace}/{claim.key.name}: its status has "
                f"{address}, which is not kept for it",
                remedy="delete the claim and make it anew; it gets a free address then",
            )
    if claim.ips:
        return claim.ips
    # An attempt was interrupted before it wrote the status, maybe two.
    first: dict[int, IPAddress] = {}
    for address in sorted(own, key=int):
        first.setdefault(address.version, address)
    return tuple(first[version] for version in sorted(first))


def free_for_claims(plane: Plane, taken: Collection[IPAddress]) -> tuple[IPAddress, ...]:
    """Return some addresses of each family for a new claim, of static ranges and unreserved."""
    found: list[IPAddress] = []
    for version in sorted(plane.families):
        spans = claimable(plane, version)
        free = (a for span in spans for a in span if a not in taken)
        found += islice(free, CANDIDATES)
    return tuple(found)


def claimable(plane: Plane, version: int) -> tuple[AddressRange, ...]:
    """Return the addresses of a family that claims may have."""
    return tuple(_claimable(plane, version))


def _claimable(plane: Plane, version: int) -> Iterator[AddressRange]:
    for subnet in plane.subnets:
        if subnet.version == version:
            single: Iterable[IPAddress] = (*subnet.unusable, *subnet.reserved)
            holes = (AddressRange(address, address) for address in single)
            yield from subtract(subnet.static_ranges, (*holes, *subnet.exclude))


def is_over(address: IPAddress, key: ClaimKey | None, claim: IpamClaim | None) -> bool:
    """Report whether an address need not be kept for a claim any more.

    A claim's addresses are written into its status once, from none. So one that has others does not
    have this one: of two nodes that chose for it at the same moment, one was later.

    Args:
        address: the address.
        key: for which claim it is kept; None where that cannot be read.
        claim: the claim of that name as it is now, None where there is none.
    """
    if key is None or claim is None or claim.key != key:
        return True
    return bool(claim.ips) and address not in claim.ips


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
