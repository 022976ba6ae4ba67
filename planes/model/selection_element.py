"""One network selection element: the value, and its form as a JSON object.

Keys are matched as Go does (case ignored, the last one wins, null is absent) and unknown ones are
warned about, because a typo would otherwise vanish silently (Multus #589).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from planes.model.addresses import parse_address, parse_interface
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

    @property
    def ref(self) -> NadRef:
        """The NAD it names."""
        return NadRef(self.namespace, self.name)


_KEYS = (
    "name",
    "namespace",
    "interface",
    "interfaceRequest",
    "ips",
    "mac",
    "infiniband-guid",
    "portMappings",
    "bandwidth",
    "deviceID",
    "cni-args",
    "default-route",
    "ipam-claim-reference",
)
_FOLDED = frozenset(key.lower() for key in _KEYS)
_PORTS = ("hostPort", "containerPort")
_RATES = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")


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
    before = len(errors)
    reader = _Element(obj, path, errors)
    selection = reader.selection(pod_namespace)
    _warn_unknown(obj, path, warnings)
    return selection if len(errors) == before else None


def _warn_unknown(obj: JsonObject, path: str, warnings: list[Finding]) -> None:
    for key in obj:
        if key.lower() not in _FOLDED:
            close = get_close_matches(key[:32], _KEYS, 1)
            remedy = f"did you mean {close[0]}?" if close else "remove it"
            warnings.append(
                Finding(f"{path}.{key[:32]}", "nobody knows this field and it is ignored", remedy)
            )


class _Element:
    """Typed access to one element's members; what is wrong goes to `errors`."""

    def __init__(self, obj: JsonObject, path: str, errors: list[Finding]) -> None:
        self._obj = obj
        self._members = {key.lower(): value for key, value in obj.items() if value is not None}
        self._path = path
        self._errors = errors

    def selection(self, pod_namespace: str) -> Selection:
        name = self._string("name")
        namespace = self._string("namespace") or pod_namespace
        if "name" not in self._members:
            self._report("name", "cannot tell the NAD: the name is missing", 'give "name"')
        elif name is not None:
            check_reference(NadRef(namespace, name), f"{self._path}.name", self._errors)
        interface = self._string("interface") or self._string("interfaceRequest") or ""
        if interface:
            check_interface(interface, f"{self._path}.interface", self._errors)
        default_route = self._checked("default-route", parse_address)
        return Selection(
            name=name or "",
            namespace=namespace,
            interface=interface,
            ips=self._checked("ips", _check_ip),
            mac=self._hardware_address("mac"),
            infiniband_guid=self._hardware_address("infiniband-guid"),
            port_mappings=self._port_mappings(),
            bandwidth=self._bandwidth(),
            device_id=self._string("deviceID") or "",
            cni_args=self._object("cni-args"),
            default_route=default_route if "default-route" in self._members else None,
            ipam_claim_reference=self._string("ipam-claim-reference") or "",
            raw=self._obj,
        )

    def _report(self, key: str, message: str, remedy: str = "") -> None:
        self._errors.append(Finding(f"{self._path}.{key}", message, remedy))

    def _wrong(self, key: str, words: str, value: object, remedy: str = "") -> None:
        self._report(key, f"cannot read it: it must be {words}, not {kind_of(value)}", remedy)

    def _string(self, key: str) -> str | None:
        value = self._members.get(key.lower())
        if value is None or isinstance(value, str):
            return value
        self._wrong(key, "a string", value)
        return None

    def _object(self, key: str) -> JsonObject | None:
        value = self._members.get(key.lower())
        if value is None or isinstance(value, dict):
            return value
        self._wrong(key, "an object", value)
        return None

    def _list(self, key: str, words: str, remedy: str) -> list[Any]:
        value = self._members.get(key.lower())
        if isinstance(value, list):
            return value
        if value is not None:
            self._wrong(key, words, value, remedy)
        return []

    def _checked(self, key: str, check: Callable[[str], object]) -> tuple[str, ...]:
        found = []
        texts = self._list(key, "a list of addresses", f'write "{key}": ["192.168.10.5"]')
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                self._wrong(f"{key}[{index}]", "a string", text)
                continue
            try:
                check(text)
            except BadInput as error:
                self._report(f"{key}[{index}]", error.message, error.remedy)
            found.append(text)
        return tuple(found)

    def _hardware_address(self, key: str) -> str:
        text = self._string(key)
        if not text:
            return ""
        try:
            parse_mac(text)
        except BadInput as error:
            self._report(key, error.message, error.remedy)
        return text

    def _port_mappings(self) -> tuple[JsonObject, ...]:
        found = []
        entries = self._list("portMappings", "a list of objects", "")
        for index, entry in enumerate(entries):
            key = f"portMappings[{index}]"
            if not isinstance(entry, dict):
                self._wrong(key, "an object", entry)
                continue
            for port in _PORTS:
                number = entry.get(port, 0)
                if not _is_integer(number) or not 0 <= number <= 65535:
                    self._report(f"{key}.{port}", "cannot use it as a port", "give 1 to 65535")
            found.append(entry)
        return tuple(found)

    def _bandwidth(self) -> JsonObject | None:
        limits = self._object("bandwidth")
        for rate in _RATES if limits else ():
            number = limits.get(rate) if limits else None
            if number is not None and (not _is_integer(number) or number < 0):
                self._report(f"bandwidth.{rate}", "cannot use it as a rate", "give bits as integer")
        return limits


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_ip(text: str) -> object:
    return parse_interface(text) if "/" in text else parse_address(text)


def to_element(selection: Selection) -> JsonObject:
    """Write an element as a JSON object, without empty fields."""
    fields: JsonObject = {
        "name": selection.name,
        "namespace": selection.namespace,
        "interface": selection.interface,
        "ips": list(selection.ips),
        "mac": selection.mac,
        "infiniband-guid": selection.infiniband_guid,
        "portMappings": list(selection.port_mappings),
        "bandwidth": selection.bandwidth,
        "deviceID": selection.device_id,
        "cni-args": selection.cni_args,
        "ipam-claim-reference": selection.ipam_claim_reference,
    }
    element = {key: value for key, value in fields.items() if value}
    if selection.default_route is not None:
        element["default-route"] = list(selection.default_route)
    return element
