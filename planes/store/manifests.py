"""Read manifests: one file into planes, NADs, namespaces and pods, each with its line.

Other kinds are skipped, so a directory may hold whole applications. Invariant: every document
becomes a value or a problem with `file:line` and reason, or is skipped; a bad one does not hide the
others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from planes.model.errors import JsonObject, PlanesError
from planes.model.names import is_dns_subdomain
from planes.model.objects import Nad, Namespace, Pod
from planes.model.spec.plane import API_VERSION, parse_plane
from planes.model.spec.plane_spec import Plane
from planes.store.protocol import Problem
from planes.store.yaml_values import YamlError, read_yaml

DEFAULT_NAMESPACE: Final = "default"

Value = Plane | Nad | Namespace | Pod


class Identity(NamedTuple):
    """Kind, namespace and name, which identify an object across files."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object of a file; `where` is `file:line`."""

    where: str
    identity: Identity
    obj: JsonObject
    value: Value


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a document is ignored; `identity` is set where it has kind and name."""

    problem: Problem
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class FileContent:
    """The objects and faults of a file."""

    manifests: tuple[Manifest, ...] = ()
    faults: tuple[Fault, ...] = ()


class BrokenFileError(Exception):
    """The file as a whole cannot be read; all of it is ignored."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.where}: {problem.reason}")
        self.problem = problem


def _read_nad(obj: JsonObject) -> Nad:
    return Nad.from_object(obj, DEFAULT_NAMESPACE)


def _read_pod(obj: JsonObject) -> Pod:
    return Pod.from_object(obj, DEFAULT_NAMESPACE)


_READERS: Final[Mapping[tuple[str, str], Callable[[JsonObject], Value]]] = {
    (API_VERSION, "Plane"): parse_plane,
    ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition"): _read_nad,
    ("v1", "Namespace"): Namespace.from_object,
    ("v1", "Pod"): _read_pod,
}
_OWN_GROUPS: Final = ("netplane.io/", "k8s.cni.cncf.io/")
_NAMESPACED: Final = frozenset({"NetworkAttachmentDefinition", "Pod"})


def read_manifests(data: bytes, name: str) -> FileContent:
    """Read a file of manifests: YAML with any number of documents, or JSON.

    Raises:
        BrokenFileError: it is neither.
    """
    manifests: list[Manifest] = []
    faults: list[Fault] = []
    for obj, line in _objects(data, name):
        found = read_object(obj, f"{name}:{line}")
        if isinstance(found, Manifest):
            manifests.append(found)
        elif found is not None:
            faults.append(found)
    return FileContent(tuple(manifests), tuple(faults))


def objects_of(data: bytes, name: str) -> Iterator[tuple[JsonObject, str]]:
    """Return every object of a file with its `file:line`, whatever its kind.

    Raises:
        BrokenFileError: the file cannot be read, or holds something that is no object.
    """
    for obj, line in _objects(data, name):
        where = f"{name}:{line}"
        if not isinstance(obj, dict):
            raise BrokenFileError(Problem(where, "it is no object with apiVersion and kind"))
        yield obj, where


def _objects(data: bytes, name: str) -> Iterator[tuple[Any, int]]:
    try:
        if name.endswith(".json"):
            yield from _flatten(orjson.loads(data), lambda _: 1)
            return
        for document in read_yaml(data):
            if document.value is not None:
                yield from _flatten(document.value, document.line_of)
    except orjson.JSONDecodeError as error:
        where = f"{name}:{error.lineno}"
        raise BrokenFileError(Problem(where, f"it is no JSON: {error.msg}")) from error
    except YamlError as error:
        raise BrokenFileError(Problem(f"{name}:{error.line}", error.reason)) from error


def _flatten(obj: Any, line_of: Callable[[object], int]) -> Iterator[tuple[Any, int]]:
    """Return an object, or the items of a List; Lists in Lists do not exist in Kubernetes."""
    is_list = isinstance(obj, dict) and str(obj.get("kind", "")).endswith("List")
    items = obj.get("items") if is_list else None
    if not isinstance(items, list):
        yield obj, line_of(obj)
        return
    kind = str(obj["kind"]).removesuffix("List")
    for item in items:
        if isinstance(item, dict) and kind:  # a PodList's items may leave out what they are
            item.setdefault("kind", kind)
            item.setdefault("apiVersion", obj.get("apiVersion"))
        yield item, line_of(item)


def read_object(obj: Any, where: str) -> Manifest | Fault | None:
    """Read one object; None for a kind that we do not use."""
    if not isinstance(obj, dict):
        return Fault(Problem(where, "it is no object with apiVersion and kind"))
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if not isinstance(kind, str) or not isinstance(api_version, str) or not kind:
        return Fault(Problem(where, "it has no apiVersion and kind"))
    if (api_version, kind) not in _READERS:
        return _unknown(api_version, kind, where)
    identity = _identity(kind, obj)
    if identity is None or not is_dns_subdomain(identity.name):
        return Fault(Problem(where, f"the {kind} has no usable metadata.name"), identity)
    try:
        return Manifest(where, identity, obj, _READERS[api_version, kind](obj))
    except PlanesError as error:
        return Fault(Problem(where, str(error)), identity)


def _unknown(api_version: str, kind: str, where: str) -> Fault | None:
    known = {name: version for version, name in _READERS}
    if kind in known:
        reason = f"a {kind} of {api_version[:60]} is not known; use apiVersion {known[kind]}"
        return Fault(Problem(where, reason))
    if api_version.startswith(_OWN_GROUPS):
        return Fault(Problem(where, f"the kind {kind[:60]} of {api_version[:60]} is not known"))
    return None


def _identity(kind: str, obj: JsonObject) -> Identity | None:
    meta = obj.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    namespace = meta.get("namespace") if isinstance(meta, dict) else None
    if not isinstance(name, str) or not name:
        return None
    home = (namespace or DEFAULT_NAMESPACE) if kind in _NAMESPACED else ""
    return Identity(kind, str(home), name)
