"""Type `host-device`: a device of the host, moved into the sandbox for the life of the pod.

Keys, results and kernel state are the reference plugin's. Otherwise than there a device comes back
with its MTU, MAC, addresses and routes, and up where it was up; DEL may be repeated, and works with
the sandbox gone; the node's own uplink is refused; the capability `mac` is honoured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from cni.native import checks
from cni.native.device_moves import MoveIn, give_back_device
from cni.native.device_records import DeviceRecords
from cni.native.interface import chosen_mac, on_interface, require_netns
from cni.native.link_steps import ReadSandbox, configure_link, take_addresses
from cni.native.plugin import LinkType
from cni.native.steps import KernelStep, StepContext, Steps
from cni.net.configure import Setup
from cni.net.device_links import DeviceLink, find_device, list_devices, set_device_mac
from cni.net.errors import MissingDevice
from cni.net.find_master import devices_of
from cni.net.pci_functions import USERSPACE_DRIVERS, PciFunctions
from cni.plugins.device_taken import DeviceTaken
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, NotFound
from planes.model.mac import format_mac, parse_mac
from planes.model.names import shown
from planes.model.wire.dns import parse_dns
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Dns, Interface, Result

_LONGEST: Final = 256
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:@/-]{1,128}")


@dataclass(frozen=True, slots=True)
class _HostDeviceConf:
    """The first of these that is set names the device; `allocated` comes before `pci`."""

    device: str
    mac: str
    path: str
    pci: str
    allocated: str
    dns: Dns
    wanted_mac: str = ""


def _settings(call: Call, conf: NetConf) -> _HostDeviceConf:
    fields = conf.fields()
    runtime = fields.child("runtimeConfig")
    texts = {key: fields.string(key) for key in ("device", "hwaddr", "kernelpath", "pciBusID")}
    allocated = runtime.string("deviceID") if runtime is not None else ""
    if not allocated and not any(texts[key] for key in ("device", "hwaddr", "kernelpath")):
        allocated = fields.string("deviceID")  # as Multus injects it, without a capability
    for key, value in {**texts, "deviceID": allocated}.items():
        if len(value.encode(errors="surrogateescape")) > _LONGEST or "\0" in value:
            raise BadInput(
                f"cannot use {shown(value)} as {key}: it is too long, or no name",
                remedy="name the device as `ip link` and /sys/bus/pci/devices do",
            )
    if not allocated and not any(texts.values()):
        raise BadInput(
            "cannot move a device into the sandbox: the network's configuration names none",
            remedy='give "device", "hwaddr", "kernelpath" or "pciBusID", or the resource of a '
            "device plugin (k8s.v1.cni.cncf.io/resourceName)",
        )
    mac = format_mac(parse_mac(texts["hwaddr"])) if texts["hwaddr"] else ""
    return _HostDeviceConf(
        texts["device"],
        mac,
        texts["kernelpath"],
        texts["pciBusID"],
        allocated,
        parse_dns(fields.child("dns")),
        chosen_mac(
            runtime.string("mac") if runtime is not None else "",
            call.arg("MAC") if call.plane else "",  # one that the plane makes from the address
        ),
    )


@dataclass(frozen=True, slots=True)
class _FindDevice(KernelStep[DeviceLink | None]):
    """Find the device; None for one that its driver leaves to a program."""

    settings: _HostDeviceConf
    functions: PciFunctions
    records: DeviceRecords

    def do(self, context: StepContext) -> DeviceLink | None:
        """Return its link.

        Raises:
            MissingDevice: the host does not have it.
            DeviceTaken: another container has it.
            NotFound: there is no device of the ID that the pod was given.
        """
        one, pci = self.settings, self.settings.pci
        names: tuple[str, ...] | None = None
        if one.allocated and self.functions.has(one.allocated):
            pci = one.allocated
        elif one.allocated:
            names = self.functions.auxiliary_links(one.allocated)
            if names is None:
                raise NotFound(
                    f"cannot find the device {shown(one.allocated)} that the pod was given: it is "
                    "neither a PCI nor an auxiliary device of this node",
                    remedy="see whether it still exists on the node, and the log of its device "
                    "plugin",
                )
            pci = ""
        if pci and self.functions.driver(pci) in USERSPACE_DRIVERS:
            return None
        found = self._link(context, pci, names or ())
        if found is None:
            name = one.device or one.mac or one.path or pci or one.allocated
            if container_id := self.records.container_of(one.device or pci or one.allocated):
                raise DeviceTaken(name, container_id)
            spelled = name if _PLAIN.fullmatch(name) else shown(name)
            raise MissingDevice(spelled, devices_of(context.host))
        return found

    def _link(
        self, context: StepContext, pci: str, auxiliary: tuple[str, ...]
    ) -> DeviceLink | None:
        one = self.settings
        if one.device:
            return find_device(context.host, one.device)
        if one.mac:
            links = list_devices(context.host)
            return next((link for link in links if link.mac == one.mac), None)
        if one.path:
            names = self.functions.path_links(one.path)
        else:
            names = self.functions.links(pci) if pci else auxiliary
        return find_device(context.host, names[0]) if names else None


@dataclass(frozen=True, slots=True)
class _SetMac(KernelStep[None]):
    """Write the MAC that the pod asks for; the device gets back its own with the rest."""

    ifname: str
    mac: str

    def do(self, context: StepContext) -> None:
        """Write it.

        Raises:
            PlanesError: the driver refuses it.
        """
        link = find_device(context.sandbox.channel, self.ifname)
        if link is not None:
            context.sandbox.channel.batch([set_device_mac(link, self.mac)])


class HostDevice(LinkType):
    """Plugin type `host-device`.

    Args:
        records: of devices that are in sandboxes.
        functions: finds devices by their address.
    """

    def __init__(self, records: DeviceRecords, functions: PciFunctions) -> None:
        self._records = records
        self._functions = functions

    def unsupported(self, conf: NetConf) -> str:
        """Return why a netconf needs the binary; "" where it does not."""
        wanted = conf.fields().raw("useInterfaceNetwork")
        if wanted is None or wanted is False:
            return ""
        return "useInterfaceNetwork, which copies the host's addresses, routes and rules"

    def links(self, call: Call, conf: NetConf) -> tuple[str, ...]:
        """Return (): the device is given back, never removed."""
        return ()

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Return True."""
        return True

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Move the device into the sandbox, get its addresses, configure it.

        Raises:
            PlanesError: it cannot be done.
        """
        require_netns(call)
        settings = _settings(call, conf)
        device = yield from _FindDevice(settings, self._functions, self._records)
        interface = Interface(call.ifname, sandbox=call.netns)
        if device is not None:
            moved = yield from MoveIn(call, device, self._records, alias=True)
            if settings.wanted_mac:
                yield from _SetMac(call.ifname, settings.wanted_mac)
            interface = replace(interface, mac=settings.wanted_mac or moved.mac)
        given = yield from take_addresses(call, conf)
        dns = settings.dns if conf.ipam_type else Dns()
        result = on_interface(replace(given, interfaces=(interface,), dns=dns), 0)
        if device is not None:
            yield from configure_link(Setup(call.ifname, result))
        return result

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare the interface with the prevResult.

        Raises:
            PlanesError: it differs.
        """
        require_netns(call)
        settings = _settings(call, conf)
        pci = settings.allocated or settings.pci
        if self._functions.driver(pci) in USERSPACE_DRIVERS:
            return
        yield from check_moved(call, checks.previous_result(conf))

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Return the device to the host.

        Raises:
            PlanesError: it is not on the host, or the kernel refuses.
        """
        yield from give_back_device(call, self._records)


def check_moved(call: Call, previous: Result) -> Steps[None]:
    """Compare a moved device with the prevResult: MAC, addresses, routes.

    Raises:
        PlanesError: it differs.
    """
    expected = checks.sandbox_interface(call, previous)
    facts = yield from ReadSandbox()
    link = facts.link(call.ifname)
    if link is None:
        raise NotFound(f"cannot find interface {call.ifname} in the sandbox")
    checks.check_mac(link, expected)
    checks.check_addresses(facts, link, previous)
    checks.check_routes(facts, link, previous)
