"""Compare what the shipped roles allow with a program's requests to an API server in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from planes.kube import resources
from planes.kube.resources import Resource
from tests.support.kube.fake_kube import Request

BASE: Final = Path(__file__).parents[3] / "manifests" / "base"
GROUPS: Final = {
    each.plural: each.group for each in vars(resources).values() if isinstance(each, Resource)
}


@dataclass(frozen=True, slots=True)
class Permission:
    """One verb on one resource; `namespace` "" is the whole cluster, no `names` are all names."""

    namespace: str
    group: str
    resource: str
    verb: str
    names: frozenset[str]

    def covers(self, request: Request) -> bool:
        """Report whether a request is allowed by this."""
        verb, resource, namespace, name = request
        return (
            self.verb == verb
            and self.resource == resource
            and self.group == GROUPS[resource.partition("/")[0]]
            and self.namespace in {"", namespace}
            # RBAC does not know the name of what is created.
            and (not self.names or (verb != "create" and name in self.names))
        )


def permissions(*files: str) -> list[Permission]:
    """Read what roles in files below manifests/base allow."""
    objects: list[dict[str, Any]] = [
        obj for file in files for obj in yaml.safe_load_all((BASE / file).read_text()) if obj
    ]
    return [
        each for obj in objects if obj["kind"] in {"Role", "ClusterRole"} for each in _of_role(obj)
    ]


def _of_role(role: dict[str, Any]) -> Iterator[Permission]:
    namespace = role["metadata"].get("namespace", "")
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    names = frozenset(rule.get("resourceNames", ()))
                    yield Permission(namespace, group, resource, verb, names)


def refused(allowed: Iterable[Permission], requests: Iterable[Request]) -> set[Request]:
    """Return the requests that no role allows."""
    known = tuple(allowed)
    return {each for each in requests if not any(one.covers(each) for one in known)}


def unused(allowed: Iterable[Permission], requests: Iterable[Request]) -> list[Permission]:
    """Return what roles allow and nobody asked for."""
    asked = set(requests)
    return [one for one in allowed if not any(one.covers(each) for each in asked)]
