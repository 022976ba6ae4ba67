"""The netconf of type `portmap`, read and checked before the first step.

Invariant: what is returned holds no text that could become another argument, rule or command of
iptables or nft; see `cni.native.types.portmap_conditions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cni.native.iptables_rules import check_chain
from cni.native.types.portmap_conditions import backend_of, read_conditions
from cni.plugins.plugin import Call
from planes.model.addresses import IPAddress, IPInterface, parse_address, parse_interface
from planes.model.decode import Fields
from planes.model.errors import BadInput, CniCode
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

IPTABLES: Final = "iptables"
NFTABLES: Final = "nftables"
PROTOCOLS: Final = ("tcp", "udp", "sctp")
_BACKENDS: Final = (IPTABLES, NFTABLES)
_DEFAULT_MARK_BIT: Final = 13  # Kubernetes has 14 and 15, Calico 20 to 31
_LAST_MARK_BIT: Final = 31
_LAST_PORT: Final = 65535
_MOST_MAPPINGS: Final = 4096


@dataclass(frozen=True, slots=True)
class PortMapping:
    """One port of the node, and the port of the container that gets its packets.

    Attributes:
        address: of the node; None for all of its addresses.
        version: the only family that it is for, 4 or 6; 0 for both.
    """

    host_port: int
    container_port: int
    protocol: str
    address: IPAddress | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class PortmapConf:
    """What an attachment maps, and how.

    Attributes:
        backend: `iptables`, `nftables`, or "" for the one that works on this node.
        bound_to: for each backend the members of the netconf that only it can carry out.
        mark_chain: chain of the administrator that marks packets to masquerade; "" for ours.
        conditions: by family; words of iptables or nftables that a packet must meet, too.
        addresses: of the container, by family.
    """

    network: str
    container_id: str
    mappings: tuple[PortMapping, ...]
    backend: str
    bound_to: Mapping[str, Sequence[str]]
    has_snat: bool
    masquerades_all: bool
    mark_bit: int
    mark_chain: str
    conditions: Mapping[int, tuple[str, ...]]
    addresses: Mapping[int, IPInterface]

    def mappings_of(self, version: int) -> list[PortMapping]:
        """Return the mappings of a family, 4 or 6."""
        return [one for one in self.mappings if one.version in {0, version}]

    def check_backend(self, backend: str) -> None:
        """Check that nothing in the netconf is for the other backend only.

        Raises:
            BadInput: something is (code 999, as with the reference).
        """
        for other in _BACKENDS:
            if other != backend and (names := self.bound_to[other]):
                raise BadInput(
                    f"cannot map ports: {backend} backend was requested but configuration contains "
                    f"{other}-specific options: {', '.join(names)}",
                    remedy="set backend, or write the conditions for the backend that is used",
                    code=CniCode.INTERNAL,
                )


def read_portmap_conf(call: Call, conf: NetConf, previous: Result) -> PortmapConf:
    """Read a netconf that maps ports.

    Raises:
        BadInput: it cannot be used.
    """
    fields = conf.fields()
    runtime = fields.child("runtimeConfig")
    backend = fields.string("backend")
    if backend and backend not in _BACKENDS:
        raise BadInput(
            f"cannot map ports: unrecognized backend {backend!r}",
            remedy=f"set backend to one of {', '.join(_BACKENDS)}",
            code=CniCode.INTERNAL,
        )
    conditions = {
        version: read_conditions(key, fields.strings(key))
        for version, key in ((4, "conditionsV4"), (6, "conditionsV6"))
    }
    bound_to: dict[str, list[str]] = {one: [] for one in _BACKENDS}
    key = "externalSetMarkChain"
    chain = check_chain(fields.string(key), "map ports", key)
    if chain:
        bound_to[IPTABLES].append(key)
    for version, words in conditions.items():
        if words:
            bound_to[backend_of(words)].append(f"conditionsV{version}")
    mappings = _mappings(runtime)
    read = PortmapConf(
        network=conf.name,
        container_id=call.container_id,
        mappings=mappings,
        backend=backend,
        bound_to=bound_to,
        has_snat=fields.boolean("snat", default=True),
        masquerades_all=fields.boolean("masqAll"),
        mark_bit=_mark_bit(fields, has_chain=bool(chain)),
        mark_chain=chain,
        conditions=conditions,
        addresses=_container_addresses(call, previous) if mappings else {},
    )
    if backend:
        read.check_backend(backend)
    return read


def _mark_bit(fields: Fields, *, has_chain: bool) -> int:
    bit = fields.optional_integer("markMasqBit")
    if bit is None:
        return _DEFAULT_MARK_BIT
    if has_chain:
        raise BadInput(
            "cannot map ports: cannot specify externalSetMarkChain and markMasqBit",
            remedy="leave one of them out",
            code=CniCode.INTERNAL,
        )
    if not 0 <= bit <= _LAST_MARK_BIT:
        raise BadInput(
            f"cannot map ports: markMasqBit must be between 0 and {_LAST_MARK_BIT}, not {bit}",
            remedy=f"leave it out for bit {_DEFAULT_MARK_BIT}",
            code=CniCode.INTERNAL,
        )
    return bit


def _mappings(runtime: Fields | None) -> tuple[PortMapping, ...]:
    found = runtime.children("portMappings") if runtime is not None else []
    if len(found) > _MOST_MAPPINGS:
        raise BadInput(
            f"cannot map {len(found)} ports of the node: at most {_MOST_MAPPINGS} are allowed",
            remedy="publish the ports with a Service",
        )
    return tuple(map(_mapping, found))


def _mapping(fields: Fields) -> PortMapping:
    container = _port(fields, "containerPort", "container")
    host = _port(fields, "hostPort", "host")
    protocol = fields.string("protocol").lower()
    if protocol not in PROTOCOLS:
        raise fields.bad("protocol", f"must be one of {', '.join(PROTOCOLS)}")
    text = fields.string("hostIP")
    if not text:
        return PortMapping(host, container, protocol)
    address = parse_address(text)
    return PortMapping(
        host,
        container,
        protocol,
        None if address.is_unspecified else address,
        address.version,
    )


def _port(fields: Fields, key: str, what: str) -> int:
    port = fields.integer(key)
    if not 0 < port <= _LAST_PORT:
        raise BadInput(
            f"cannot map ports: invalid {what} port number: {port}",
            remedy=f"use a port from 1 to {_LAST_PORT}",
            code=CniCode.INTERNAL,
        )
    return port


def _container_addresses(call: Call, previous: Result) -> dict[int, IPInterface]:
    """Return the first address of each family that is on the interface, or on none known."""
    found: dict[int, IPInterface] = {}
    for one in previous.ips:
        index = one.interface
        if index is not None and 0 <= index < len(previous.interfaces):
            interface = previous.interfaces[index]
            if interface.name != call.ifname or not interface.sandbox:
                continue
        address = parse_interface(one.address)
        found.setdefault(address.version, address)
    return found
