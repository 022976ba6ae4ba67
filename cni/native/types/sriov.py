"""Type `sriov`: a virtual function of an SR-IOV device, with its settings, for one pod.

Keys, files and kernel state are those of sriov-cni 2.10. Otherwise than there a failed ADD leaves
nothing, DEL gives back settings and link with the sandbox gone too, CHECK compares, and an unknown
word for `spoofchk` or `trust` is refused. The settings belong to administrators: they change what
the network's switch accepts from the pod.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cni.native import checks
from cni.native.device_moves import MoveIn, give_back_device
from cni.native.device_records import DeviceRecord, DeviceRecords
from cni.native.interface import on_interface, require_netns
from cni.native.link_steps import configure_link, take_addresses
from cni.native.plugin import LinkType
from cni.native.steps import KernelStep, StepContext, Steps
from cni.native.types.host_device import check_moved
from cni.native.types.sriov_conf import SriovConf, read_sriov_conf
from cni.native.types.sriov_holds import VfHolds, VfRecord
from cni.native.types.sriov_link import announce_addresses, set_link_mac
from cni.native.types.sriov_settings import changed_keys
from cni.native.types.sriov_steps import (
    CheckSettings,
    FindVf,
    FoundVf,
    HoldVf,
    LoadRecord,
    RestoreVfSettings,
    StaleRecords,
    apply_settings,
    patiently,
)
from cni.net.configure import ANNOUNCE, Setup
from cni.net.found_state import FoundState
from cni.net.pci_functions import PciFunctions
from cni.net.vf_settings import NO_MAC
from cni.plugins.plugin import Call
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Interface, Result

_SYSCTLS = (*ANNOUNCE, ("ipv6", "optimistic_dad", "1"))


class Sriov(LinkType):
    """Plugin type `sriov`.

    Args:
        holds: which sandbox has which function.
        records: of links that are in sandboxes.
        functions: finds functions by their address.
    """

    def __init__(self, holds: VfHolds, records: DeviceRecords, functions: PciFunctions) -> None:
        self._holds = holds
        self._records = records
        self._functions = functions

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return (): the function's link is given back, never removed."""
        return ()

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Return True."""
        return True

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Hold the function, write its settings, move its link in, configure addresses.

        Raises:
            PlanesError: it cannot be done.
        """
        require_netns(call)
        wanted = read_sriov_conf(call, conf)
        for stale in (yield from StaleRecords(wanted.address, self._holds)):
            yield from self._give_back(stale)
        found = yield from FindVf(wanted.address, self._functions, self._holds)
        members = {key: conf.raw[key] for key in conf.raw if key != "prevResult"}
        record = _record(call, found, wanted)
        reference = {**members, "Master": found.function.physical, "VFID": found.function.number}
        yield from patiently(HoldVf(call, record, {**reference, "MAC": wanted.mac}, self._holds))
        yield from apply_settings(found, wanted)
        if found.link is not None:
            yield from MoveIn(call, found.link, self._records)
            if wanted.mac:
                yield from set_link_mac(found, call.ifname, wanted.mac)
        given = yield from take_addresses(call, conf)
        interface = Interface(call.ifname, _mac(found, wanted), found.mtu, call.netns)
        result = on_interface(replace(given, interfaces=(interface,)), 0)
        if found.link is not None:
            link = yield from configure_link(Setup(call.ifname, result, _SYSCTLS))
            if result.ips:
                yield from announce_addresses(link, tuple(one.ip for one in result.ips))
        return result

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare link, addresses, routes and settings with the prevResult and the netconf.

        Raises:
            PlanesError: one differs.
        """
        require_netns(call)
        wanted = read_sriov_conf(call, conf)
        previous = checks.previous_result(conf)
        is_userspace = yield from CheckSettings(wanted, self._functions, call.ifname)
        if not is_userspace:
            yield from check_moved(call, previous)

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Restore settings, return the link, release the function; nothing without a record.

        Raises:
            PlanesError: the driver or the kernel refuses; the function stays held.
        """
        yield from self._give_back(call)

    def _give_back(self, call: Call) -> Steps[None]:
        record, is_ours = yield from LoadRecord(call, self._holds, self._functions)
        if record is None:
            return
        if is_ours:
            yield from patiently(RestoreVfSettings(call, record, self._holds, self._functions))
            if record.name:
                state = FoundState(record.name, record.mac, record.mtu)
                known = DeviceRecord(state, record.address, is_shown=True)
                yield from give_back_device(call, self._records, known)
        yield from patiently(_Release(call, record, self._holds, self._records))


def _record(call: Call, found: FoundVf, wanted: SriovConf) -> VfRecord:
    link = found.link
    return VfRecord(
        found.function.address,
        call.netns,
        frozenset(changed_keys(wanted)),
        found.settings,
        link.name if link is not None else "",
        link.mac if link is not None else "",
        found.mtu,
    )


def _mac(found: FoundVf, wanted: SriovConf) -> str:
    if wanted.mac or found.link is not None:
        return wanted.mac or (found.link.mac if found.link is not None else "")
    return "" if found.settings.mac == NO_MAC else found.settings.mac


@dataclass(frozen=True, slots=True)
class _Release(KernelStep[None]):
    """Remove what the files have about an attachment."""

    call: Call
    record: VfRecord
    holds: VfHolds
    records: DeviceRecords

    def do(self, context: StepContext) -> None:
        """Remove it."""
        self.records.drop(self.call)
        self.holds.release(self.call, self.record)
