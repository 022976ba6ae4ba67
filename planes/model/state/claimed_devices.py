"""Devices of a pod by dynamic resource allocation (DRA): from its status to attributes of devices.

`pod.status` names the ResourceClaims, a claim's allocation names driver, pool and device, and the
ResourceSlice of that pool has the device's attributes (`resource.k8s.io/v1`).

Invariant: a claim counts only for a pod that it is reserved for, by UID; a claim of another pod in
the namespace gives no device.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from planes.model.decode import Fields
from planes.model.errors import BadInput, Denied, JsonObject, Unavailable
from planes.model.names import shown

DEVICE_ID_ATTRIBUTE: Final = "k8s.cni.cncf.io/deviceID"
RESOURCE_ATTRIBUTE: Final = "k8s.cni.cncf.io/resourceName"
MOST_CLAIMS: Final = 64
"""Claims of one pod that are read; each costs a request."""


class PoolName(NamedTuple):
    """The pool of a driver that a device is in."""

    driver: str
    pool: str


@dataclass(frozen=True, slots=True)
class ClaimUse:
    """A claim that a pod's status names.

    Attributes:
        name: of the ResourceClaim, in the pod's namespace.
        mapped: for extended resources that DRA provides: the resource by the request's name. Only
            the results of these requests count then; None where all results count.
    """

    name: str
    mapped: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class AllocatedDevice:
    """One result of a claim's allocation.

    Attributes:
        claim: the claim's name.
        pool: driver and pool.
        device: the device's name in the pool.
        mapped: the extended resource that the pod requested it by, "" for none.
    """

    claim: str
    pool: PoolName
    device: str
    mapped: str = ""


@dataclass(frozen=True, slots=True)
class ClaimedDevice:
    """An allocated device with what its driver publishes of it.

    Attributes:
        allocated: the allocation.
        resource: its attribute `k8s.cni.cncf.io/resourceName`, "" where it has none.
        device_id: its attribute `k8s.cni.cncf.io/deviceID`, "" where it has none.
    """

    allocated: AllocatedDevice
    resource: str = ""
    device_id: str = ""

    @property
    def mapped(self) -> str:
        """The extended resource that the pod requested it by, "" for none."""
        return self.allocated.mapped

    def __str__(self) -> str:
        one = self.allocated
        return (
            f"device {shown(one.device)} of claim {shown(one.claim)} (driver "
            f"{shown(one.pool.driver)}, pool {shown(one.pool.pool)})"
        )


def claims_of_status(pod_obj: JsonObject) -> tuple[ClaimUse, ...]:
    """Return the claims that a pod's status names; () for a pod without resource claims.

    Args:
        pod_obj: the pod, with its status.

    Raises:
        BadInput: a member has another type, or there are more than `MOST_CLAIMS`.
    """
    status = Fields(pod_obj, "the pod").child("status")
    if status is None:
        return ()
    found = {
        name: ClaimUse(name)
        for each in status.children("resourceClaimStatuses")
        if (name := each.string("resourceClaimName"))
    }
    uses = list(found.values())
    extended = status.child("extendedResourceClaimStatus")
    if extended is not None and (name := extended.string("resourceClaimName")):
        mapped = {
            each.string("requestName"): each.string("resourceName")
            for each in extended.children("requestMappings")
        }
        uses.append(ClaimUse(name, mapped))
    if len(uses) > MOST_CLAIMS:
        raise BadInput(
            f"cannot read the devices of the pod: it has more than {MOST_CLAIMS} resource claims",
            remedy="request several devices in one claim",
        )
    return tuple(uses)


def allocated_devices(claim: JsonObject, use: ClaimUse, uid: str) -> Iterator[AllocatedDevice]:
    """Yield what a claim's allocation gives a pod.

    Results with `adminAccess` are left out: others use these devices.

    Args:
        claim: the ResourceClaim.
        use: how the pod's status names it.
        uid: of the pod.

    Raises:
        Denied: the claim is not reserved for the pod.
        Unavailable: it has no allocation (yet).
        BadInput: a member has another type.
    """
    status = Fields(claim, f"ResourceClaim {shown(use.name)}").child("status")
    holders = status.children("reservedFor") if status is not None else []
    if not any(each.string("uid") == uid and each.string("resource") == "pods" for each in holders):
        raise Denied(
            f"cannot use resource claim {shown(use.name)}: it is not reserved for the pod",
            remedy="let the scheduler place the pod, which reserves its claims",
        )
    allocation = status.child("allocation") if status is not None else None
    devices = allocation.child("devices") if allocation is not None else None
    if devices is None or not devices.has("results"):
        raise Unavailable(
            f"cannot use resource claim {shown(use.name)}: it has no allocation of devices",
            remedy="try again; see the status of the claim if it lasts",
        )
    for result in devices.children("results"):
        request = result.string("request")
        if result.boolean("adminAccess") or (use.mapped is not None and request not in use.mapped):
            continue
        pool = PoolName(result.string("driver"), result.string("pool"))
        mapped = "" if use.mapped is None else use.mapped[request]
        yield AllocatedDevice(use.name, pool, result.string("device"), mapped)


@dataclass(slots=True)
class PublishedDevices:
    """Attributes of devices, collected from ResourceSlices.

    A pool may have several slices. Slices of an older generation than the newest of their pool are
    left out (ResourcePool.generation).

    Args:
        wanted: the devices whose attributes are kept.
    """

    wanted: frozenset[tuple[PoolName, str]]
    _generations: dict[PoolName, int] = field(default_factory=dict)
    _found: dict[tuple[PoolName, str], tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, allocated: Iterable[AllocatedDevice]) -> PublishedDevices:
        """Return an empty collection for some allocated devices."""
        return cls(frozenset((one.pool, one.device) for one in allocated))

    @property
    def missing(self) -> frozenset[PoolName]:
        """The pools of devices that no slice has so far."""
        return frozenset(pool for pool, device in self.wanted - self._found.keys())

    def add(self, slice_obj: JsonObject) -> None:
        """Take the wanted devices of one ResourceSlice.

        Raises:
            BadInput: a member has another type.
        """
        spec = Fields(slice_obj, "the ResourceSlice").child("spec")
        named = None if spec is None else spec.child("pool")
        if spec is None or named is None:
            return
        pool = PoolName(spec.string("driver"), named.string("name"))
        if all(pool != wanted for wanted, _device in self.wanted):
            return
        generation = named.integer("generation")
        newest = self._generations.get(pool, -1)
        if generation < newest:
            return
        if generation > newest:
            self._generations[pool] = generation
            self._found = {key: value for key, value in self._found.items() if key[0] != pool}
        for device in spec.children("devices"):
            key = pool, device.string("name")
            if key in self.wanted:
                attributes = device.object("attributes") or {}
                self._found[key] = (
                    _text(attributes, RESOURCE_ATTRIBUTE),
                    _text(attributes, DEVICE_ID_ATTRIBUTE),
                )

    def claimed(self, allocated: Iterable[AllocatedDevice]) -> tuple[ClaimedDevice, ...]:
        """Return allocated devices with their attributes.

        Raises:
            Unavailable: no slice has one of them (yet).
        """
        return tuple(map(self._claimed, allocated))

    def _claimed(self, one: AllocatedDevice) -> ClaimedDevice:
        found = self._found.get((one.pool, one.device))
        if found is None:
            raise Unavailable(
                f"cannot find {ClaimedDevice(one)} in any ResourceSlice",
                remedy="see whether the DRA driver runs on the node: it publishes its devices",
            )
        return ClaimedDevice(one, *found)


def _text(attributes: Mapping[str, Any], name: str) -> str:
    """Return a device's attribute that is a string, "" for none or another type."""
    attribute = attributes.get(name)
    value = attribute.get("string") if isinstance(attribute, dict) else None
    return value if isinstance(value, str) else ""
