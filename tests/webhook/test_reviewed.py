"""The annotation of the webhook on a pod: which required planes it was judged by."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model.errors import JsonObject
from planes.model.names import NETWORKS_ANNOTATION, PLANE_LABEL_PREFIX, REVIEWED_ANNOTATION
from planes.model.objects import Namespace
from planes.model.patch import apply
from planes.model.spec.plane_spec import REQUIRED
from tests.support.planes import make_plane
from tests.support.store import FakeStore
from tests.support.webhook.admission import pod_object, review_object
from webhook.mutate import mutate
from webhook.review import Patched, parse


def store(*required: str, **planes: Any) -> FakeStore:
    labels = {PLANE_LABEL_PREFIX + name: REQUIRED for name in required}
    return FakeStore(
        planes=[make_plane(name, **spec) for name, spec in planes.items()],
        namespaces=[Namespace("shop", labels)],
    )


def after(obj: JsonObject, where: FakeStore) -> dict[str, str]:
    """Return the annotations of a pod once the webhook has seen it."""
    answer = mutate(parse(orjson.dumps(review_object(obj))), where)
    patched = apply(answer.patch, obj) if isinstance(answer, Patched) else obj
    found: dict[str, str] = patched["metadata"].get("annotations", {})
    return found


def test_the_required_planes_are_named_in_order() -> None:
    where = store("storage", "business", storage={}, business={})
    assert after(pod_object(), where)[REVIEWED_ANNOTATION] == "business,storage"


def test_a_pod_that_the_plane_does_not_take_is_told_as_well() -> None:
    where = store("business", business={"podSelector": {"matchLabels": {"tier": "web"}}})
    annotations = after(pod_object(), where)
    assert annotations[REVIEWED_ANNOTATION] == "business"
    assert NETWORKS_ANNOTATION not in annotations


@pytest.mark.parametrize("networks", ["nonsense,,", "nowhere/at-all"])
def test_a_pod_at_fault_is_told_so_that_validation_says_what_is_wrong(networks: str) -> None:
    where = store("business", business={})
    annotations = after(pod_object(annotations={NETWORKS_ANNOTATION: networks}), where)
    assert annotations == {NETWORKS_ANNOTATION: networks, REVIEWED_ANNOTATION: "business"}


def test_a_required_plane_that_does_not_exist_is_validation_s_matter_too() -> None:
    assert after(pod_object(), store("nowhere"))[REVIEWED_ANNOTATION] == "nowhere"


@pytest.mark.parametrize("forged", ["", "storage", "business,storage,more"])
def test_what_an_author_wrote_there_is_replaced(forged: str) -> None:
    where = store("business", business={})
    pod = pod_object(annotations={REVIEWED_ANNOTATION: forged})
    assert after(pod, where)[REVIEWED_ANNOTATION] == "business"


def test_a_second_review_finds_nothing_to_do() -> None:
    where = store("business", business={})
    pod = pod_object(annotations=after(pod_object(), where))
    assert not isinstance(mutate(parse(orjson.dumps(review_object(pod))), where), Patched)


def test_where_planes_are_only_joined_nothing_is_said() -> None:
    where = FakeStore(
        planes=[make_plane("business")],
        namespaces=[Namespace("shop", {PLANE_LABEL_PREFIX + "business": "enabled"})],
    )
    assert REVIEWED_ANNOTATION not in after(pod_object(), where)
