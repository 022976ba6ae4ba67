"""One network of a plan as a Plane manifest, with what is wrong with it and what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from planes.model.decode import kind_of
from planes.model.errors import Finding, JsonObject
from planes.model.names import PLANE_LABEL_PREFIX, is_dns_label, is_dns_subdomain, shown
from planes.model.near_names import did_you_mean, nearest_name
from planes.model.plan.missing import missing_facts
from planes.model.plan.plan_text import joined
from planes.model.plan.server_limits import server_faults
from planes.model.plan.words import (
    ALL_WORDS,
    METADATA,
    NAMESPACES,
    SPEC,
    SUBNET_WORDS,
    WORDS,
    plan_path,
)
from planes.model.spec.plane import API_VERSION, find_plane_faults
from planes.model.spec.plane_spec import JOINED, REQUIRED, Plane

_ALIKE: Final = 0.75
"""An unknown word that is less like a known one is a remark of somebody's, and no slip."""
_MOST_UNKNOWN: Final = 8
_METADATA: Final = frozenset({"labels", "annotations"})
_LABEL: Final = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_RULE: Final = "use at most 63 letters, digits, -, _ and ., a letter or digit at both ends"


@dataclass(slots=True)
class PlannedNetwork:
    """A network of a plan that is to be a plane.

    Attributes:
        path: where the plan has it, e.g. `networks.business`.
        words: what the plan says, by word.
        obj: the Plane manifest.
        plane: its value, as far as it can be read.
        namespaces: the value of the plane's label by namespace.
        faults, missing, warnings: what is wrong, asked for and told, with paths of the plan.
    """

    name: str
    path: str
    words: JsonObject
    obj: JsonObject = field(default_factory=dict)
    plane: Plane = field(default_factory=lambda: Plane(""))
    namespaces: dict[str, str] = field(default_factory=dict)
    faults: list[Finding] = field(default_factory=list)
    missing: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether it can be a plane as it is."""
        return not self.faults and not self.missing

    @property
    def is_flat(self) -> bool:
        """Whether the plan writes the fields of an only subnet beside the others."""
        spec = self.words.get(SPEC)
        has_list = "subnets" in self.words or (isinstance(spec, dict) and "subnets" in spec)
        return not has_list

    def at(self, word: str) -> str:
        """Return the path of a word."""
        return joined(self.path, word)


def read_network(name: str, words: JsonObject) -> PlannedNetwork:
    """Read one network."""
    network = PlannedNetwork(name, joined("networks", name), words)
    network.warnings += _unknown(network)
    network.namespaces = _namespaces(network)
    spec = _spec(network)
    meta = {"name": name, **_metadata(network)}
    network.obj = {"apiVersion": API_VERSION, "kind": "Plane", "metadata": meta, "spec": spec}
    network.plane, found = find_plane_faults(network.obj)
    told = {finding.path for finding in found}
    found = [*found, *(each for each in server_faults(spec) if each.path not in told)]
    network.missing += missing_facts(network.path, words, spec)
    asked = {finding.path for finding in network.missing}
    for finding in found:
        path = plan_path(network.path, finding.path, is_flat=network.is_flat)
        if path not in asked:
            network.faults.append(Finding(path, finding.message, finding.remedy))
    return network


def namespace_objects(networks: list[PlannedNetwork]) -> list[JsonObject]:
    """Return a manifest of each namespace that joins any network, with the labels for it."""
    labels: dict[str, dict[str, str]] = {}
    for network in networks:
        for namespace, value in network.namespaces.items():
            labels.setdefault(namespace, {})[PLANE_LABEL_PREFIX + network.name] = value
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": own}}
        for name, own in sorted(labels.items())
    ]


def _spec(network: PlannedNetwork) -> JsonObject:
    """Return the spec: each word's value as it is, in its place. The plane's reader judges it."""
    words, spec = network.words, dict[str, Any]()
    for word, route in WORDS.items():
        if words.get(word) is not None:
            place = spec
            for key in route[:-1]:
                place = place.setdefault(key, {})
            place[route[-1]] = words[word]
    subnet = {word: words[word] for word in SUBNET_WORDS if words.get(word) is not None}
    if subnet and network.is_flat:
        spec["subnets"] = [subnet]
    for word in () if network.is_flat else subnet:
        message = "cannot use it beside subnets: of several nobody can tell whose it is"
        network.faults.append(Finding(network.at(word), message, "write it into subnets"))
    more = words.get(SPEC)
    if isinstance(more, dict):
        network.faults += _merge(spec, more, network.at(SPEC))
    elif more is not None:
        network.faults.append(_no_object(network.at(SPEC), more, "a Plane's spec"))
    return spec


def _merge(spec: JsonObject, more: JsonObject, path: str) -> Iterator[Finding]:
    """Add what no word says; a field of both is a fault, also where both say the same."""
    for key, value in more.items():
        here = joined(path, key)
        if key not in spec:
            spec[key] = value
        elif isinstance(spec[key], dict) and isinstance(value, dict):
            yield from _merge(spec[key], value, here)
        else:
            message = "cannot tell which counts: a word of the plan says it too"
            yield Finding(here, message, "keep one of them")


def _metadata(network: PlannedNetwork) -> JsonObject:
    found = network.words.get(METADATA)
    if found is None:
        return {}
    path = network.at(METADATA)
    if not isinstance(found, dict):
        network.faults.append(_no_object(path, found, "labels and annotations"))
        return {}
    for key, texts in found.items():
        is_texts = isinstance(texts, dict) and all(isinstance(t, str) for t in texts.values())
        if key not in _METADATA or not is_texts:
            message = "cannot use it: metadata of a plan is labels and annotations, all texts"
            network.faults.append(Finding(joined(path, key), message, "remove it, or quote values"))
            continue
        for name, text in texts.items():
            if not _is_key(name) or (key == "labels" and not _LABEL.fullmatch(text)):
                message = f"cannot use it: API servers refuse such {key}"
                where = joined(joined(path, key), name)
                network.faults.append(Finding(where, message, _LABEL_RULE))
    return {key: found[key] for key in found if key in _METADATA and found[key]}


def _is_key(text: str) -> bool:
    """Report whether a text is a key of labels and annotations: `name` or `domain/name`."""
    domain, slash, name = text.rpartition("/")
    is_name = bool(name) and _LABEL.fullmatch(name) is not None
    return is_name and (not slash or is_dns_subdomain(domain))


def _namespaces(network: PlannedNetwork) -> dict[str, str]:
    given, path = network.words.get(NAMESPACES), network.at(NAMESPACES)
    if given is None:
        return {}
    pairs: list[tuple[Any, Any, str]]
    if isinstance(given, list):
        pairs = [(name, JOINED, f"{path}[{at}]") for at, name in enumerate(given)]
    elif isinstance(given, dict):
        pairs = [(name, value, joined(path, name)) for name, value in given.items()]
    else:
        message = f"cannot read it: it must be a list or an object, not {kind_of(given)}"
        remedy = f"list names, or give {JOINED} or {REQUIRED} for each"
        network.faults.append(Finding(path, message, remedy))
        return {}
    found: dict[str, str] = {}
    for name, value, where in pairs:
        if not isinstance(name, str) or not is_dns_label(name):
            message = f"cannot use {shown(str(name))} as a namespace"
            remedy = "use at most 63 lower-case letters, digits and -"
        elif value not in (JOINED, REQUIRED):
            message = f"cannot use {shown(str(value))} for a namespace"
            remedy = f"give {JOINED}, or {REQUIRED} where no pod may start without the plane"
        elif name in found:
            message, remedy = f"cannot join {name} twice", "remove one entry"
        else:
            found[name] = value
            continue
        network.faults.append(Finding(where, message, remedy))
    return found


def _unknown(network: PlannedNetwork) -> Iterator[Finding]:
    """Yield a warning for each word that means nothing; one that looks like a slip is a fault."""
    unknown = [word for word in network.words if word not in ALL_WORDS]
    for word in unknown[:_MOST_UNKNOWN]:
        near = nearest_name(word[:64], ALL_WORDS, _ALIKE)
        if near:
            message = "cannot use an unknown word"
            network.faults.append(Finding(network.at(word), message, did_you_mean(near)))
        else:
            message = "it is no word of a plan: nothing becomes of it"
            yield Finding(network.at(word), message, f"words are {', '.join(ALL_WORDS)}")
    if len(unknown) > _MOST_UNKNOWN:
        message = f"{len(unknown) - _MOST_UNKNOWN} more of its words are none of a plan"
        yield Finding(network.path, message, "remove them")


def _no_object(path: str, value: object, wanted: str) -> Finding:
    message = f"cannot read it: it must be an object, not {kind_of(value)}"
    return Finding(path, message, f"give {wanted}")


def planned_labels(networks: list[PlannedNetwork]) -> Mapping[str, Mapping[str, str]]:
    """Return the labels that namespaces are to have, by namespace."""
    return {
        str(obj["metadata"]["name"]): obj["metadata"]["labels"]
        for obj in namespace_objects(networks)
    }
