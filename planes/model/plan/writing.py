"""Planes and the labels of namespaces as a plan, of which `network_plan` makes the same again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from planes.model.errors import JsonObject
from planes.model.names import PLANE_LABEL_PREFIX
from planes.model.plan.effective import effective_spec
from planes.model.plan.missing import ANSWERED_BY_NULL, missing_facts
from planes.model.plan.words import METADATA, NAMESPACES, SPEC, SUBNET_WORDS, WORDS
from planes.model.spec.plane_spec import JOINED, REQUIRED

_KUBECTL: Final = "kubectl.kubernetes.io/"
"""Annotations that kubectl writes for itself."""


def write_plan(planes: Iterable[JsonObject], labels: Mapping[str, Mapping[str, str]]) -> JsonObject:
    """Return a plan.

    Args:
        planes: Plane manifests, or objects of an API server.
        labels: of namespaces, by name.
    """
    joined = joined_namespaces(labels)
    networks = {}
    for obj in sorted(planes, key=lambda obj: str(obj["metadata"]["name"])):
        name = str(obj["metadata"]["name"])
        networks[name] = network_words(obj, joined.get(name, {}))
    return {"networks": networks}


def joined_namespaces(labels: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return the namespaces with a plane's label, by plane: `enabled` or `required`."""
    found: dict[str, dict[str, str]] = {}
    for namespace, own in sorted(labels.items()):
        for key, value in own.items():
            if key.startswith(PLANE_LABEL_PREFIX) and value in (JOINED, REQUIRED):
                name = key.removeprefix(PLANE_LABEL_PREFIX)
                found.setdefault(name, {})[namespace] = value
    return found


def network_words(obj: Mapping[str, Any], namespaces: Mapping[str, str]) -> JsonObject:
    """Return what a plan says of a plane; what has no word is under `spec` and `metadata`."""
    spec = effective_spec(obj)
    words: JsonObject = {}
    for word, route in WORDS.items():
        value = _taken(spec, route)
        if value is not None:
            words[word] = value
    words |= _flat(words)
    if namespaces:
        words[NAMESPACES] = dict(namespaces)
    if metadata := _metadata(obj):
        words[METADATA] = metadata
    if spec:
        words[SPEC] = spec
    return words | _answers(words, obj)


def _taken(spec: JsonObject, route: tuple[str, ...]) -> Any:
    """Take a field out of a spec, with objects that are empty without it; None where absent."""
    key, *rest = route
    if not rest:
        return spec.pop(key, None)
    inner = spec.get(key)
    if not isinstance(inner, dict):
        return None
    value = _taken(inner, tuple(rest))
    if not inner:
        del spec[key]
    return value


def _flat(words: JsonObject) -> JsonObject:
    """Take the fields of an only subnet out of the list, where words stand for all of them."""
    subnets = words.get("subnets")
    if not isinstance(subnets, list) or len(subnets) != 1:
        return {}
    (only,) = subnets
    if not isinstance(only, dict) or "cidr" not in only or not only.keys() <= set(SUBNET_WORDS):
        return {}
    del words["subnets"]
    return {word: only[word] for word in SUBNET_WORDS if only.get(word) is not None}


def written_part(obj: Mapping[str, Any]) -> JsonObject:
    """Return what people wrote of a plane: its spec, labels and annotations."""
    return {METADATA: _metadata(obj), SPEC: obj.get("spec")}


def _metadata(obj: Mapping[str, Any]) -> JsonObject:
    """Return labels and annotations that somebody wrote."""
    meta = obj["metadata"]
    found = {}
    for key in ("labels", "annotations"):
        own = meta.get(key)
        if isinstance(own, dict):
            found[key] = {k: v for k, v in own.items() if not k.startswith(_KUBECTL)}
    return {key: texts for key, texts in found.items() if texts}


def _answers(words: JsonObject, obj: Mapping[str, Any]) -> JsonObject:
    """Return null for each fact that the plane does not have, and a plan would be asked for."""
    spec = obj.get("spec")
    asked = missing_facts("", words, spec if isinstance(spec, dict) else {})
    lacking = {finding.path for finding in asked}
    return {word: None for word in ANSWERED_BY_NULL if word in lacking}
