"""Reviews of pods that ask for a MAC which another pod of the wire has."""

from __future__ import annotations

import orjson

from planes.model.names import NETPLANE_NAMESPACE, NETWORKS_ANNOTATION
from planes.model.objects import Namespace, Pod
from tests.support.planes import make_plane
from tests.support.store import FakeStore
from tests.support.webhook.admission import pod_object, review_object
from webhook.review import Allowed, Answer, encode, parse
from webhook.validate import validate

MAC = "02:00:00:00:00:11"


def asking(mac: str) -> dict[str, str]:
    element = {"name": "business", "namespace": NETPLANE_NAMESPACE, "mac": mac}
    return {NETWORKS_ANNOTATION: orjson.dumps([element]).decode()}


def reviewed(mac: str, namespace: str = "shop") -> tuple[Answer, str]:
    """Return the answer to a pod, where shop/first asks for `MAC` already, and its text."""
    joined = {"plane.netplane.io/business": "enabled"}
    store = FakeStore(
        planes=[make_plane()],
        namespaces=[Namespace("shop", joined), Namespace("bank", joined)],
        pods=[Pod("shop", "first", annotations=asking(MAC))],
    )
    obj = pod_object("second", namespace, annotations=asking(mac))
    review = parse(orjson.dumps(review_object(obj)))
    answer = validate(review, store)
    status = orjson.loads(encode(review, answer))["response"].get("status", {})
    return answer, str(status.get("message", ""))


def test_a_duplicate_is_refused_with_the_holder() -> None:
    for namespace in ("shop", "bank"):
        _, text = reviewed(MAC, namespace)
        assert f"cannot give the pod MAC {MAC}: pod shop/first asks for it already" in text
        assert "give each pod a MAC of its own" in text


def test_another_mac_is_allowed() -> None:
    answer, _ = reviewed("02:00:00:00:00:12")
    assert isinstance(answer, Allowed)
