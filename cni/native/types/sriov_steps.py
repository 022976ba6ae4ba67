"""Steps about virtual functions: find one, hold it, write its settings and give them back.

Settings are written through the physical function's link, also those of a function whose driver
leaves it to a program. Invariant: settings are given back only while no other sandbox has the
function, which is looked up under the function's lock.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, TypeVar

from cni.native.device_moves import refuse_uplink
from cni.native.steps import KernelStep, Step, StepContext, Steps, Wait
from cni.native.types.sriov_conf import SriovConf
from cni.native.types.sriov_holds import VfBusy, VfHolds, VfRecord
from cni.native.types.sriov_settings import changed_keys, changes, restore
from cni.net.device_links import DeviceLink, find_device
from cni.net.pci_functions import PciFunctions, VirtualFunction
from cni.net.vf_settings import VfSettings, VfWriter, read_settings
from cni.plugins.plugin import Call
from planes.model.errors import Conflict, JsonObject, NotFound, PlanesError, Unavailable

_log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.1
_MOST_TRIES: Final = 300
"""Half a minute: sriov-cni has the lock for its whole ADD, its IPAM included."""
_MOST_WRITES: Final = 20


@dataclass(frozen=True, slots=True)
class FoundVf:
    """A virtual function as it was found.

    Attributes:
        link: its link on the host; None where a program has the function.
        mtu: of that link, or else of the physical function's.
    """

    function: VirtualFunction
    settings: VfSettings
    link: DeviceLink | None
    mtu: int


@dataclass(frozen=True, slots=True)
class FindVf(KernelStep[FoundVf]):
    """Find a virtual function by its PCI address."""

    address: str
    functions: PciFunctions
    holds: VfHolds

    def do(self, context: StepContext) -> FoundVf:
        """Return it.

        Raises:
            DeviceTaken: another sandbox has it.
            NotFound: there is none of that address, or it has neither link nor program's driver.
            Denied: it is the node's uplink.
        """
        function = find_function(self.functions, self.address)
        self.holds.require_free(self.address)
        physical = _physical(context, function)
        link = find_device(context.host, function.link) if function.link else None
        if link is None and not function.is_userspace:
            raise NotFound(
                f"cannot use virtual function {self.address}: it has no link on this node, and its "
                f"driver is {function.driver or 'missing'}",
                remedy="another pod may still have it; else bind its driver, or vfio-pci",
            )
        if link is not None:
            refuse_uplink(context, link)
        settings = read_settings(context.host, function.physical, function.number)
        return FoundVf(function, settings, link, (link or physical).mtu)


def find_function(functions: PciFunctions, address: str) -> VirtualFunction:
    """Return the virtual function of a PCI address.

    Raises:
        NotFound: there is none.
    """
    function = functions.virtual_function(address)
    if function is not None:
        return function
    if functions.has(address):
        cause = "it is no virtual function, or its physical function has no link on this node"
    else:
        cause = "this node has no such device"
    raise NotFound(
        f"cannot use virtual function {address}: {cause}",
        remedy="look at /sys/bus/pci/devices and sriov_numvfs on the node",
    )


def _physical(context: StepContext, function: VirtualFunction) -> DeviceLink:
    found = find_device(context.host, function.physical)
    if found is None:
        raise NotFound(
            f"cannot use virtual function {function.address}: its physical function "
            f"{function.physical} is not in this node's network namespace",
            remedy="give the physical function back to the node",
        )
    return found


def writer_of(context: StepContext, function: VirtualFunction) -> VfWriter:
    """Return what writes the settings of a function.

    Raises:
        NotFound: the physical function has no link.
    """
    physical = _physical(context, function)
    return VfWriter(context.host, physical.name, physical.index, function.number)


@dataclass(frozen=True, slots=True)
class StaleRecords(KernelStep[list[Call]]):
    """Find attachments of a function whose sandboxes are gone, and that were not detached."""

    address: str
    holds: VfHolds

    def do(self, context: StepContext) -> list[Call]:
        """Return them, as calls without a sandbox."""
        return self.holds.stale(self.address)


@dataclass(frozen=True, slots=True)
class HoldVf(KernelStep[None]):
    """Record that the sandbox has a function."""

    call: Call
    record: VfRecord
    conf: JsonObject
    holds: VfHolds

    def do(self, context: StepContext) -> None:
        """Hold it.

        Raises:
            VfBusy: another process is at work on the function.
            DeviceTaken: another sandbox has it.
        """
        self.holds.hold(self.call, self.record, self.conf)

    def undo(self, context: StepContext, done: None) -> None:
        """Release it."""
        self.holds.release(self.call, self.record)


def patiently(step: Step[T]) -> Steps[T]:
    """Carry out a step; wait where another process is at work on the function.

    Raises:
        VfBusy: it does not end.
    """
    for _try in range(_MOST_TRIES):
        try:
            return (yield from step)
        except VfBusy:
            yield from Wait(_PAUSE_SECONDS)
    return (yield from step)


@dataclass(frozen=True, slots=True)
class ApplySettings(KernelStep[bool]):
    """Write what a netconf wants of a function; False where its driver is not ready for it."""

    found: FoundVf
    wanted: SriovConf
    is_last: bool = False

    def do(self, context: StepContext) -> bool:
        """Write it, or leave all as it was.

        Raises:
            PlanesError: the driver refuses.
        """
        try:
            for write in changes(
                writer_of(context, self.found.function), self.found.settings, self.wanted
            ):
                write()
        except (Unavailable, Conflict):  # a driver that still resets the function
            self._put_back(context)
            if self.is_last:
                raise
            return False
        except BaseException:
            self._put_back(context)
            raise
        return True

    def undo(self, context: StepContext, done: bool) -> None:
        """Write all as it was."""
        if done:
            self._put_back(context)

    def _put_back(self, context: StepContext) -> None:
        writer = writer_of(context, self.found.function)
        try:
            restore(writer, self.found.settings, frozenset(changed_keys(self.wanted)))
        except PlanesError as error:
            facts = {"function": self.found.function.address, "error": str(error)}
            _log.warning("cannot give back all settings of a virtual function", extra=facts)


def apply_settings(found: FoundVf, wanted: SriovConf) -> Steps[None]:
    """Write the settings; wait for a driver that is not ready.

    Raises:
        PlanesError: the driver refuses.
    """
    for attempt in range(_MOST_WRITES):
        if (yield from ApplySettings(found, wanted, is_last=attempt == _MOST_WRITES - 1)):
            return
        yield from Wait(_PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class LoadRecord(KernelStep[tuple[VfRecord | None, bool]]):
    """Read the record of an attachment, and whether its function is there and nobody else's."""

    call: Call
    holds: VfHolds
    functions: PciFunctions

    def do(self, context: StepContext) -> tuple[VfRecord | None, bool]:
        """Return both; None without a record."""
        record = self.holds.load(self.call)
        if record is None:
            return None, False
        is_ours = self.holds.is_holder(self.call, record)
        return record, is_ours and self.functions.has(record.address)


@dataclass(frozen=True, slots=True)
class RestoreVfSettings(KernelStep[None]):
    """Write the settings of a function as they were, unless another sandbox has it meanwhile.

    Before its link is given back, because a driver may refuse the link its MAC while an
    administrative one is set.
    """

    call: Call
    record: VfRecord
    holds: VfHolds
    functions: PciFunctions

    def do(self, context: StepContext) -> None:
        """Write them.

        Raises:
            VfBusy: another process is at work on the function.
            PlanesError: the driver refuses one.
        """
        function = find_function(self.functions, self.record.address)
        with self.holds.locked(self.record.address):
            if self.holds.is_holder(self.call, self.record):
                writer = writer_of(context, function)
                restore(writer, self.record.found, self.record.changed)


@dataclass(frozen=True, slots=True)
class CheckSettings(KernelStep[bool]):
    """Compare a function's settings with a netconf; report whether a program has the function."""

    wanted: SriovConf
    functions: PciFunctions
    ifname: str

    def do(self, context: StepContext) -> bool:
        """Compare them.

        Raises:
            NotFound: the function is gone.
            Conflict: a setting differs.
        """
        function = find_function(self.functions, self.wanted.address)
        now = read_settings(context.host, function.physical, function.number)
        if changes(writer_of(context, function), now, self.wanted):
            raise Conflict(
                f"cannot confirm {self.ifname}: the settings of virtual function "
                f"{function.address} have changed",
                remedy=f"look at `ip link show {function.physical}` on the node",
            )
        return function.is_userspace
