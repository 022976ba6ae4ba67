"""Static addresses: the annotation `netplane.io/static-ips`, and which of them a pod takes.

Entries keep their order; per family, the pod with ordinal n takes the n-th address (from 0). A pod
without ordinal takes the only address, or gets the free ones as candidates: then the node takes
the first that nobody holds, because only there is the choice safe between pods that start at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from planes.model.address_policy import refusal
from planes.model.addresses import AddressRange, IPAddress, parse_range
from planes.model.claims import ClaimIndex
from planes.model.decode import kind_of, loads
from planes.model.errors import BadInput, Finding
from planes.model.names import STATIC_IPS_ANNOTATION
from planes.model.objects import Pod
from planes.model.plane_spec import Plane
from planes.model.spec_reader import parsed

STATIC_IPS_PATH = f"metadata.annotations[{STATIC_IPS_ANNOTATION}]"
MAX_CANDIDATES = 256
_MAX_ENTRIES = 4096
_MAX_LOOKED_AT = 8192


@dataclass(frozen=True, slots=True)
class AddressList:
    """The addresses written for one plane, in order."""

    spans: tuple[AddressRange, ...]

    @property
    def versions(self) -> tuple[int, ...]:
        """The IP versions that occur, 4 before 6."""
        return tuple(sorted({span.version for span in self.spans}))

    def size(self, version: int) -> int:
        """How many addresses of an IP version."""
        return sum(span.size for span in self.spans if span.version == version)

    def nth(self, version: int, index: int) -> IPAddress | None:
        """Give the address at an index among those of an IP version, None beyond the end."""
        for span in self.spans:
            if span.version != version:
                continue
            if index < span.size:
                return span.nth(index)
            index -= span.size
        return None

    def each(self, version: int) -> Iterator[IPAddress]:
        """Yield the addresses of an IP version in order, lazily."""
        for span in self.spans:
            if span.version == version:
                yield from iter(span)

    def __contains__(self, address: object) -> bool:
        return any(address in span for span in self.spans)

    def __str__(self) -> str:
        return ", ".join(map(str, self.spans))


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a list means for one pod: exact addresses, or candidates; and why not."""

    ips: tuple[IPAddress, ...] = ()
    candidates: tuple[IPAddress, ...] = ()
    errors: tuple[Finding, ...] = ()


def read_static_ips(text: str) -> tuple[Mapping[str, AddressList], tuple[Finding, ...]]:
    """Read the annotation: lists by plane name, and what is wrong."""
    if not text.strip():
        return {}, ()
    try:
        value = loads(text, "the static addresses")
    except BadInput as error:
        remedy = error.remedy or 'write {"business": ["192.168.100.10"]}'
        return {}, (Finding(STATIC_IPS_PATH, error.message, remedy),)
    if not isinstance(value, dict):
        message = f"cannot read the static addresses: they must be an object, not {kind_of(value)}"
        remedy = 'write {"business": ["192.168.100.10"]}'
        return {}, (Finding(STATIC_IPS_PATH, message, remedy),)
    errors: list[Finding] = []
    found = {
        plane: AddressList(tuple(_spans(entries, f"{STATIC_IPS_PATH}.{plane[:63]}", errors)))
        for plane, entries in value.items()
    }
    return found, tuple(errors)


def _spans(entries: Any, path: str, errors: list[Finding]) -> Iterator[AddressRange]:
    if isinstance(entries, str):
        entries = [entries]
    if not isinstance(entries, list) or not entries or len(entries) > _MAX_ENTRIES:
        remedy = f'write 1 to {_MAX_ENTRIES} addresses, ranges or CIDRs, ["192.168.100.10"]'
        errors.append(Finding(path, "cannot read the addresses of the plane", remedy))
        return
    for index, entry in enumerate(entries):
        span = parsed(entry, f"{path}[{index}]", parse_range, errors)
        if span is not None:
            yield span


def assign(pod: Pod, plane: Plane, addresses: AddressList, claims: ClaimIndex) -> Assignment:
    """Say which addresses of a list a pod takes."""
    ordinal = pod.ordinal if plane.per_ordinal else None
    path = f"{STATIC_IPS_PATH}.{plane.name}"
    ips: list[IPAddress] = []
    candidates: list[IPAddress] = []
    errors: list[Finding] = []
    # one kind of answer for all families: exact addresses, or candidates
    is_choice = ordinal is None and any(addresses.size(v) > 1 for v in addresses.versions)
    for version in addresses.versions:
        if is_choice:
            free = _free(pod, plane, addresses, version, claims)
            if not free:
                errors.append(_none_free(pod, addresses, version, path))
            candidates += free
            continue
        address = addresses.nth(version, ordinal or 0)
        if address is None:
            errors.append(_too_short(pod, ordinal or 0, addresses.size(version), version, path))
        else:
            ips.append(address)
    return Assignment(tuple(ips), tuple(candidates), tuple(errors))


def _free(
    pod: Pod, plane: Plane, addresses: AddressList, version: int, claims: ClaimIndex
) -> list[IPAddress]:
    found: list[IPAddress] = []
    for looked_at, address in enumerate(addresses.each(version)):
        if looked_at == _MAX_LOOKED_AT or len(found) == MAX_CANDIDATES:
            break
        if refusal(plane, pod, address) is None and not claims.rival(plane.ref, address, pod.key):
            found.append(address)
    return found


def _none_free(pod: Pod, addresses: AddressList, version: int, path: str) -> Finding:
    return Finding(
        path,
        f"cannot give {pod.display} an address: no IPv{version} address of {addresses} is free",
        "add addresses to the list, or remove pods that hold them",
        409,
    )


def _too_short(pod: Pod, ordinal: int, size: int, version: int, path: str) -> Finding:
    return Finding(
        path,
        f"cannot give {pod.display} (ordinal {ordinal}) an address: "
        f"the list has {size} IPv{version} address{'es' if size != 1 else ''}",
        f"list at least {ordinal + 1}, one for each replica",
    )
