"""One network selection element: the value, and its form as a JSON object.

Keys are matched as Go does (case ignored, the last one wins, null is absent) and unknown ones are
warned about, because a typo would otherwise vanish silently (Multus #589).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from planes.model.addresses import parse_address, parse_request
from planes.model.bounds import MAX_IPS, MAX_MEMBERS, MAX_PORTS, MAX_UNKNOWN
from planes.model.decode import kind_of
from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.mac import parse_mac
from planes.model.names import check_ifname, is_dns_label, is_dns_subdomain, shown
from planes.model.objects import NadRef


@dataclass(frozen=True, slots=True)
class Selection:
    """One element: which NAD, and what is asked of it (multi-network spec 1.3, Multus 4).

    Attributes:
        ips: as written, each an address with or without prefix length; the parser checked them.
        default_route: gateways; () is the empty list that was written, None is no such key.
        raw: the JSON element, None for one of a comma list.
        unknown: names of members that nobody knows, cut short.
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


def check_reference(ref: NadRef, path: str, errors: list[Finding]) -> None:
    """Add what is wrong with a NAD's name."""
    if not is_dns_subdomain(ref.name):
        remedy = "name a NAD: lower-case letters, digits, - and ."
        errors.append(Finding(path, f"cannot use {shown(ref.name)} as a NAD's name", remedy))
    if not is_dns_label(ref.namespace):
        remedy = "name a namespace: lower-case letters, digits and -"
        errors.append(Finding(path, f"cannot use {shown(ref.namespace)} as a namespace", remedy))


def check_interface(interface: str, path: str, errors: list[Finding]) -> None:
    """Add what is wrong with an interface name."""
    try:
        check_ifname(interface)
    except BadInput as error:
        errors.append(Finding(path, error.message, error.remedy))


def read_element(
    obj: Any, path: str, pod_namespace: str, errors: list[Finding], warnings: list[Finding]
) -> Selection | None:
    """Read one JSON element; None where anything is wrong with it."""
    if not isinstance(obj, dict):
        message = f"cannot read the element: it must be an object, not {kind_of(obj)}"
        errors.append(Finding(path, message, 'write {"name": …}'))
        return None
    if len(obj) > MAX_MEMBERS:
        message = f"cannot read the element: it has {len(obj)} members"
        errors.append(Finding(path, message, f"give at most {MAX_MEMBERS}"))
        return None
    before = len(errors)
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in obj.items():
        if value is None:
            continue
        reader = _READERS.get(key) or _FOLDED.get(key.lower())
        if reader is None:
            unknown.append(key[:_SHOWN])
            _warn_unknown(key, path, warnings)
        else:
            attribute, wire, read = reader
            found[attribute] = read(value, f"{path}.{wire}", errors)
    ref = NadRef(found.get("namespace") or pod_namespace, found.get("name", ""))
    if "name" not in found:
        message = "cannot tell the NAD: the name is missing"
        errors.append(Finding(f"{path}.name", message, 'give "name"'))
    elif len(errors) == before:
        check_reference(ref, f"{path}.name", errors)
    legacy = found.pop("interface_request", "")
    interface = found.get("interface") or legacy
    if interface:
        check_interface(interface, f"{path}.interface", errors)
    if len(errors) > before:
        return None
    found.update(name=ref.name, namespace=ref.namespace, interface=interface, raw=obj)
    found["unknown"] = tuple(unknown)
    return Selection(**found)


def _warn_unknown(key: str, path: str, warnings: list[Finding]) -> None:
    if len(warnings) < MAX_UNKNOWN:
        close = get_close_matches(key[:_SHOWN], list(_READERS), 1)
        remedy = f"did you mean {close[0]}?" if close else "remove it"
        message = "nobody knows this field and it is ignored"
        warnings.append(Finding(f"{path}.{key[:_SHOWN]}", message, remedy))
    elif len(warnings) == MAX_UNKNOWN:
        message = "more fields that nobody knows are ignored too, here and after"
        warnings.append(Finding(path, message, "remove them"))


def _wrong(path: str, words: str, value: object, remedy: str = "") -> Finding:
    return Finding(path, f"cannot read it: it must be {words}, not {kind_of(value)}", remedy)


def _string(value: Any, path: str, errors: list[Finding]) -> str:
    if isinstance(value, str):
        return value
    errors.append(_wrong(path, "a string", value))
    return ""


def _object(value: Any, path: str, errors: list[Finding]) -> JsonObject | None:
    if isinstance(value, dict):
        return value
    errors.append(_wrong(path, "an object", value))
    return None


def _checked(
    value: Any, path: str, errors: list[Finding], check: Callable[[str], object]
) -> tuple[str, ...]:
    if not isinstance(value, list):
        remedy = f'write "{path.rpartition(".")[2]}": ["192.168.10.5"]'
        errors.append(_wrong(path, "a list of addresses", value, remedy))
        return ()
    if len(value) > MAX_IPS:
        message = f"cannot use {len(value)} addresses for one interface"
        errors.append(Finding(path, message, f"give at most {MAX_IPS}"))
        return ()
    for index, text in enumerate(value):
        if not isinstance(text, str):
            errors.append(_wrong(f"{path}[{index}]", "a string", text))
            continue
        try:
            check(text)
        except BadInput as error:
            errors.append(Finding(f"{path}[{index}]", error.message, error.remedy))
    return tuple(value)


def _ips(value: Any, path: str, errors: list[Finding]) -> tuple[str, ...]:
    return _checked(value, path, errors, parse_request)


def _gateways(value: Any, path: str, errors: list[Finding]) -> tuple[str, ...]:
    return _checked(value, path, errors, parse_address)


def _hardware_address(value: Any, path: str, errors: list[Finding]) -> str:
    text = _string(value, path, errors)
    try:
        if text:
            parse_mac(text)
    except BadInput as error:
        errors.append(Finding(path, error.message, error.remedy))
    return text


def _port_mappings(value: Any, path: str, errors: list[Finding]) -> tuple[JsonObject, ...]:
    if not isinstance(value, list):
        errors.append(_wrong(path, "a list of objects", value))
        return ()
    if len(value) > MAX_PORTS:
        message = f"cannot map {len(value)} ports of one interface"
        errors.append(Finding(path, message, f"map at most {MAX_PORTS}"))
        return ()
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            errors.append(_wrong(f"{path}[{index}]", "an object", entry))
            continue
        for port in ("hostPort", "containerPort"):
            number = entry.get(port, 0)
            if not _is_integer(number) or not 0 <= number <= 65535:
                place = f"{path}[{index}].{port}"
                errors.append(Finding(place, "cannot use it as a port", "give 1 to 65535"))
    return tuple(value)


def _bandwidth(value: Any, path: str, errors: list[Finding]) -> JsonObject | None:
    limits = _object(value, path, errors)
    for rate in ("ingressRate", "ingressBurst", "egressRate", "egressBurst"):
        number = None if limits is None else limits.get(rate)
        if number is not None and (not _is_integer(number) or number < 0):
            remedy = "give bits as an integer"
            errors.append(Finding(f"{path}.{rate}", "cannot use it as a rate", remedy))
    return limits


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_SHOWN = 32  # characters of a member's name that are shown
_Reader = tuple[str, str, Callable[[Any, str, list[Finding]], Any]]
_READERS: Mapping[str, _Reader] = {
    wire: (attribute, wire, read)
    for wire, attribute, read in (
        ("name", "name", _string),
        ("namespace", "namespace", _string),
        ("interface", "interface", _string),
        ("interfaceRequest", "interface_request", _string),
        ("ips", "ips", _ips),
        ("mac", "mac", _hardware_address),
        ("infiniband-guid", "infiniband_guid", _hardware_address),
        ("portMappings", "port_mappings", _port_mappings),
        ("bandwidth", "bandwidth", _bandwidth),
        ("deviceID", "device_id", _string),
        ("cni-args", "cni_args", _object),
        ("default-route", "default_route", _gateways),
        ("ipam-claim-reference", "ipam_claim_reference", _string),
    )
}
KNOWN_MEMBERS = frozenset(_READERS)
"""Names of all members of an element, as the annotation spells them."""
_FOLDED: Mapping[str, _Reader] = {wire.lower(): reader for wire, reader in _READERS.items()}


def to_element(selection: Selection) -> JsonObject:
    """Write an element as a JSON object, without empty fields."""
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
    """Give what only an author writes."""
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
