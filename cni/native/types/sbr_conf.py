"""The netconf of `sbr`, checked, and the addresses that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Final

from planes.model.addresses import IPInterface, parse_address
from planes.model.errors import BadInput
from planes.model.names import shown
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

_MAX_TABLE: Final = (1 << 32) - 1
_MOST_GATEWAYS: Final = 2
_REMEDY: Final = "correct the network's configuration"


@dataclass(frozen=True, slots=True)
class SbrConf:
    """What a netconf of `sbr` asks for.

    Attributes:
        table: the table that rules lead to, whose routes are others' to make; 0 for tables of its
            own.
        gateways: by IP version; before those of the addresses.
        adds_hints: whether routes to the addresses' networks stay in the main table.
    """

    table: int
    gateways: dict[int, str]
    adds_hints: bool


@dataclass(frozen=True, slots=True)
class RoutedSource:
    """An address whose packets get a table.

    Attributes:
        gateway: of its default route there, "" for none.
    """

    address: IPInterface
    gateway: str


def read_sbr_conf(conf: NetConf) -> SbrConf:
    """Read a netconf.

    Raises:
        BadInput: a key has a wrong type, or a value out of bounds.
    """
    fields = conf.fields()
    table = fields.optional_integer("table")
    if table is not None and not 0 < table <= _MAX_TABLE:
        raise BadInput(
            f"cannot use routing table {table}: it is not from 1 to {_MAX_TABLE}", remedy=_REMEDY
        )
    gateways: dict[int, str] = {}
    given = fields.strings("gateways")
    if len(given) > _MOST_GATEWAYS:
        raise BadInput(
            "cannot use gateways: they are more than one of each IP version", remedy=_REMEDY
        )
    for text in given:
        address = parse_address(text)
        if address.version in gateways:
            raise BadInput(
                f"cannot use gateway {shown(text)}: another one is of IPv{address.version}, too",
                remedy=_REMEDY,
            )
        gateways[address.version] = str(address)
    return SbrConf(table or 0, gateways, fields.boolean("addSourceHints"))


def sources(previous: Result, ifname: str, conf: SbrConf) -> tuple[RoutedSource, ...]:
    """Return the addresses of an interface; one without an interface counts as its own.

    Raises:
        BadInput: the result has no address at all.
    """
    if not previous.ips:
        raise BadInput(
            f"cannot route by source: {ifname} has no address",
            remedy="give the network an ipam, or leave sbr out",
        )
    found = []
    for one in previous.ips:
        links = previous.interfaces
        index = one.interface
        is_listed = index is not None and 0 <= index < len(links)
        if is_listed and index is not None and links[index].name != ifname:
            continue
        address = ip_interface(one.address)
        gateway = conf.gateways.get(address.version) or one.gateway
        found.append(RoutedSource(address, gateway))
    return tuple(found)
