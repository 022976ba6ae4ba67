"""Host ports that attachments map to their pod: one that is in use is refused.

A mapping redirects the packets to a port of the node before any socket gets them, so a process that
listens there would get none. Invariant: there is no await between the check of other pods' ports
and the journal entry that records a call's own, so of two pods at once one is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cni.host.listening_sockets import ListeningSockets, Port
from cni.journal.entry import Entry, Key
from cni.journal.journal import Journal
from cni.plugins.attachment import PlannedAttachment
from planes.model.addresses import IPAddress, parse_address
from planes.model.decode import Fields
from planes.model.errors import BadInput, Conflict, PlanesError

_CAPABILITY: Final = "portMappings"
_PORTMAP: Final = '{"type": "portmap", "capabilities": {"portMappings": true}}'
_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_MOST_TOLD: Final = 8
_MOST_DEPTH: Final = 16  # of nesting in a configuration that is searched
_REMEDY: Final = "choose another hostPort, or leave it out and publish the port with a Service"


@dataclass(frozen=True, slots=True)
class HostPort:
    """One port of the node, as a mapping takes it.

    Attributes:
        protocol: tcp, udp or sctp; "" where its spelling may mean any of them.
        address: of the node; None for all addresses.
    """

    protocol: str
    port: int
    address: IPAddress | None = None

    def __str__(self) -> str:
        where = f"{self.address}:" if self.address is not None else ""
        return f"{where}{self.port}/{self.protocol}".rstrip("/")

    @property
    def protocols(self) -> tuple[str, ...]:
        """The protocols that it may mean."""
        return (self.protocol,) if self.protocol else _PROTOCOLS


class Ports:
    """Refuses ports of the node that are in use.

    Args:
        journal: has the ports of other pods.
        listeners: finds the ports that processes of the node listen on.
    """

    def __init__(self, journal: Journal, listeners: ListeningSockets) -> None:
        self._journal = journal
        self._listeners = listeners
        self._read: dict[Key, tuple[Entry, tuple[HostPort, ...]]] = {}

    async def check(self, entry: Entry) -> None:
        """Refuse a call that maps a port which is in use.

        Nothing is awaited after the journal was read: the caller begins the entry at once.

        Raises:
            Conflict: a process of the node or another pod has it; the message names which.
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
        """Return the entries of other pods with their ports; each entry is read once."""
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
    """Return a wanted port that meets a socket's; None as address is any address."""
    asked = wanted.get(socket)
    if not asked:
        return None
    if address is None:
        return next(iter(asked.values()))
    return asked.get(address) or asked.get(None)


def _is_same_pod(one: Entry, other: Entry) -> bool:
    """Report whether entries are for one pod: then one is of an old sandbox of it."""
    return bool(one.pod) and (one.namespace, one.pod) == (other.namespace, other.pod)


def _ports_of(entry: Entry) -> Iterator[HostPort]:
    for attachment in entry.attachments:
        yield from host_ports(attachment)


def _taken(port: HostPort, cause: str) -> Conflict:
    return Conflict(f"cannot map port {port} of the node: {cause}", remedy=_REMEDY)


def host_ports(attachment: PlannedAttachment) -> tuple[HostPort, ...]:
    """Return the ports of the node that an attachment's plugins map.

    They are capability arguments for plugins that declare `portMappings`, or are written in the
    configuration itself: in its `runtimeConfig`, or in that of what a plugin delegates to.
    """
    given = attachment.capability_args.get(_CAPABILITY)
    found: dict[HostPort, None] = {}
    for plugin in attachment.conflist.plugins:
        for own in _written(plugin.raw):
            found |= dict.fromkeys(_read(own))
        if given and _CAPABILITY in plugin.capabilities:
            found |= dict.fromkeys(_read(given))
    return tuple(found)


def unmapped(given: Any, attachments: Sequence[PlannedAttachment]) -> list[PlanesError]:
    """List an error where a call requests port mappings that no plugin of the sandbox makes.

    A runtime passes `portMappings` because our netconf declares the capability. Where the default
    network has no plugin for them, `podman run -p` would succeed without effect.

    Args:
        given: `runtimeConfig.portMappings` of the call.
        attachments: all of the sandbox.
    """
    wanted = tuple(dict.fromkeys(_read(given)))
    plugins = [plugin for one in attachments for plugin in one.conflist.plugins]
    if not wanted or any(_CAPABILITY in plugin.capabilities for plugin in plugins):
        return []
    ports = ", ".join(map(str, wanted[:_MOST_TOLD]))
    network = next((f"network {one.network}" for one in attachments if one.is_default), "")
    if network:
        cause = f"no plugin of {network} maps ports"
        remedy = f"add {_PORTMAP} to the plugins of the default network, or ask for no ports"
    else:
        cause = "there is no default network"
        remedy = (
            "ask for no ports; or, where another network of the container maps them, leave "
            f"{_CAPABILITY} out of this one's capabilities"
        )
    return [BadInput(f"cannot map port {ports} of the node: {cause}", remedy=remedy)]


def _written(conf: Any, depth: int = _MOST_DEPTH) -> Iterator[Any]:
    """Yield the values of `portMappings` in a configuration, in any letter case, as Go reads it."""
    if isinstance(conf, list):
        conf = dict(enumerate(conf))
    for key, value in conf.items() if isinstance(conf, dict) and depth else ():
        if isinstance(key, str) and key.casefold() == _CAPABILITY.casefold():
            yield value
        elif isinstance(value, dict | list):
            yield from _written(value, depth - 1)


def _read(mappings: Any) -> Iterator[HostPort]:
    """Parse mappings as portmap does; skip what it would refuse or ignore."""
    for entry in mappings if isinstance(mappings, list) else ():
        if not isinstance(entry, dict):
            continue
        fields = Fields(entry, "the port mapping")
        number, protocol, address = map(fields.raw, ("hostPort", "protocol", "hostIP"))
        if isinstance(number, int) and not isinstance(number, bool) and number > 0:
            yield HostPort(_protocol(protocol), number, _address(address))


def _protocol(text: Any) -> str:
    """Parse a protocol; "" for numbers, which iptables accepts in many spellings."""
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
