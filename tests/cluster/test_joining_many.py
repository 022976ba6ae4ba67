"""A namespace joins many planes by one change, and needs consent to each, on a real API server.

An expression of a policy may ask the authorizer twice: a third time is an error, which refuses
whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from planes.model.errors import JsonObject
from planes.model.names import PLANE_LABEL_PREFIX
from tests.cluster.policed import namespace_object, policed_server
from tests.cluster.rest import NAMESPACES, Reply, Rest, wait_for

MOST = 24
NAMES = tuple(f"plane-{number}" for number in range(MOST))
_RBAC = "rbac.authorization.k8s.io"


def user(spared: str) -> dict[str, Any]:
    """Name the user who may join every plane but one."""
    return {"user": f"all-but-{spared}"}


def role(spared: str) -> tuple[JsonObject, JsonObject]:
    """Return the role of that user, and its binding."""
    name = f"test-all-but-{spared}"
    others = [each for each in NAMES if each != spared]
    join = {
        "apiGroups": ["netplane.io"],
        "resources": ["planes"],
        "verbs": ["join"],
        "resourceNames": others,
    }
    write = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "create", "patch"]}
    head = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": name}}
    return (
        {**head, "kind": "ClusterRole", "rules": [join, write]},
        {
            **head,
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user(spared)["user"]}],
        },
    )


def join(rest: Rest, planes: Sequence[str], **who: Any) -> Reply:
    """Ask whether a namespace could be created in planes."""
    return rest.try_out(
        NAMESPACES, namespace_object("new", dict.fromkeys(planes, "enabled")), **who
    )


@pytest.fixture(scope="module")
def rest() -> Iterator[Rest]:
    with policed_server() as server:
        server.apply(*(obj for name in NAMES for obj in role(name)))
        rest = Rest(server)
        for name in NAMES:
            wait_for(
                partial(join, rest, [_other(name)], **user(name)), lambda reply: reply.is_success
            )
        yield rest
        rest.close()


def _other(name: str) -> str:
    return NAMES[0] if name != NAMES[0] else NAMES[1]


@pytest.mark.parametrize("count", [2, 3, 4, 5, MOST - 1, MOST])
def test_an_administrator_puts_a_namespace_into_many_planes_at_once(rest: Rest, count: int) -> None:
    assert join(rest, NAMES[:count]).message == ""


def test_more_are_refused_with_what_to_do(rest: Rest) -> None:
    reply = join(rest, [*NAMES, "one-more"])
    assert reply.status == 403
    assert "24 planes at most; make several changes" in reply.message


@pytest.mark.parametrize("name", NAMES)
def test_each_of_many_needs_consent(rest: Rest, name: str) -> None:
    """Whichever it is: the order in which an expression sees labels is anybody's guess."""
    reply = join(rest, NAMES, **user(name))
    assert reply.status == 403
    assert "may not put namespaces into or out of all of the planes" in reply.message
    assert join(rest, [each for each in NAMES if each != name], **user(name)).message == ""


def test_many_required_planes_are_left_at_once_by_who_may(rest: Rest) -> None:
    obj = namespace_object("leaving", dict.fromkeys(NAMES, "required"))
    path = f"{NAMESPACES}/leaving"
    assert rest.create(NAMESPACES, obj).message == ""
    patch = {"metadata": {"labels": {PLANE_LABEL_PREFIX + name: None for name in NAMES}}}
    assert rest.merge(f"{path}?dryRun=All", patch, **user(NAMES[7])).status == 403
    assert rest.merge(path, patch).message == ""
