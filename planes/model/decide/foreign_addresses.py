"""Read which addresses other IPAMs gave to pods, from their objects and annotations.

whereabouts v0.9 keeps IPPools (`spec.allocations`: offset from the range's network address to
container, pod and interface) and an OverlappingRangeIPReservation for each address, which has the
address in its name. Calico takes wished addresses from an annotation of the pod.

Invariant: what cannot be read is passed over; nothing here is believed yet (see
`planes.model.decide.adoption`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from planes.model.addresses import IPAddress, parse_network
from planes.model.decide.adoption import AddressUser, Fact, Source
from planes.model.decode import loads
from planes.model.errors import BadInput, PlanesError
from planes.model.names import check_container_id, check_ifname, is_dns_label, is_dns_subdomain
from planes.model.objects import Pod
from planes.model.state.claims import bare_address

CALICO_ADDRESSES: Final = "cni.projectcalico.org/ipAddrs"
MOST_OF_POOL: Final = 1 << 16
_MOST_OF_POD: Final = 16
_LONGEST: Final = 4096
_MOST_DIGITS: Final = 39  # of an IPv6 address as a number


def pool_facts(pool: Mapping[str, Any]) -> Iterator[Fact]:
    """Yield the allocations of an IPPool."""
    spec = _mapping(pool.get("spec"))
    name = _text(_mapping(pool.get("metadata")).get("name"))
    try:
        network = parse_network(_text(spec.get("range")))
    except BadInput:
        return
    for offset, entry in islice(_mapping(spec.get("allocations")).items(), MOST_OF_POOL):
        user = _user(_mapping(entry), "id")
        if user is None or not _is_number(offset) or int(offset) >= network.num_addresses:
            continue
        yield Fact(Source.WHEREABOUTS, network[int(offset)], user, name)


def reservation_facts(reservation: Mapping[str, Any]) -> Iterator[Fact]:
    """Yield the address of an OverlappingRangeIPReservation; of an ambiguous name each reading."""
    name = _text(_mapping(reservation.get("metadata")).get("name"))
    user = _user(_mapping(reservation.get("spec")), "containerid")
    for address in _addresses_in(name) if user is not None else ():
        if user is not None:
            yield Fact(Source.WHEREABOUTS, address, user, name)


def annotation_facts(pod: Pod) -> Iterator[Fact]:
    """Yield the addresses that a pod wished from Calico."""
    text = pod.annotations.get(CALICO_ADDRESSES, "")
    if not text or len(text) > _LONGEST:
        return
    try:
        listed = loads(text, CALICO_ADDRESSES)
    except PlanesError:
        return
    user = AddressUser("", "", pod.namespace, pod.name, pod.uid)
    for one in listed[:_MOST_OF_POD] if isinstance(listed, list) else ():
        address = bare_address(one) if isinstance(one, str) else None
        if address is not None:
            yield Fact(Source.ANNOTATION, address, user)


def pod_ip_facts(obj: Mapping[str, Any], pod: Pod) -> Iterator[Fact]:
    """Yield the addresses that the kubelet reports of a pod: those of its default network."""
    user = AddressUser("", "", pod.namespace, pod.name, pod.uid)
    listed = _mapping(obj.get("status")).get("podIPs")
    for one in listed[:_MOST_OF_POD] if isinstance(listed, list) else ():
        address = bare_address(_text(_mapping(one).get("ip")))
        if address is not None:
            yield Fact(Source.POD_IP, address, user)


def _user(entry: Mapping[str, Any], container_key: str) -> AddressUser | None:
    namespace, _, pod = _text(entry.get("podref")).partition("/")
    if not (is_dns_label(namespace) and is_dns_subdomain(pod)):
        return None
    return AddressUser(
        _valid(check_container_id, _text(entry.get(container_key))),
        _valid(check_ifname, _text(entry.get("ifname"))),
        namespace,
        pod,
    )


def _valid(check: Any, text: str) -> str:
    try:
        return str(check(text))
    except BadInput:
        return ""


def _addresses_in(name: str) -> Iterator[IPAddress]:
    """Yield the readings of a name: the address, `-` for `:`, after `<network>-` or nothing."""
    parts = name.split("-")
    if len(parts) > _MOST_DIGITS:
        return
    for start in range(len(parts)):
        address = bare_address(":".join(parts[start:]))
        if address is not None:
            yield address


def _is_number(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= _MOST_DIGITS and text.isascii() and text.isdigit()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= _LONGEST else ""
