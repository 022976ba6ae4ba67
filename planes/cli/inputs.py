"""Reading the manifests named by `-f`: files or standard input, into objects."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from planes.cli.command import UsageError
from planes.model.errors import BadInput, JsonObject, PlanesError
from planes.model.names import is_dns_label, is_dns_subdomain, shown
from planes.model.objects import Pod
from planes.model.workload import is_workload, pods_of
from planes.store.manifests import BrokenFileError, objects_of
from planes.store.scan import read_file

# What the API server appends to generateName: no vowels, so no words.
_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH: Final = 5


_NAD: Final = "NetworkAttachmentDefinition"
STATE_KINDS: Final = frozenset({"Plane", "Namespace", _NAD})
"""Kinds that decide about pods; they belong into the manifest directory."""


@dataclass(slots=True)
class Inputs:
    """The objects of the files.

    Attributes:
        pods: pods to create.
        workloads: the objects they come from: single pods, and workloads, also without replicas.
        others: all other objects, each with its `file:line`.
    """

    pods: list[JsonObject] = field(default_factory=list)
    workloads: list[JsonObject] = field(default_factory=list)
    others: list[tuple[JsonObject, str]] = field(default_factory=list)

    @property
    def nads(self) -> list[JsonObject]:
        """The NADs among the others."""
        return [obj for obj, _ in self.others if obj.get("kind") == _NAD]

    @property
    def has_state(self) -> bool:
        """Whether one of the others decides about pods."""
        return any(obj.get("kind") in STATE_KINDS for obj, _ in self.others)


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `-f FILE` (repeatable)."""
    parser.add_argument(
        *("-f", "--filename"),
        dest="files",
        action="append",
        required=True,
        metavar="FILE",
        help="manifests of pods or workloads (YAML or JSON); - is standard input",
    )


def read_inputs(files: Sequence[str], namespace: str, *, needs_pods: bool = True) -> Inputs:
    """Read manifests; of a workload the pods are made that its controller would create.

    Args:
        files: their names; `-` is standard input.
        namespace: of objects that name none.
        needs_pods: raise an error without pods, also if there are planes, namespaces or NADs.

    Raises:
        BadInput: a file cannot be read, or an object in it is malformed.
    """
    inputs = Inputs()
    for name in files:
        for obj, where in _objects(name):
            try:
                pods = pods_of(obj)
            except PlanesError as error:
                raise BadInput(
                    f"cannot use {where}: {error.message}", remedy=error.remedy
                ) from error
            if pods or is_workload(obj):
                inputs.workloads.append(obj)
                inputs.pods += [_completed(pod, namespace, where) for pod in pods]
            else:
                inputs.others.append((obj, where))
    named = ", ".join("standard input" if name == "-" else name for name in files)
    if not inputs.pods and (needs_pods or not (inputs.workloads or inputs.has_state)):
        if inputs.workloads:
            raise BadInput(
                f"cannot find a pod in {named}: its workloads ask for none",
                remedy="set spec.replicas to 1 or more",
            )
        wanted = "a pod" if needs_pods else "anything to explain"
        also = "" if needs_pods else ", or planes, namespaces and NADs"
        raise BadInput(
            f"cannot find {wanted} in {named}",
            remedy="give Pods, Deployments, StatefulSets, ReplicaSets, DaemonSets, Jobs or "
            f"CronJobs{also}",
        )
    return inputs


def pod_of(name: str, default: str) -> tuple[str, str]:
    """Return namespace and name of a pod that a user names as `[NAMESPACE/]NAME`.

    Args:
        name: as the user writes it.
        default: namespace of a name without one.

    Raises:
        UsageError: it is not of that form.
    """
    namespace, slash, pod = name.partition("/")
    found = (namespace, pod) if slash else (default, name)
    if not all(found) or "/" in found[1]:
        raise UsageError(f"cannot understand {name[:80]!r}", remedy="name pods as NAMESPACE/NAME")
    return found


def _objects(name: str) -> Iterator[tuple[JsonObject, str]]:
    try:
        if name == "-":
            yield from objects_of(sys.stdin.buffer.read(), "standard input")
        else:
            yield from objects_of(read_file(name), name)
    except BrokenFileError as error:
        problem = error.problem
        text = f"cannot read {problem.where}: {problem.reason}"
        raise BadInput(text, remedy="give manifests in YAML or JSON") from error


def _completed(pod: JsonObject, namespace: str, where: str) -> JsonObject:
    """Fill in and verify namespace and name, as the API server does before admission."""
    try:
        Pod.from_object(pod)
    except PlanesError as error:
        text = f"cannot use the pod of {where}: {error.message}"
        raise BadInput(text, remedy=error.remedy) from error
    meta = dict(pod.get("metadata") or {})
    meta["namespace"] = meta.get("namespace") or namespace
    if not meta.get("name"):
        suffix = "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(_SUFFIX_LENGTH))
        meta["name"] = f"{meta.get('generateName') or 'pod-'}{suffix}"
    if not is_dns_subdomain(meta["name"]) or not is_dns_label(meta["namespace"]):
        raise BadInput(
            f"cannot use the pod of {where}: {shown(meta['namespace'])}/{shown(meta['name'])} is "
            "no name for a pod",
            remedy="use lower-case letters, digits and - (RFC 1123)",
        )
    return {**pod, "metadata": meta, "spec": pod.get("spec") or {}}
