"""Steps that move a device of the host into a sandbox, and return it to the host.

Invariant: a device is always in the sandbox or on the host, and while it is not as it was found,
its record says what it had. The node's own uplink is never moved. A device is found again by its
hardware, since a pod may rename its links; without hardware by its index in the sandbox, and by
what a link in its place, made by the pod, cannot have: such a link never gets to the host.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from cni.native.device_records import DeviceRecord, DeviceRecords
from cni.native.steps import KernelStep, StepContext, Steps, Wait
from cni.net.channel import Channel
from cni.net.device_links import (
    DeviceLink,
    bring_device_up,
    device_at,
    find_device,
    list_devices,
    move_device,
    rename_device,
    set_alias,
    set_device_mac,
    set_device_mtu,
    set_master,
    take_down,
)
from cni.net.errors import MissingNetns, TooManyListed
from cni.net.found_state import FoundState, give_back_network, read_state
from cni.net.netlink import NetlinkRequest
from cni.net.node_uplinks import carries_node
from cni.net.workers import OpenSandbox
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, Denied, PlanesError, Unavailable
from planes.model.names import check_ifname

_log = logging.getLogger(__name__)

_TRIES: Final = 3
_MOST_NAMES: Final = 100
_LONGEST_NAME: Final = 15
_PAUSE_SECONDS: Final = 0.1
_MOST_PAUSES: Final = 30
"""The kernel moves the devices of a sandbox that is gone a moment later, in a thread of its own."""


@dataclass(frozen=True, slots=True)
class MoveIn(KernelStep[DeviceLink]):
    """Move a device of the host into the sandbox, under the name of the attachment; it is down.

    Attributes:
        alias: whether the link keeps its name on the host as its alias, by which the reference
            plugin gives it back.
    """

    call: Call
    link: DeviceLink
    records: DeviceRecords
    alias: bool = False

    def do(self, context: StepContext) -> DeviceLink:
        """Move it; return the link in the sandbox.

        Raises:
            Denied: it is the node's uplink.
            Conflict: the sandbox has an interface of that name.
            PlanesError: the kernel refuses.
        """
        link, name = self.link, self.call.ifname
        refuse_uplink(context, link)
        sandbox = context.sandbox
        if find_device(sandbox.channel, name) is not None:
            raise Conflict(
                f"cannot move {link.name} into the sandbox: it has an interface {name}",
                remedy="choose another interface name, or DEL the attachment first",
            )
        found = read_state(context.host, link, _name_at(context.host, link.master))
        record = self.records.begin(self.call, link, found)
        try:
            alias = record.found.name if self.alias else ""
            context.host.batch([move_device(link, sandbox.fd, name, alias)])
            inside = _arrived(sandbox, name)
            self.records.set_index(self.call, record, inside.index, inside.origin)
        except BaseException:
            give_back(context, self.call, self.records)
            raise
        return inside

    def undo(self, context: StepContext, done: DeviceLink) -> None:
        """Return it to the host."""
        give_back(context, self.call, self.records)


@dataclass(frozen=True, slots=True)
class GiveBack(KernelStep[bool]):
    """Return the device of an attachment to the host, with all that it had there.

    Attributes:
        known: what it had, where there is no record: the reference plugin moved it.
    """

    call: Call
    records: DeviceRecords
    known: DeviceRecord | None = None

    def do(self, context: StepContext) -> bool:
        """Return False where the kernel still has to move it out of a sandbox that is gone."""
        return give_back(context, self.call, self.records, self.known)


def refuse_uplink(context: StepContext, link: DeviceLink) -> None:
    """Raise where a link carries the node's own traffic.

    Raises:
        Denied: it does.
    """
    if way := carries_node(context.worker, link.index):
        raise Denied(
            f"cannot move {link.name} into a sandbox: the node's default route is through {way}"
            + (f", which needs {link.name}" if way != link.name else ""),
            remedy="name another device, or make an interface on this one (macvlan, ipvlan)",
        )


def give_back_device(
    call: Call, records: DeviceRecords, known: DeviceRecord | None = None
) -> Steps[None]:
    """Return a device to the host; wait a while for one whose sandbox is gone.

    Raises:
        Unavailable: it is not on the host yet.
    """
    for _pause in range(_MOST_PAUSES):
        if (yield from GiveBack(call, records, known)):
            return
        yield from Wait(_PAUSE_SECONDS)
    raise Unavailable(
        f"cannot give back the device of {call.ifname}: the kernel has not moved it to the host",
        remedy="a process may still keep the network namespace of the sandbox; it is tried again",
    )


def give_back(
    context: StepContext, call: Call, records: DeviceRecords, known: DeviceRecord | None = None
) -> bool:
    """Return a device to the host; see `GiveBack`.

    Raises:
        PlanesError: the kernel refuses; the record stays.
    """
    record = records.load(call) or known
    sandbox = _open(context)
    inside = None if sandbox is None else _in_sandbox(sandbox, call, record)
    if inside is not None and sandbox is not None:
        found = record.found if record is not None else FoundState(inside.alias)
        on_host = _move_out(context, sandbox, inside, found.name)
        _restore(context.host, on_host, found)
    elif record is not None:
        returned = _on_host(context.host, record, records)
        if returned is not None:
            _restore(context.host, returned, record.found)
        elif record.hardware:
            return False
    records.drop(call)
    return True


def _arrived(sandbox: OpenSandbox, name: str) -> DeviceLink:
    found = find_device(sandbox.channel, name)
    if found is None:
        raise Conflict(f"cannot find {name} in the sandbox: another program renamed or took it")
    return found


def _open(context: StepContext) -> OpenSandbox | None:
    try:
        return context.sandbox
    except MissingNetns:
        return None


def _in_sandbox(sandbox: OpenSandbox, call: Call, record: DeviceRecord | None) -> DeviceLink | None:
    links = _links(sandbox, call, record)
    named = next((one for one in links if one.name == call.ifname and one.may_be_of_host), None)
    if record is None:
        return named if named is not None and _is_name(named.alias) else None
    if record.hardware and record.is_shown:
        return next((one for one in links if one.hardware == record.hardware), None)
    if record.index:
        return next((one for one in links if one.index == record.index and record.is_of(one)), None)
    is_moved = named is not None and record.is_of(named) and named.alias == record.found.name
    return named if is_moved else None


def _links(sandbox: OpenSandbox, call: Call, record: DeviceRecord | None) -> list[DeviceLink]:
    """Return the links of a sandbox; where they are too many, those that are likely the device."""
    try:
        return list(list_devices(sandbox.channel))
    except TooManyListed:
        found = [find_device(sandbox.channel, call.ifname)]
        if record is not None and record.index:
            found.append(device_at(sandbox.channel, record.index))
        return [one for one in found if one is not None]


def _is_name(text: str) -> bool:
    try:
        return bool(check_ifname(text))
    except BadInput:
        return False


def _on_host(host: Channel, record: DeviceRecord, records: DeviceRecords) -> DeviceLink | None:
    if not record.hardware:
        return find_device(host, record.found.name)
    found = (one for one in list_devices(host) if records.hardware_of(one) == record.hardware)
    return next(found, None)


def _move_out(
    context: StepContext, sandbox: OpenSandbox, inside: DeviceLink, name: str
) -> DeviceLink:
    """Move a device to the host under its name there, or another one where that is taken."""
    host, channel = context.host, sandbox.channel
    channel.batch([take_down(inside)])
    for attempt in range(_TRIES):
        free = _free_name(host, name)
        try:
            # Renamed first where that is possible: on the host it then appears under its name.
            if inside.name != free and find_device(channel, free) is None:
                channel.batch([rename_device(inside, free)])
            channel.batch([move_device(inside, context.worker.home, free)])
        except Conflict:  # somebody took the name on the host meanwhile
            if attempt == _TRIES - 1:
                raise
        found = find_device(host, free) or find_device(host, inside.name)
        left = device_at(channel, inside.index)
        if found is not None and (left is None or left.hardware != inside.hardware):
            return found
    raise Unavailable(f"cannot give back {name}: it is neither in the sandbox nor on the host")


def _free_name(host: Channel, name: str) -> str:
    """Return a name that no link of the host has: the name itself, or one with a number."""
    if find_device(host, name) is None:
        return name
    stem = name.encode()[: _LONGEST_NAME - 3].decode(errors="ignore")
    names = (f"{stem}_{number}" for number in range(1, _MOST_NAMES))
    other = next((one for one in names if find_device(host, one) is None), "")
    if not other:
        raise Conflict(f"cannot give back {name}: the host has links of all its names")
    _log.warning("name of a device is taken on the host", extra={"device": name, "now": other})
    return other


def _restore(host: Channel, link: DeviceLink, found: FoundState) -> None:
    """Restore name, MTU, MAC, master, alias, addresses and routes of a device of the host."""
    link = _renamed(host, link, found.name)
    changes = []
    if found.mtu and found.mtu != link.mtu:
        changes.append(set_device_mtu(link, found.mtu))
    if found.mac and found.mac != link.mac:
        changes.append(set_device_mac(link, found.mac))
    if link.alias != found.alias:
        changes.append(set_alias(link, found.alias))
    master = find_device(host, found.master) if found.master else None
    if master is not None and master.index != link.master:
        changes.append(set_master(link, master.index))
    for change in changes:
        _try(host, change)
    if found.is_up:
        host.batch([bring_device_up(link)])
    give_back_network(host, link, found)


def _try(host: Channel, change: NetlinkRequest) -> None:
    try:
        host.batch([change])
    except PlanesError as error:
        _log.warning("cannot give back all that a device had", extra={"error": str(error)})


def _renamed(host: Channel, link: DeviceLink, name: str) -> DeviceLink:
    if link.name == name or not name:
        return link
    free = _free_name(host, name)
    stem = name.encode()[: _LONGEST_NAME - 3].decode(errors="ignore")
    if free != name and link.name.startswith(f"{stem}_"):
        return link
    host.batch([take_down(link), rename_device(link, free)])
    return find_device(host, free) or link


def _name_at(host: Channel, index: int) -> str:
    found = device_at(host, index) if index else None
    return found.name if found is not None else ""
