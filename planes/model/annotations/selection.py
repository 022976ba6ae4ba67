"""Network selections: the text of `k8s.v1.cni.cncf.io/networks`, in both syntaxes.

A text with any of `[`, `{`, `"` is JSON, anything else a comma list (Multus' rule). Any text gives
selections and findings, never another exception; each finding's path names element and field.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from planes.model.annotations.selection_element import (
    Selection,
    check_interface,
    check_reference,
    read_element,
    to_element,
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
from planes.model.spec.spec_reader import refuse

__all__ = [
    "NETWORKS_PATH",
    "Reading",
    "Selection",
    "format_selections",
    "is_json",
    "parse_selections",
    "read_selections",
    "shorthand",
    "to_element",
]

NETWORKS_PATH = f"metadata.annotations[{NETWORKS_ANNOTATION}]"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says.

    Attributes:
        elements: in their places, None for one that cannot be read; without errors there is none.
        errors: what is wrong, at most `MAX_FINDINGS`.
    """

    elements: tuple[Selection | None, ...] = ()
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The elements that can be read, in order."""
        return tuple([element for element in self.elements if element is not None])


_NOTHING = Reading()


def is_json(text: str) -> bool:
    """Tell which syntax a text is in."""
    return "[" in text or "{" in text or '"' in text


def parse_selections(text: str, pod_namespace: str) -> tuple[Selection, ...]:
    """Read the annotation.

    Raises:
        BadInput: anything is wrong; the text lists everything found, with paths.
    """
    reading = read_selections(text, pod_namespace)
    refuse("the network selection", list(reading.errors))
    return reading.selections


def read_selections(text: str, pod_namespace: str, path: str = NETWORKS_PATH) -> Reading:
    """Read the annotation, listing everything that is wrong with it."""
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
        remedy = "write [namespace/]name[@interface], or a JSON list"
        errors.append(Finding(path, f"cannot read {shown(item)}", remedy))
        return None
    before = len(errors)
    ref = NadRef(namespace if slash else pod_namespace, name)
    check_reference(ref, path, errors)
    if at:
        check_interface(interface, path, errors)
    return None if len(errors) > before else Selection(name, ref.namespace, interface)


def _read_json(text: str, pod_namespace: str, path: str) -> Reading:
    try:
        value = loads(text, "the list of networks")
    except BadInput as error:
        remedy = error.remedy or 'write a JSON list such as [{"name": "storage"}]'
        return Reading(errors=(Finding(path, error.message, remedy),))
    if not isinstance(value, list):
        message = f"cannot read the list of networks: it must be a list, not {kind_of(value)}"
        return Reading(errors=(Finding(path, message, "put it in [ ]"),))
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


def shorthand(selection: Selection) -> str | None:
    """Write an element as an item of a comma list, None where that cannot say it all."""
    plain = Selection(selection.name, selection.namespace, selection.interface)
    if plain != replace(selection, raw=None) or set(',@[{"') & set(selection.interface):
        return None
    return f"{selection.ref}@{selection.interface}" if selection.interface else str(selection.ref)


def format_selections(selections: Iterable[Selection]) -> str:
    """Write elements as a JSON list, compactly and always the same."""
    elements = [to_element(selection) for selection in selections]
    return dumps(elements, NETWORKS_ANNOTATION, sort_keys=False).decode()
