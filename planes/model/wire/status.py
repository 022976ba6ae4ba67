"""network-status: the annotation with the interfaces and addresses of a pod's attachments.

The bytes are those of Multus (the Network Plumbing Group's format), with one exception: for a
default route without gateway it has the gateway in force, or none, where Multus 4.3.0 writes
`<nil>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from planes.model.decode import Fields, kind_of, loads
from planes.model.encode import pretty
from planes.model.errors import BadInput, CniCode, JsonObject
from planes.model.wire.dns import NO_DNS, Dns, parse_dns
from planes.model.wire.result import Interface, Result

_WHAT: Final = "network-status"


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """One element: an interface of the pod.

    Attributes:
        name: the CNI network's name, or `<namespace>/<NAD>`.
        ips: bare addresses.
        default: true for the pod's own interface only.
        gateway: gateways of the default routes.
        device_info: facts of the device plugin about the device.
    """

    name: str
    interface: str = ""
    ips: tuple[str, ...] = ()
    mac: str = ""
    mtu: int = 0
    default: bool = False
    dns: Dns = NO_DNS
    gateway: tuple[str, ...] = ()
    device_info: JsonObject | None = None

    def to_json(self) -> JsonObject:
        """Return the JSON form: this order, `dns` always, no other empty member."""
        obj: JsonObject = {"name": self.name}
        if self.interface:
            obj["interface"] = self.interface
        if self.ips:
            obj["ips"] = list(self.ips)
        if self.mac:
            obj["mac"] = self.mac
        if self.mtu:
            obj["mtu"] = self.mtu
        if self.default:
            obj["default"] = True
        obj["dns"] = self.dns.to_json()
        if self.device_info is not None:
            obj["device-info"] = self.device_info
        if self.gateway:
            obj["gateway"] = list(self.gateway)
        return obj


def statuses_of(
    name: str,
    result: Result,
    *,
    is_default: bool,
    ifname: str,
    device_info: JsonObject | None = None,
) -> tuple[NetworkStatus, ...]:
    """Return the elements for one network's result, as Multus does.

    A result with one interface gives one element with all addresses; with several, one element
    for each interface that has a sandbox, addresses by their index; with none, none.

    Args:
        name: the network's name in the annotation.
        result: of the whole conflist.
        is_default: whether it is the pod's default network.
        ifname: the interface asked for; the default one where no address has a gateway.
        device_info: information about the network's device; every element has it.
    """
    if not result.interfaces:
        return ()
    if len(result.interfaces) == 1:
        link = result.interfaces[0] if result.interfaces[0].sandbox else Interface("")
        ips = [address.ip for address in result.ips]
        return (_status(name, link, ips, is_default, result, device_info=device_info),)
    inside = [index for index, link in enumerate(result.interfaces) if link.sandbox]
    main = _main(result, inside, ifname) if is_default else None
    ips_of = _ips_by_interface(result, inside)
    return tuple(
        _status(
            name,
            result.interfaces[index],
            ips_of[index],
            index == main,
            result,
            device_info=device_info,
        )
        for index in inside
    )


def _status(
    name: str,
    link: Interface,
    ips: list[str],
    default: bool,
    result: Result,
    *,
    device_info: JsonObject | None,
) -> NetworkStatus:
    return NetworkStatus(
        name=name,
        interface=link.name,
        ips=tuple(ips),
        mac=link.mac,
        mtu=link.mtu,
        default=default,
        dns=result.dns,
        gateway=tuple(_gateways(result)),
        device_info=device_info,
    )


def _gateways(result: Result) -> Iterator[str]:
    """Yield the gateway of each default route: its own, else its family's first."""
    for route in result.routes:
        if route.is_default:
            family = (ip.gateway for ip in result.ips if ip.family == route.family and ip.gateway)
            gateway = route.gw or next(family, "")
            if gateway:
                yield gateway


def _main(result: Result, inside: list[int], ifname: str) -> int | None:
    """Return the index of the pod's own interface among several in its sandbox."""
    for address in result.ips:
        if address.gateway and address.interface in inside:
            return address.interface
    named = [index for index in inside if result.interfaces[index].name == ifname]
    return next(iter([*named, *inside]), None)


def _ips_by_interface(result: Result, inside: list[int]) -> dict[int, list[str]]:
    """Return the addresses by interface; those without index belong to the last one."""
    ips: dict[int, list[str]] = {index: [] for index in inside}
    for address in result.ips:
        index = address.interface
        if index is None and inside:
            index = inside[-1]
        if index in ips:
            ips[index].append(address.ip)
    return ips


def encode_status(statuses: Iterable[NetworkStatus]) -> str:
    """Return the annotation as Multus writes it: each element indented, joined by bare commas."""
    elements = [pretty(status.to_json(), _WHAT) for status in statuses]
    return (b"[" + b",".join(elements) + b"]").decode()


def parse_status(text: str) -> tuple[NetworkStatus, ...]:
    """Read the annotation; an empty text has no elements.

    Raises:
        BadInput: code 6; it is no list of elements.
    """
    return tuple(map(_parse, _elements(text)))


def parse_addresses(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Read network and addresses alone of each element, which is enough for most pods.

    Raises:
        BadInput: code 6; it is no list of elements.
    """
    return tuple((fields.string("name"), fields.strings("ips")) for fields in _elements(text))


def _elements(text: str) -> Iterable[Fields]:
    if not text:
        return ()
    value = loads(text, _WHAT)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadInput(
            f"cannot read {_WHAT}: it must be a list, not {kind_of(value)}", code=CniCode.DECODE
        )
    return Fields({"": value}, _WHAT).children("")


def _parse(fields: Fields) -> NetworkStatus:
    return NetworkStatus(
        name=fields.string("name"),
        interface=fields.string("interface"),
        ips=fields.strings("ips"),
        mac=fields.string("mac"),
        mtu=fields.integer("mtu"),
        default=fields.boolean("default"),
        dns=parse_dns(fields.child("dns")),
        gateway=fields.strings("gateway"),
        device_info=fields.object("device-info"),
    )
