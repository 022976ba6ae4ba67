"""Ports of the node that attachments map to their pod: nobody takes what somebody else has.

A mapping turns packets to a port of the node away from whoever listens there, before any socket
sees them. Invariant: between the look at other pods' ports and the journal entry that makes a
call's own ones known there is no await, so of two pods that come at once one is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cni.attachment import PlannedAttachment
from cni.entry import Entry
from cni.journal import Journal
from cni.listeners import Listener, Listeners
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

    def meets(self, other: HostPort | Listener) -> bool:
        """Tell whether packets to the one could be meant for the other."""
        return (
            self.port == other.port
            and (not self.protocol or other.protocol in {"", self.protocol})
            and (self.address is None or other.address in {None, self.address})
        )


class Ports:
    """Refuses ports of the node that are taken.

    Args:
        journal: what other pods have.
        listeners: what the node's own services have.
    """

    def __init__(self, journal: Journal, listeners: Listeners) -> None:
        self._journal = journal
        self._listeners = listeners

    async def check(self, entry: Entry) -> None:
        """Refuse a call that maps a port which somebody else has.

        Nothing is awaited after the look into the journal: the caller begins the entry at once.

        Raises:
            Conflict: a process of the node or another pod has it (names the holder).
        """
        wanted = [port for one in entry.attachments for port in host_ports(one)]
        if not wanted:
            return
        sockets = {(protocol, port.port) for port in wanted for protocol in port.protocols}
        listeners = await self._listeners.on(sockets)
        for port in wanted:
            for listener in filter(port.meets, listeners):
                who = f"process {listener.process}" if listener.process else "a process"
                raise _taken(port, f"{who} of the node listens on it")
        for port in wanted:
            holder = self._holder(entry, port)
            if holder is not None:
                raise _taken(port, f"pod {holder.namespace}/{holder.pod} has it")

    def _holder(self, entry: Entry, port: HostPort) -> Entry | None:
        """Give another pod's call that maps a port."""
        for other in self._journal.entries():
            if other.container_id == entry.container_id or _is_same_pod(other, entry):
                continue
            if any(map(port.meets, _ports_of(other))):
                return other
        return None


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
