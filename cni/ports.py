"""Ports of the node that attachments map to their pod: nobody takes what somebody else has.

A mapping turns packets to a port of the node away from whoever listens there, before any socket
sees them. Invariant: between the look at other pods' ports and the journal entry that makes a
call's own ones known there is no await, so of two pods that come at once one is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cni.attachment import PlannedAttachment
from cni.entry import Entry, Key
from cni.journal import Journal
from cni.listeners import Listeners, Port
from planes.model.addresses import IPAddress, parse_address
from planes.model.decode import Fields
from planes.model.errors import BadInput, Conflict

_CAPABILITY: Final = "portMappings"
_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_MOST_DEPTH: Final = 16  # of a configuration that is looked through
_REMEDY: Final = "choose another hostPort, or leave it out and publish the port with a Service"


@dataclass(frozen=True, slots=True)
class HostPort:
    """One port of the node, as a mapping takes it.

    Attributes:
        protocol: tcp, udp or sctp; "" where it is spelled in a way that could be any of them.
        address: of the node; None for all of them.
    """

    protocol: str
    port: int
    address: IPAddress | None = None

    def __str__(self) -> str:
        where = f"{self.address}:" if self.address is not None else ""
        return f"{where}{self.port}/{self.protocol}".rstrip("/")

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols it may be for."""
        return (self.protocol,) if self.protocol else _PROTOCOLS


class Ports:
    """Refuses ports of the node that are taken.

    Args:
        journal: what other pods have.
        listeners: what the node's own services have.
    """

    def __init__(self, journal: Journal, listeners: Listeners) -> None:
        self._journal = journal
        self._listeners = listeners
        self._read: dict[Key, tuple[Entry, tuple[HostPort, ...]]] = {}

    async def check(self, entry: Entry) -> None:
        """Refuse a call that maps a port which somebody else has.

        Nothing is awaited after the look into the journal: the caller begins the entry at once.

        Raises:
            Conflict: a process of the node or another pod has it (names the holder).
        """
        wanted = _by_socket(_ports_of(entry))
        if not wanted:
            return
        for listener in await self._listeners.on(wanted.keys()):
            port = _meeting(wanted, (listener.protocol, listener.port), listener.address)
            if port is not None:
                who = f"process {listener.process}" if listener.process else "a process"
                raise _taken(port, f"{who} of the node listens on it")
        for other, ports in self._of_others(entry):
            for held in ports:
                for protocol in held.protocols:
                    port = _meeting(wanted, (protocol, held.port), held.address)
                    if port is not None:
                        raise _taken(port, f"pod {other.namespace}/{other.pod} has it")

    def _of_others(self, entry: Entry) -> list[tuple[Entry, tuple[HostPort, ...]]]:
        """Give other pods' calls and their ports; each call's configurations are read once."""
        read = {}
        for other in self._journal.entries():
            known = self._read.get(other.key)
            is_read = known is not None and known[0] is other
            read[other.key] = known if is_read and known else (other, tuple(_ports_of(other)))
        self._read = read
        return [
            (other, ports)
            for other, ports in read.values()
            if other.container_id != entry.container_id and not _is_same_pod(other, entry)
        ]


_Wanted = Mapping[Port, Mapping[IPAddress | None, HostPort]]


def _by_socket(ports: Iterable[HostPort]) -> _Wanted:
    """Index ports by protocol and number, then address."""
    found: dict[Port, dict[IPAddress | None, HostPort]] = {}
    for port in ports:
        for protocol in port.protocols:
            found.setdefault((protocol, port.port), {})[port.address] = port
    return found


def _meeting(wanted: _Wanted, socket: Port, address: IPAddress | None) -> HostPort | None:
    """Give a wanted port whose packets could be meant for a socket; None as address is any."""
    asked = wanted.get(socket)
    if not asked:
        return None
    if address is None:
        return next(iter(asked.values()))
    return asked.get(address) or asked.get(None)


def _is_same_pod(one: Entry, other: Entry) -> bool:
    """Tell whether calls are for one pod: an old sandbox of it is on its way out."""
    return bool(one.pod) and (one.namespace, one.pod) == (other.namespace, other.pod)


def _ports_of(entry: Entry) -> Iterator[HostPort]:
    for attachment in entry.attachments:
        yield from host_ports(attachment)


def _taken(port: HostPort, cause: str) -> Conflict:
    return Conflict(f"cannot map port {port} of the node: {cause}", remedy=_REMEDY)


def host_ports(attachment: PlannedAttachment) -> tuple[HostPort, ...]:
    """Give the ports of the node that an attachment's plugins are told to map.

    They come as capability arguments to plugins that declare `portMappings`, or stand in the
    configuration itself, as its author's own `runtimeConfig`, also of what a plugin delegates to.
    """
    given = attachment.capability_args.get(_CAPABILITY)
    found: dict[HostPort, None] = {}
    for plugin in attachment.conflist.plugins:
        for own in _written(plugin.raw):
            found |= dict.fromkeys(_read(own))
        if given and _CAPABILITY in plugin.capabilities:
            found |= dict.fromkeys(_read(given))
    return tuple(found)


def _written(conf: Any, depth: int = _MOST_DEPTH) -> Iterator[Any]:
    """Yield what stands as port mappings in a configuration, in any spelling that Go takes."""
    if isinstance(conf, list):
        conf = dict(enumerate(conf))
    for key, value in conf.items() if isinstance(conf, dict) and depth else ():
        if isinstance(key, str) and key.casefold() == _CAPABILITY.casefold():
            yield value
        elif isinstance(value, dict | list):
            yield from _written(value, depth - 1)


def _read(mappings: Any) -> Iterator[HostPort]:
    """Read mappings as portmap does; what it would refuse or ignore is left out."""
    for entry in mappings if isinstance(mappings, list) else ():
        if not isinstance(entry, dict):
            continue
        fields = Fields(entry, "the port mapping")
        number, protocol, address = map(fields.raw, ("hostPort", "protocol", "hostIP"))
        if isinstance(number, int) and not isinstance(number, bool) and number > 0:
            yield HostPort(_protocol(protocol), number, _address(address))


def _protocol(text: Any) -> str:
    """Read a protocol; iptables takes numbers too, in many spellings: those may be any."""
    protocol = text.lower() if isinstance(text, str) else ""
    return "tcp" if not protocol else protocol if protocol in _PROTOCOLS else ""


def _address(text: Any) -> IPAddress | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        address = parse_address(text)
    except BadInput:
        return None
    return None if address.is_unspecified else address
