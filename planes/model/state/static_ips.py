"""Static addresses: the annotation `netplane.io/static-ips`, and which of them a pod takes.

Entries keep their order; per family, the pod with ordinal n takes the n-th address (from 0). A pod
without ordinal takes the only address, or gets the free ones as candidates: then the node takes
the first that nobody holds, because only there is the choice safe between pods that start at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from planes.model.addresses import AddressRange, IPAddress, parse_range
from planes.model.bounds import (
    MAX_CANDIDATES,
    MAX_FINDINGS,
    MAX_LOOKED_AT,
    MAX_STATIC_ENTRIES,
    MAX_STATIC_PLANES,
)
from planes.model.decode import kind_of, loads
from planes.model.errors import BadInput, Finding
from planes.model.names import STATIC_IPS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.spans import SpanSet
from planes.model.spec.address_policy import askable_by
from planes.model.spec.plane_spec import Plane
from planes.model.spec.spec_reader import parsed
from planes.model.state.claims import Claim

STATIC_IPS_PATH = f"metadata.annotations[{STATIC_IPS_ANNOTATION}]"
_EXAMPLE: Final = 'write {"business": ["192.168.100.10"]}'
_SHOWN: Final = 8
"""Entries that a message repeats."""
Rival = Callable[[NadRef, IPAddress, str], Claim | None]
"""`Catalog.rival`: who keeps a pod from an address of a network."""


@dataclass(frozen=True)
class AddressList:
    """Addresses written for one plane, in order.

    Attributes:
        path: where they are written.
        places: for each span its position there, None where that says nothing to anybody.
    """

    spans: tuple[AddressRange, ...]
    path: str = ""
    places: tuple[int, ...] | None = None

    @cached_property
    def versions(self) -> tuple[int, ...]:
        """The IP versions that occur, 4 before 6."""
        return tuple(sorted(self._sizes))

    @cached_property
    def _sizes(self) -> Mapping[int, int]:
        sizes: dict[int, int] = {}
        for span in self.spans:
            sizes[span.version] = sizes.get(span.version, 0) + span.size
        return sizes

    @cached_property
    def is_choice(self) -> bool:
        """True where any family has several addresses."""
        return any(size > 1 for size in self._sizes.values())

    @cached_property
    def _set(self) -> SpanSet:
        return SpanSet(self.spans)

    def size(self, version: int) -> int:
        """How many addresses of an IP version."""
        return self._sizes.get(version, 0)

    def nth(self, version: int, index: int) -> IPAddress | None:
        """Give the address at an index among those of an IP version, None beyond the end."""
        for span in self.spans:
            if span.version != version:
                continue
            if index < span.size:
                return span.nth(index)
            index -= span.size
        return None

    def place_of(self, address: IPAddress) -> str:
        """Name the entry that an address of the list comes from."""
        if self.places is None:
            return self.path
        for place, span in zip(self.places, self.spans, strict=True):
            if address in span:
                return f"{self.path}[{place}]"
        return self.path

    def __contains__(self, address: IPAddress) -> bool:
        return address in self._set

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.spans[:_SHOWN]))
        more = len(self.spans) - _SHOWN
        return f"{shown} and {more} more" if more > 0 else shown


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a list means for one pod: exact addresses, or candidates; and why not."""

    ips: tuple[IPAddress, ...] = ()
    candidates: tuple[IPAddress, ...] = ()
    errors: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class StaticIps:
    """What the annotation says: lists by plane name, and what is wrong."""

    lists: Mapping[str, AddressList] = field(default_factory=dict)
    errors: tuple[Finding, ...] = ()


def read_static_ips(text: str) -> StaticIps:
    """Read the annotation, listing everything that is wrong with it."""
    if not text or text.isspace():
        return StaticIps()
    try:
        value = loads(text, "the static addresses")
    except BadInput as error:
        return _unreadable(error.message, error.remedy or _EXAMPLE)
    if not isinstance(value, dict):
        message = f"cannot read the static addresses: they must be an object, not {kind_of(value)}"
        return _unreadable(message, _EXAMPLE)
    if len(value) > MAX_STATIC_PLANES:
        message = f"cannot give addresses of {len(value)} planes to one pod"
        return _unreadable(message, f"name at most {MAX_STATIC_PLANES}")
    count = sum(len(entries) for entries in value.values() if isinstance(entries, list))
    if count > MAX_STATIC_ENTRIES:
        message = f"cannot read {count} entries of static addresses"
        return _unreadable(message, f"write at most {MAX_STATIC_ENTRIES}: ranges or CIDRs")
    errors: list[Finding] = []
    found = {
        plane: _list_of(entries, f"{STATIC_IPS_PATH}.{plane[:63]}", errors)
        for plane, entries in value.items()
    }
    return StaticIps(found, tuple(errors[:MAX_FINDINGS]))


def _unreadable(message: str, remedy: str) -> StaticIps:
    return StaticIps(errors=(Finding(STATIC_IPS_PATH, message, remedy),))


def _list_of(entries: Any, path: str, errors: list[Finding]) -> AddressList:
    if isinstance(entries, str):
        entries = [entries]
    if not isinstance(entries, list) or not entries:
        remedy = 'write addresses, ranges or CIDRs, ["192.168.100.10"]'
        errors.append(Finding(path, "cannot read the addresses of the plane", remedy))
        return AddressList((), path)
    found = [
        (index, span)
        for index, entry in enumerate(entries)
        if (span := parsed(entry, f"{path}[{index}]", parse_range, errors)) is not None
    ]
    return AddressList(
        tuple([span for _, span in found]), path, tuple([index for index, _ in found])
    )


def assign(
    pod: Pod, plane: Plane, addresses: AddressList, rival: Rival, *, most: int = MAX_LOOKED_AT
) -> Assignment:
    """Say which addresses of a list a pod takes.

    `rival` tells who has one already; of each family no more than `most` are looked at, or given.
    """
    ordinal = pod.ordinal if plane.per_ordinal else None
    ips: list[IPAddress] = []
    candidates: list[IPAddress] = []
    errors: list[Finding] = []
    # one kind of answer for all families: exact addresses, or candidates
    is_choice = ordinal is None and addresses.is_choice
    for version in addresses.versions:
        if is_choice:
            free = list(_free(pod, plane, addresses, version, rival, most=most))
            if not free:
                errors.append(_none_free(pod, addresses, version))
            candidates += free
            continue
        address = addresses.nth(version, ordinal or 0)
        if address is None:
            errors.append(_too_short(pod, ordinal or 0, version, addresses))
        else:
            ips.append(address)
    return Assignment(tuple(ips), tuple(candidates), tuple(errors))


def _free(
    pod: Pod, plane: Plane, addresses: AddressList, version: int, rival: Rival, *, most: int
) -> Iterator[IPAddress]:
    """Yield addresses that the pod may have and that nobody holds, in order, lazily.

    Past `most` that were looked at the next are given as they are: the node finds out.
    """
    given = looked_at = 0
    for address in _allowed(pod, plane, addresses, version):
        looked_at += 1
        if looked_at <= most and rival(plane.ref, address, pod.key):
            continue
        yield address
        given += 1
        if given == min(MAX_CANDIDATES, most):
            return


def _allowed(pod: Pod, plane: Plane, addresses: AddressList, version: int) -> Iterator[IPAddress]:
    allowed = askable_by(plane, pod)
    for span in addresses.spans:
        if span.version == version:
            for part in (span,) if allowed is None else allowed.within(span):
                yield from part


def _none_free(pod: Pod, addresses: AddressList, version: int) -> Finding:
    return Finding(
        addresses.path,
        f"cannot give {pod.display} an address: no IPv{version} address of {addresses} is free",
        "add addresses to the list, or remove pods that hold them",
        409,
    )


def _too_short(pod: Pod, ordinal: int, version: int, addresses: AddressList) -> Finding:
    size = addresses.size(version)
    return Finding(
        addresses.path,
        f"cannot give {pod.display} (ordinal {ordinal}) an address: "
        f"the list has {size} IPv{version} address{'es' if size != 1 else ''}",
        f"list at least {ordinal + 1}, one for each replica",
    )
