"""Warn of annotations that are not read because of their key: misspelt, or written as a label.

Kubernetes accepts any key, so a pod with a misspelt one starts without its network or address. Only
keys that look like those of Netplane or Multus are compared, and a bounded number of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from planes.model.errors import Finding
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    DELETE_IN_USE_ANNOTATION,
    INJECTED_ANNOTATION,
    JOINED_LABEL,
    NETWORKS_ANNOTATION,
    PLANE_LABEL_PREFIX,
    RENDERED_LABEL,
    RESOURCE_NAME_ANNOTATION,
    REVIEWED_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    STATUS_ANNOTATIONS,
    shown,
)
from planes.model.near_names import did_you_mean, likeness

AUTHORS_KEYS: Final = (NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION)
"""The annotations of a pod that its author writes."""

_OF_OTHERS: Final = {
    RESOURCE_NAME_ANNOTATION: "a NetworkAttachmentDefinition",
    DELETE_IN_USE_ANNOTATION: "a NetworkAttachmentDefinition",
    JOINED_LABEL: "a namespace, as a label that Netplane sets",
    RENDERED_LABEL: "a NetworkAttachmentDefinition, as a label that Netplane sets",
}
_OF_PODS: Final = frozenset(
    {*AUTHORS_KEYS, *STATUS_ANNOTATIONS, INJECTED_ANNOTATION, REVIEWED_ANNOTATION}
)
_LOOKS_LIKE: Final = re.compile(
    r"netplan|cncf|k8s\.v1|multus|static[-_]?ips?\Z|/networks?\Z", re.IGNORECASE
)
_LONGEST: Final = 64  # characters of a key that is compared; the longest of ours has 34
_MOST: Final = 4  # warnings about keys of one object
_MOST_LOOKED_AT: Final = 256  # keys of one object that are compared
# More than usual: a key is warned of for its near name alone, and it may be somebody else's.
_NEAR_NAME: Final = 0.8
_NEAR_DOMAIN: Final = 0.7
_NEAR_WHOLE: Final = 0.9
_JOINS_NOTHING: Final = "it joins nothing: planes are joined by a label of the namespace"
_JOIN: Final = "remove it, or have the namespace labelled"
_DOMAIN: Final = "netplane.io/"
_DOMAINS: Final = frozenset(key.rpartition("/")[0] for key in AUTHORS_KEYS)


def check_keys(
    annotations: Mapping[str, str], labels: Mapping[str, str], path: str = "metadata"
) -> list[Finding]:
    """Return warnings about keys of a pod that are not read, the first few.

    Args:
        annotations: the pod's.
        labels: the pod's.
        path: of both.
    """
    found = list(_warnings(annotations, path))
    found += _as_labels(labels, path)
    return found[:_MOST]


def unknown_keys(annotations: Iterable[str]) -> list[str]:
    """Return keys that look like known ones and are not read on a pod, the first few."""
    return [key for key in _candidates(annotations) if key not in _OF_PODS]


def near_key(key: str) -> str:
    """Return the annotation that a key is probably meant for, "" for none.

    A correct key is returned itself.
    """
    if key in AUTHORS_KEYS:
        return key
    if len(key) > _LONGEST or key in _OF_PODS or key in _OF_OTHERS or not _LOOKS_LIKE.search(key):
        return ""
    domain, slash, name = key.casefold().replace("_", "-").rpartition("/")
    near, highest = "", 0.0
    for known in AUTHORS_KEYS:
        known_domain, _, known_name = known.rpartition("/")
        found = likeness(name, known_name)
        if found >= _NEAR_NAME and found > highest and _is_near(domain, slash, known_domain):
            near, highest = known, found
        if not slash and likeness(name, known) >= _NEAR_WHOLE:
            return known  # another character in place of the slash
    return near


def _is_near(domain: str, slash: str, known: str) -> bool:
    """Report whether a domain may be meant for a known one; any known domain may."""
    if not slash or domain in _DOMAINS:
        return True
    return likeness(domain, known) >= _NEAR_DOMAIN


def _warnings(annotations: Mapping[str, str], path: str) -> Iterator[Finding]:
    for key in unknown_keys(annotations):
        near = near_key(key)
        where = f"{path}.annotations[{_printable(key)}]"
        if near and near not in annotations:
            yield Finding(where, "nobody reads an annotation of this name", did_you_mean(near))
        elif key.startswith(PLANE_LABEL_PREFIX):
            yield Finding(where, _JOINS_NOTHING, _JOIN)
        elif key in _OF_OTHERS:
            yield Finding(where, "nobody reads it here", f"it belongs on {_OF_OTHERS[key]}")
        elif key.startswith(_DOMAIN):
            remedy = f"an author writes {STATIC_IPS_ANNOTATION}; remove this one"
            yield Finding(where, "nobody reads an annotation of this name", remedy)


def _as_labels(labels: Mapping[str, str], path: str) -> Iterator[Finding]:
    for key in _candidates(labels):
        near = near_key(key)
        where = f"{path}.labels[{_printable(key)}]"
        if near:
            yield Finding(where, "nobody reads this label", f"write {near} as an annotation")
        elif key.startswith(PLANE_LABEL_PREFIX):
            yield Finding(where, _JOINS_NOTHING, _JOIN)


def _candidates(keys: Iterable[str]) -> list[str]:
    """Return the first few keys that look like known ones."""
    found: list[str] = []
    for key in islice(keys, _MOST_LOOKED_AT):
        if len(key) <= _LONGEST and _LOOKS_LIKE.search(key):
            found.append(key)
            if len(found) == 2 * _MOST:
                break
    return found


def _printable(key: str) -> str:
    return shown(key)[1:-1]
