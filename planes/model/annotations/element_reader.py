"""Read one network selection element from JSON, listing everything that is wrong with it.

Keys are matched as Go does (case ignored, the last one wins, null is absent) and unknown ones are
warned about: Multus ignores a misspelt key without a word (#589; so with 4.3.0, and the notes of
4.3.1 do not mention it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from planes.model.addresses import parse_address, parse_request
from planes.model.annotations.selection_element import Selection
from planes.model.bounds import MAX_IPS, MAX_MEMBERS, MAX_PORTS, MAX_UNKNOWN
from planes.model.decode import kind_of
from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.mac import parse_mac
from planes.model.names import check_ifname, is_dns_label, is_dns_subdomain, shown
from planes.model.near_names import did_you_mean, nearest_name
from planes.model.objects import NadRef


def check_reference(ref: NadRef, path: str, errors: list[Finding]) -> None:
    """Check a NAD's name and namespace; errors are added."""
    if not is_dns_subdomain(ref.name):
        remedy = "name a NAD: lower-case letters, digits, - and ."
        errors.append(Finding(path, f"cannot use {shown(ref.name)} as a NAD's name", remedy))
    if not is_dns_label(ref.namespace):
        remedy = "name a namespace: lower-case letters, digits and -"
        errors.append(Finding(path, f"cannot use {shown(ref.namespace)} as a namespace", remedy))


def _check_name(ref: NadRef, path: str, errors: list[Finding]) -> None:
    """Check the name of a JSON element, which may not be a shorthand; errors are added."""
    reference, at, interface = ref.name.partition("@")
    namespace, slash, name = reference.rpartition("/")
    if not (at or slash) or not is_dns_subdomain(name):
        check_reference(ref, path, errors)
        return
    members = [f'"namespace": {shown(namespace)}'] if slash else []
    members.append(f'"name": {shown(name)}')
    members += [f'"interface": {shown(interface)}'] if at else []
    message = f"cannot use {shown(ref.name)} as a NAD's name: in JSON each part has its own member"
    errors.append(Finding(path, message, f"write {', '.join(members)}"))


def check_interface(interface: str, path: str, errors: list[Finding]) -> None:
    """Check an interface name; errors are added."""
    try:
        check_ifname(interface)
    except BadInput as error:
        errors.append(Finding(path, error.message, error.remedy))


def read_element(
    obj: Any, path: str, pod_namespace: str, errors: list[Finding], warnings: list[Finding]
) -> Selection | None:
    """Read one JSON element; None where it has errors."""
    if not isinstance(obj, dict):
        message = f"cannot read the element: it must be an object, not {kind_of(obj)}"
        name = shown(obj) if isinstance(obj, str) and is_dns_subdomain(obj) else "…"
        errors.append(Finding(path, message, f'write {{"name": {name}}}'))
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
        _check_name(ref, f"{path}.name", errors)
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
        remedy = did_you_mean(nearest_name(key[:_SHOWN], KNOWN_MEMBERS), "remove it")
        message = "nobody knows this field and it is ignored"
        warnings.append(Finding(f"{path}.{key[:_SHOWN]}", message, remedy))
    elif len(warnings) == MAX_UNKNOWN:
        message = "more fields that nobody knows are ignored too, here and after"
        warnings.append(Finding(path, message, "remove them"))


def _wrong(path: str, words: str, value: object, remedy: str = "") -> Finding:
    message = f"cannot read it: it must be {words}, not {kind_of(value)}"
    return Finding(path, message, remedy or _HOW_TO_WRITE.get(words, ""))


_HOW_TO_WRITE: Mapping[str, str] = {
    "a string": 'put it in double quotes: "…"',
    "an object": 'write {"key": "value"}',
    "a list of objects": 'write [{"key": "value"}]',
}


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
