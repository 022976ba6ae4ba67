"""One network selection element: the value, and how it is written as a JSON object."""

from __future__ import annotations

from dataclasses import dataclass

from planes.model.errors import JsonObject
from planes.model.objects import NadRef


@dataclass(frozen=True, slots=True)
class Selection:
    """One element: a NAD and the requests for its attachment (multi-network spec 1.3, Multus 4).

    Attributes:
        ips: as written, each a valid address with or without prefix length.
        default_route: gateways; () for an empty list, None where the key is absent.
        raw: the JSON element, None for one of a comma list.
        unknown: names of unknown members, cut short.
    """

    name: str
    namespace: str
    interface: str = ""
    ips: tuple[str, ...] = ()
    mac: str = ""
    infiniband_guid: str = ""
    port_mappings: tuple[JsonObject, ...] = ()
    bandwidth: JsonObject | None = None
    device_id: str = ""
    cni_args: JsonObject | None = None
    default_route: tuple[str, ...] | None = None
    ipam_claim_reference: str = ""
    raw: JsonObject | None = None
    unknown: tuple[str, ...] = ()

    @property
    def ref(self) -> NadRef:
        """The NAD it names."""
        return NadRef(self.namespace, self.name)


def to_element(selection: Selection) -> JsonObject:
    """Return an element as a JSON object, without empty fields."""
    element: JsonObject = {"name": selection.name, "namespace": selection.namespace}
    if selection.interface:
        element["interface"] = selection.interface
    if selection.ips:
        element["ips"] = selection.ips
    if (
        selection.mac
        or selection.infiniband_guid
        or selection.port_mappings
        or selection.bandwidth
        or selection.device_id
        or selection.cni_args
        or selection.ipam_claim_reference
    ):
        element.update(_rare_members(selection))
    if selection.default_route is not None:
        element["default-route"] = selection.default_route
    return element


def _rare_members(selection: Selection) -> JsonObject:
    """Return the members that only authors write."""
    members: JsonObject = {
        "mac": selection.mac,
        "infiniband-guid": selection.infiniband_guid,
        "portMappings": selection.port_mappings,
        "bandwidth": selection.bandwidth,
        "deviceID": selection.device_id,
        "cni-args": selection.cni_args,
        "ipam-claim-reference": selection.ipam_claim_reference,
    }
    return {key: value for key, value in members.items() if value}
