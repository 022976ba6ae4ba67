"""Devices of a plan: each network whose NAD names a resource gets one of the pod's own devices.

Invariant: a device comes from the kubelet's answer about the pod, or from a resource claim that is
reserved for the pod; neither the NAD nor the pod can name another one for that resource. The
kubelet is asked, and claims are read, only where a NAD names a resource.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from cni.call import CniRequest, PodIdentity
from cni.devices.info_files import DeviceInfoFiles
from cni.devices.kubelet import KubeletDevices
from cni.journal.error_subject import ErrorSubject
from cni.journal.held_devices import DeviceHolder, held_devices
from cni.journal.journal import Journal
from cni.planning.plan_faults import Fault
from cni.planning.pods import Subject
from cni.plugins.attached_device import AttachedDevice
from cni.plugins.attachment import PlannedAttachment
from planes.model.decide.device_assignment import (
    Demand,
    assign_devices,
    device_key,
    devices_of_claims,
    no_device_left,
)
from planes.model.errors import PlanesError
from planes.model.names import shown
from planes.model.state.claimed_devices import ClaimedDevice
from planes.model.state.kubelet_devices import needed_device
from planes.model.wire.device_keys import DEVICE_ID, INFO_FILE, with_device

ClaimReader = Callable[[str, str, str], Awaitable[tuple[ClaimedDevice, ...]]]
"""Returns the devices of a pod's resource claims, by namespace, name and UID of the pod."""

_NO_DEVICES: Mapping[str, tuple[str, ...]] = {}
_log = logging.getLogger(__name__)


class DevicePlanner:
    """Assigns devices to the attachments of a plan.

    Args:
        kubelet: knows the devices of device plugins.
        claims: reads the devices of resource claims.
        journal: knows which devices attachments have.
        files: names the device information files.
    """

    def __init__(
        self,
        kubelet: KubeletDevices,
        claims: ClaimReader,
        journal: Journal,
        files: DeviceInfoFiles,
    ) -> None:
        self._kubelet = kubelet
        self._claims = claims
        self._journal = journal
        self._files = files

    async def plan(
        self,
        request: CniRequest,
        subject: Subject,
        attachments: Sequence[PlannedAttachment],
        faults: list[Fault],
    ) -> list[PlannedAttachment]:
        """Return the attachments with their devices.

        Args:
            request: the call.
            subject: the pod that the sandbox is for.
            attachments: the plan; those of a NAD with a resource have `device` set.
            faults: gets an error for each that needs a device and has none.
        """
        if all(one.device is None for one in attachments):
            return list(attachments)
        demands = [_demand(one) for one in attachments]
        assigned = await self._assign(request, subject, attachments, demands, faults)
        planned = []
        for one, device in zip(attachments, assigned, strict=True):
            path = self._files.path(one.network, request.container_id, one.ifname)
            planned.append(_with_device(one, device, path))
        return planned

    async def _assign(
        self,
        request: CniRequest,
        subject: Subject,
        attachments: Sequence[PlannedAttachment],
        demands: list[Demand],
        faults: list[Fault],
    ) -> tuple[str, ...]:
        """Return the device of each attachment, "" for none."""
        wanted = [one for one in demands if one.resource]
        if not wanted:
            return ("",) * len(demands)
        given: Mapping[str, Sequence[str]] = _NO_DEVICES
        claimed: tuple[ClaimedDevice, ...] = ()
        error: PlanesError | None = None
        held = held_devices(self._journal)
        try:
            given = await self._kubelet.devices(_identity(request, subject))
            if not all(_assigned(wanted, given, held)):
                claimed, given = await self._with_claims(subject, wanted, given)
        except PlanesError as caught:
            error = caught
        devices = assign_devices(demands, given, held)
        for one, demand, device in zip(attachments, demands, devices, strict=True):
            if device or not demand.resource:
                continue
            if demand.type:
                fault = error or no_device_left(
                    demand, given, claimed, _holders(demand, given, held)
                )
                faults.append((ErrorSubject.of(one), fault))
            elif error is not None:
                _log.warning(
                    "no device looked up", extra={"error": str(error), "ifname": one.ifname}
                )
        return devices

    async def _with_claims(
        self, subject: Subject, wanted: list[Demand], given: Mapping[str, Sequence[str]]
    ) -> tuple[tuple[ClaimedDevice, ...], Mapping[str, Sequence[str]]]:
        """Return the devices of the pod's claims, and all devices, those of claims last."""
        pod = subject.pod
        if not subject.is_known:
            return (), given
        claimed = await self._claims(pod.namespace, pod.name, pod.uid)
        more = devices_of_claims(claimed, {one.resource for one in wanted})
        names = dict.fromkeys([*given, *more])
        return claimed, {name: (*given.get(name, ()), *more.get(name, ())) for name in names}


def _demand(attachment: PlannedAttachment) -> Demand:
    resource = "" if attachment.device is None else attachment.device.resource
    kind = needed_device(attachment.conflist, resource) if resource else ""
    return Demand(resource, kind)


def _assigned(
    wanted: list[Demand], given: Mapping[str, Sequence[str]], held: Mapping[str, DeviceHolder]
) -> tuple[str, ...]:
    return assign_devices(wanted, given, held.keys())


def _identity(request: CniRequest, subject: Subject) -> PodIdentity:
    """Return the pod as the kubelet has it: the UID of a static pod is not that of its mirror."""
    return replace(subject.identity, uid=request.pod.uid or subject.identity.uid)


def _holders(
    demand: Demand, given: Mapping[str, Sequence[str]], held: Mapping[str, DeviceHolder]
) -> str:
    """Return which attachments have the pod's devices of a resource, "" for none."""
    keys = [(one, device_key(demand.resource, one)) for one in given.get(demand.resource, ())]
    return ", ".join(f"{shown(one)} is in use by {held[key]}" for one, key in keys if key in held)


def _with_device(one: PlannedAttachment, device: str, path: str) -> PlannedAttachment:
    """Return an attachment with its device in configuration and capability arguments."""
    if one.device is None:
        return one
    has_file = bool(device) or INFO_FILE in one.conflist.capabilities()
    # Of a network with a resource a pod cannot choose the device.
    dropped = {DEVICE_ID, INFO_FILE} if one.device.resource else {INFO_FILE}
    passed = {key: value for key, value in one.capability_args.items() if key not in dropped}
    if device:
        passed[DEVICE_ID] = device
    if has_file:
        passed[INFO_FILE] = path
    return replace(
        one,
        conflist=with_device(one.conflist, device) if device else one.conflist,
        capability_args=passed,
        device=AttachedDevice(one.device.resource, device, path if has_file else ""),
    )
