"""Assign the devices that were allocated to a pod to its networks.

The kubelet and the scheduler say which devices of which resource a pod has. Its networks get them
in the order of the annotation, one each.

Invariant: a network gets a device of its own NAD's resource only, and no two networks get one
device.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from planes.model.errors import BadInput, PlanesError, Unavailable
from planes.model.names import shown
from planes.model.state.claimed_devices import (
    DEVICE_ID_ATTRIBUTE,
    RESOURCE_ATTRIBUTE,
    ClaimedDevice,
)

_PCI: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.IGNORECASE)
_DEVICE: Final = re.compile(r"[!-~]{1,253}")
_MOST_SHOWN: Final = 4

DevicesByResource = Mapping[str, Sequence[str]]
"""The device IDs of a pod by resource, in the order in which its networks get them."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A network that gets a device where the pod has one.

    Attributes:
        resource: as its NAD names it.
        type: the plugin type that cannot do without a device; "" where it works without one.
    """

    resource: str
    type: str = ""


def device_key(resource: str, device: str) -> str:
    """Return what identifies a device on its node.

    A PCI address is the same device under any resource. Other IDs are the device plugin's own.
    """
    return device.lower() if _PCI.fullmatch(device) else f"{resource}/{device}"


def assign_devices(
    demands: Iterable[Demand], given: DevicesByResource, held: Collection[str]
) -> tuple[str, ...]:
    """Return the device of each network, "" for a network that gets none.

    Args:
        demands: the networks, in the order of the annotation.
        given: the devices that were allocated to the pod.
        held: the keys (`device_key`) of devices that other attachments have.
    """
    used = set(held)
    assigned = []
    for demand in demands:
        own = given.get(demand.resource, ())
        free = (one for one in own if device_key(demand.resource, one) not in used)
        device = next(free, "")
        if device:
            used.add(device_key(demand.resource, device))
        assigned.append(device)
    return tuple(assigned)


def is_usable_id(device: str) -> bool:
    """Report whether a text can be the ID of a device: plugins make paths of it."""
    return _DEVICE.fullmatch(device) is not None and ".." not in device


def devices_of_claims(
    claimed: Iterable[ClaimedDevice], resources: Collection[str]
) -> Mapping[str, list[str]]:
    """Return the device IDs that resource claims give a pod, by resource.

    Args:
        claimed: the devices of the pod's claims.
        resources: those that the NADs name. Devices of others are of no concern: a claim may
            hold GPUs as well.

    Raises:
        BadInput: a device has no ID, or is of another resource than the pod requested.
    """
    found: dict[str, list[str]] = {}
    for one in claimed:
        if one.mapped in resources and one.resource != one.mapped:
            raise _mismatch(one)
        if one.resource not in resources:
            continue
        if not is_usable_id(one.device_id):
            what = shown(one.device_id) if one.device_id else "missing"
            raise BadInput(
                f"cannot use {one} of resource {shown(one.resource)}: its attribute "
                f"{DEVICE_ID_ATTRIBUTE} is {what}",
                remedy="the DRA driver must publish it in the ResourceSlice",
            )
        ids = found.setdefault(one.resource, [])
        if one.device_id not in ids:
            ids.append(one.device_id)
    return found


def _mismatch(one: ClaimedDevice) -> BadInput:
    has = f"is {shown(one.resource)}" if one.resource else "is missing"
    return BadInput(
        f"cannot use {one} for resource {shown(one.mapped)} that the pod requests: its attribute "
        f"{RESOURCE_ATTRIBUTE} {has}",
        remedy="the DRA driver must publish the resource's name, as the NAD has it, in the "
        "ResourceSlice",
    )


def no_device_left(
    demand: Demand, given: DevicesByResource, claimed: Sequence[ClaimedDevice], holders: str = ""
) -> PlanesError:
    """Return the error of a network that cannot do without a device and gets none.

    Args:
        demand: the network.
        given: the devices that were allocated to the pod.
        claimed: the devices of its resource claims, whatever their resource.
        holders: the attachments that have those devices, "" where there are none.
    """
    resource, count = shown(demand.resource), len(given.get(demand.resource, ()))
    if holders:
        return Unavailable(
            f"cannot get a device of resource {resource}: {holders}",
            remedy="it is free once that is detached; give every network a device of its own",
        )
    if count:
        return BadInput(
            f"cannot get a device of resource {resource}: the pod has {count} of it, and more "
            "networks need one each",
            remedy=f"let the pod's containers request as many of {resource} as it has networks "
            "of it",
        )
    others = [_described(one) for one in claimed[:_MOST_SHOWN]]
    has = f"; its resource claims have {', '.join(others)}" if others else ""
    return BadInput(
        f"cannot get a device of resource {resource} for type {shown(demand.type)}: none was "
        f"allocated to the pod{has}",
        remedy=f"let a container of the pod request {resource} (resources.limits), or a resource "
        f"claim whose device has {RESOURCE_ATTRIBUTE} {resource}",
    )


def _described(one: ClaimedDevice) -> str:
    if one.resource:
        return f"{one} of resource {shown(one.resource)}"
    return f"{one} without attribute {RESOURCE_ATTRIBUTE}"
