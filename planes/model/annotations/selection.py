"""Network selections: the text of `k8s.v1.cni.cncf.io/networks`, in both syntaxes.

A text with any of `[`, `{`, `"` is JSON, anything else a comma list (Multus' rule). Any text gives
selections and findings, never another exception; each finding's path names element and field.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from planes.model.annotations.element_reader import (
    check_interface,
    check_reference,
    read_element,
)
from planes.model.annotations.selection_element import Selection, to_element
from planes.model.annotations.slips import (
    is_no_name,
    remedy_for_string,
    remedy_for_text,
)
from planes.model.bounds import (
    MAX_ELEMENTS,
    MAX_FINDINGS,
    MAX_IPS_OF_POD,
    MAX_NETWORKS_CHARACTERS,
    MAX_NETWORKS_VALUES,
)
from planes.model.decode import kind_of, loads
from planes.model.encode import dumps
from planes.model.errors import BadInput, Finding
from planes.model.names import NETWORKS_ANNOTATION, shown
from planes.model.objects import NadRef

__all__ = [
    "NETWORKS_PATH",
    "Reading",
    "Selection",
    "format_selections",
    "is_json",
    "read_selections",
    "shorthand",
    "to_element",
]

NETWORKS_PATH = f"metadata.annotations[{NETWORKS_ANNOTATION}]"


@dataclass(frozen=True, slots=True)
class Reading:
    """A parsed annotation.

    Attributes:
        elements: in order, None for one that cannot be read; without errors there is none.
        errors: at most `MAX_FINDINGS`.
    """

    elements: tuple[Selection | None, ...] = ()
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The elements that can be read, in order."""
        return tuple([element for element in self.elements if element is not None])


_NOTHING = Reading()
_ITEM_REMEDY = "write [namespace/]name[@interface], commas between and no quotes; or a JSON list"
_EXAMPLE = 'a JSON list such as [{"name": "storage"}]'


def is_json(text: str) -> bool:
    """Report whether a text is JSON; it is a comma list otherwise."""
    return "[" in text or "{" in text or '"' in text


def read_selections(text: str, pod_namespace: str, path: str = NETWORKS_PATH) -> Reading:
    """Read the annotation, with all its errors and warnings."""
    if not text or text.isspace():
        return _NOTHING
    if len(text) > MAX_NETWORKS_CHARACTERS:
        message = f"cannot read the networks: the text has {len(text)} characters"
        remedy = f"shorten it to at most {MAX_NETWORKS_CHARACTERS >> 10} KiB"
        return Reading(errors=(Finding(path, message, remedy),))
    if not is_json(text):
        return _read_list(text, pod_namespace, path)
    reading = _read_json(text, pod_namespace, path)
    values = text.count(",") + text.count("{") + text.count("[")
    if reading.errors or values <= MAX_NETWORKS_VALUES:
        return reading
    message = f"cannot use the networks: the text has {values} commas and brackets"
    remedy = f"ask for less: at most {MAX_NETWORKS_VALUES} are possible"
    return Reading(errors=(Finding(path, message, remedy),))


def _read_list(text: str, pod_namespace: str, path: str) -> Reading:
    items = text.split(",")
    if len(items) > MAX_ELEMENTS:
        return Reading(errors=(_too_many(len(items), path),))
    errors: list[Finding] = []
    found = [
        _read_item(item.strip(), f"{path}[{index}]", pod_namespace, errors)
        for index, item in enumerate(items)
    ]
    return Reading(tuple(found), tuple(errors))


def _too_many(count: int, path: str) -> Finding:
    remedy = f"ask for at most {MAX_ELEMENTS}"
    return Finding(path, f"cannot attach {count} networks to one pod", remedy)


def _read_item(item: str, path: str, pod_namespace: str, errors: list[Finding]) -> Selection | None:
    if not item:
        errors.append(Finding(path, "cannot read an empty item", "remove the surplus comma"))
        return None
    reference, at, interface = item.partition("@")
    namespace, slash, name = reference.rpartition("/")
    if item.count("/") > 1 or item.count("@") > 1 or "/" in interface:
        remedy = _ITEM_REMEDY
        errors.append(Finding(path, f"cannot read {shown(item)}", remedy))
        return None
    before = len(errors)
    ref = NadRef(namespace if slash else pod_namespace, name)
    if is_no_name(item):
        message = f"cannot use {shown(item)} as a NAD's name"
        errors.append(Finding(path, message, _ITEM_REMEDY))
        return None
    check_reference(ref, path, errors)
    if at:
        check_interface(interface, path, errors)
    return None if len(errors) > before else Selection(name, ref.namespace, interface)


def _read_json(text: str, pod_namespace: str, path: str) -> Reading:
    try:
        value = loads(text, "the list of networks")
    except BadInput as error:
        remedy = remedy_for_text(text) or error.remedy or f"write {_EXAMPLE}"
        return Reading(errors=(Finding(path, error.message, remedy),))
    if not isinstance(value, list):
        message = f"cannot read the list of networks: it must be a list, not {kind_of(value)}"
        return Reading(errors=(Finding(path, message, _remedy_for(value)),))
    if len(value) > MAX_ELEMENTS:
        return Reading(errors=(_too_many(len(value), path),))
    errors: list[Finding] = []
    warnings: list[Finding] = []
    found: list[Selection | None] = []
    for index, element in enumerate(value):
        if len(errors) >= MAX_FINDINGS:
            found.append(None)
            continue
        at = f"{path}[{index}]"
        found.append(read_element(element, at, pod_namespace, errors, warnings))
    count = sum([len(selection.ips) for selection in found if selection is not None])
    if count > MAX_IPS_OF_POD:
        remedy = f"ask for at most {MAX_IPS_OF_POD}"
        errors.append(Finding(path, f"cannot give {count} addresses to one pod", remedy))
        found = [None] * len(found)
    return Reading(tuple(found), tuple(errors[:MAX_FINDINGS]), tuple(warnings))


def _remedy_for(value: Any) -> str:
    if isinstance(value, dict):
        return "put it in [ ]"
    if isinstance(value, str):
        return remedy_for_string(value, f"write {_EXAMPLE}")
    return f"write {_EXAMPLE}"


def shorthand(selection: Selection) -> str | None:
    """Return an element as an item of a comma list, None where that syntax is not enough."""
    plain = Selection(selection.name, selection.namespace, selection.interface)
    if plain != replace(selection, raw=None) or set(',@[{"') & set(selection.interface):
        return None
    return f"{selection.ref}@{selection.interface}" if selection.interface else str(selection.ref)


def format_selections(selections: Iterable[Selection]) -> str:
    """Return elements as a compact JSON list; the same elements give the same text."""
    elements = [to_element(selection) for selection in selections]
    return dumps(elements, NETWORKS_ANNOTATION, sort_keys=False).decode()
