"""Static addresses: the annotation `netplane.io/static-ips`, and which address a pod takes.

Entries keep their order; per family, the pod with ordinal n takes the n-th address (from 0). A pod
without ordinal takes the only address, or gets the free ones as candidates: the node then takes the
first that no pod holds, as only there pods that start at once cannot take the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from planes.model.addresses import AddressRange, IPAddress, parse_range
from planes.model.annotations.slips import remedy_for_string, remedy_for_text
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
from planes.model.spec.address_policy import Refusal, askable_by, refusal
from planes.model.spec.plane_spec import Plane
from planes.model.spec.spec_reader import parsed
from planes.model.state.claims import Claim
from planes.model.state.rollout import none_free_remedy

STATIC_IPS_PATH = f"metadata.annotations[{STATIC_IPS_ANNOTATION}]"
_EXAMPLE: Final = 'write {"business": ["192.168.100.10"]}'
_SHOWN: Final = 8
"""Entries that a message lists."""
Rival = Callable[[NadRef, IPAddress, str], Claim | None]
"""`Catalog.rival`: returns another pod's claim to an address."""


@dataclass(frozen=True)
class AddressList:
    """The addresses listed for one plane, in order.

    Attributes:
        path: of the list.
        places: the index of each span in the list, None where the path is enough.
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
        """Return how many addresses of an IP version it has."""
        return self._sizes.get(version, 0)

    def nth(self, version: int, index: int) -> IPAddress | None:
        """Return the address at an index among those of an IP version, None beyond the end."""
        for span in self.spans:
            if span.version != version:
                continue
            if index < span.size:
                return span.nth(index)
            index -= span.size
        return None

    def place_of(self, address: IPAddress) -> str:
        """Return the path of the entry that has an address."""
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
    """The addresses that one pod takes of a list: exact ones, or candidates; or errors."""

    ips: tuple[IPAddress, ...] = ()
    candidates: tuple[IPAddress, ...] = ()
    errors: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class StaticIps:
    """The parsed annotation: lists by plane name, and errors."""

    lists: Mapping[str, AddressList] = field(default_factory=dict)
    errors: tuple[Finding, ...] = ()


def read_static_ips(text: str) -> StaticIps:
    """Read the annotation, listing everything that is wrong with it."""
    if not text or text.isspace():
        return StaticIps()
    try:
        value = loads(text, "the static addresses")
    except BadInput as error:
        return _unreadable(error.message, remedy_for_text(text) or error.remedy or _EXAMPLE)
    if not isinstance(value, dict):
        message = f"cannot read the static addresses: they must be an object, not {kind_of(value)}"
        is_text = isinstance(value, str)
        return _unreadable(message, remedy_for_string(value, _EXAMPLE) if is_text else _EXAMPLE)
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
    """Return the addresses of a list that a pod takes.

    `rival` returns another pod's claim to an address. Of each family at most `most` addresses are
    looked up or returned.
    """
    ordinal = pod.ordinal if plane.per_ordinal else None
    ips: list[IPAddress] = []
    candidates: list[IPAddress] = []
    errors: list[Finding] = []
    # all families alike: exact addresses, or candidates
    is_choice = ordinal is None and addresses.is_choice
    for version in addresses.versions:
        if is_choice:
            free = list(_free(pod, plane, addresses, version, rival, most=most))
            if not free:
                errors.append(_none_left(pod, plane, addresses, version))
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
    """Yield addresses that the pod may have and no other pod claims, in order, lazily.

    After `most` lookups, addresses are yielded unchecked: the node checks them.
    """
    yielded = looked_up = 0
    for address in _allowed(pod, plane, addresses, version):
        looked_up += 1
        if looked_up <= most and rival(plane.ref, address, pod.key):
            continue
        yield address
        yielded += 1
        if yielded == min(MAX_CANDIDATES, most):
            return


def _allowed(pod: Pod, plane: Plane, addresses: AddressList, version: int) -> Iterator[IPAddress]:
    allowed = askable_by(plane, pod)
    for span in addresses.spans:
        if span.version == version:
            for part in (span,) if allowed is None else allowed.within(span):
                yield from part


def _none_left(pod: Pod, plane: Plane, addresses: AddressList, version: int) -> Finding:
    """Return why a pod gets no address of a list: it may have none, or other pods have all."""
    if next(_allowed(pod, plane, addresses, version), None) is None:
        return _none_allowed(pod, plane, addresses, version)
    return Finding(
        addresses.path,
        f"cannot give {pod.display} an address: no IPv{version} address of {addresses} is free",
        none_free_remedy(pod),
        409,
    )


def _none_allowed(pod: Pod, plane: Plane, addresses: AddressList, version: int) -> Finding:
    """Return why the plane's rules permit no address of a list, with examples."""
    spans = [span for span in addresses.spans if span.version == version][:_SHOWN]
    # The first address of a CIDR is its network address, which is rarely what is wrong with it.
    examples = [span.nth(span.size // 2) for span in spans]
    refused = [(each, found) for each in examples if (found := refusal(plane, pod, each))]
    causes = "; ".join(dict.fromkeys(f"{address}: {found.cause}" for address, found in refused))
    first = refused[0][1] if refused else Refusal("", "ask for other addresses")
    return Finding(
        addresses.path,
        f"cannot give {pod.display} an address: it may have no IPv{version} address of {addresses}"
        + (f" ({causes})" if causes else ""),
        first.remedy,
        first.status,
    )


def _too_short(pod: Pod, ordinal: int, version: int, addresses: AddressList) -> Finding:
    size = addresses.size(version)
    return Finding(
        addresses.path,
        f"cannot give {pod.display} (ordinal {ordinal}) an address: "
        f"the list has {size} IPv{version} address{'es' if size != 1 else ''}",
        f"list at least {ordinal + 1}, one for each replica",
    )
