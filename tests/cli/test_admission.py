"""The API server's part: reviews over verified TLS, and every way an answer can be unusable."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planes.cli.admission import Admission
from planes.model.errors import BadInput, Denied, JsonObject, Unavailable
from tests.support.certificates import current, make_root
from tests.support.webhook.scripted_webhook import (
    ScriptedWebhook,
    allowed,
    denied,
    scripted_webhook,
)

POD: JsonObject = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u1"},
    "spec": {"containers": []},
}
ANNOTATE = {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}}


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[ScriptedWebhook]:
    with scripted_webhook(tmp_path) as webhook:
        yield webhook


def admission(webhook: ScriptedWebhook) -> Admission:
    return Admission(webhook.url, str(webhook.ca))


def test_a_pod_is_mutated_and_then_validated_as_patched(webhook: ScriptedWebhook) -> None:
    webhook.answers["/mutate/pods"] = allowed(ANNOTATE)
    admitted = admission(webhook).admit(POD)
    assert admitted.pod["metadata"]["annotations"] == {"a/b": "c"}
    (first, mutate), (second, validate) = webhook.reviews
    assert (first, second) == ("/mutate/pods", "/validate/pods")
    assert mutate["request"]["object"] == POD
    assert validate["request"]["object"] == admitted.pod
    assert mutate["request"]["uid"] != validate["request"]["uid"]


def test_the_review_is_what_an_api_server_sends(webhook: ScriptedWebhook) -> None:
    """Every member that admission.k8s.io/v1 always has."""
    admission(webhook).admit(POD)
    review: dict[str, Any] = webhook.reviews[0][1]
    request = review["request"]
    assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert request["kind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert request["resource"] == {"group": "", "version": "v1", "resource": "pods"}
    assert (request["name"], request["namespace"]) == ("web", "shop")
    assert (request["operation"], request["dryRun"]) == ("CREATE", False)
    assert request["userInfo"]["username"]
    assert request["oldObject"] is None


def test_warnings_are_given_once_each_in_order(webhook: ScriptedWebhook) -> None:
    webhook.answers["/mutate/pods"] = allowed(warnings=("a", "b"))
    webhook.answers["/validate/pods"] = allowed(warnings=("b", "c"))
    assert admission(webhook).admit(POD).warnings == ("a", "b", "c")


@pytest.mark.parametrize("path", ["/mutate/pods", "/validate/pods"])
def test_a_refusal_carries_the_webhooks_reasons(webhook: ScriptedWebhook, path: str) -> None:
    webhook.answers[path] = denied("spec.x: cannot y; do z")
    with pytest.raises(Denied, match="pod shop/web: the webhook refuses it") as caught:
        admission(webhook).admit(POD)
    assert caught.value.remedy == "spec.x: cannot y; do z"


def test_each_of_several_reasons_is_a_line_with_its_remedy(webhook: ScriptedWebhook) -> None:
    causes = [{"field": f"spec.{one}", "message": f"cannot {one}; mend {one}"} for one in "ab"]
    status = {"message": "2 errors: …", "details": {"causes": causes}}
    webhook.answers["/validate/pods"] = {"allowed": False, "status": status}
    with pytest.raises(Denied) as caught:
        admission(webhook).admit(POD)
    assert caught.value.remedy == "spec.a: cannot a; mend a\nspec.b: cannot b; mend b"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"not json", "its answer is no JSON"),
        (b"[]", "its answer is no review"),
        (b"{}", "its answer is not about our request"),
        ({"allowed": True, "uid": "other"}, "its answer is not about our request"),
        (500, "it answers HTTP 500 to /mutate/pods"),
        ({"allowed": True, "patch": "%%%"}, "its patch does not fit"),
        ({"allowed": True, "patch": "e30="}, "its patch does not fit"),
        (allowed({"op": "remove", "path": "/spec"}), "its patch does not fit"),
        (allowed({"op": "replace", "path": "/no/where", "value": 1}), "its patch does not fit"),
    ],
)
def test_an_answer_that_is_none_admits_nothing(
    webhook: ScriptedWebhook, answer: Any, says: str
) -> None:
    webhook.answers["/mutate/pods"] = answer
    with pytest.raises(Unavailable, match=says):
        admission(webhook).admit(POD)


@pytest.mark.parametrize("report", [None, "yes", 1, False])
def test_only_a_clear_yes_admits(webhook: ScriptedWebhook, report: Any) -> None:
    webhook.answers["/validate/pods"] = {"allowed": report}
    with pytest.raises(Denied):
        admission(webhook).admit(POD)


def test_a_webhook_of_another_ca_is_not_trusted(webhook: ScriptedWebhook, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    other.write_bytes(make_root(current(), serial=99).certificate.pem)
    with pytest.raises(Unavailable, match="cannot trust the webhook") as caught:
        Admission(webhook.url, str(other)).admit(POD)
    assert "--ca" in caught.value.remedy
    assert webhook.reviews == []


def test_a_webhook_that_is_down_is_named_with_its_remedy(webhook: ScriptedWebhook) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(Unavailable, match="Connection refused") as caught:
        Admission(url, str(webhook.ca)).admit(POD)
    assert "netplane-webhook" in caught.value.remedy


def test_a_server_that_speaks_no_tls_is_an_error(webhook: ScriptedWebhook) -> None:
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        plain.listen()
        plain.settimeout(5)
        url = f"https://127.0.0.1:{plain.getsockname()[1]}"
        answer_plainly(plain)
        with pytest.raises(Unavailable, match="cannot reach the webhook"):
            Admission(url, str(webhook.ca)).admit(POD)


def answer_plainly(server: socket.socket) -> None:
    """Answer the next connection with something that is no TLS."""

    def answer() -> None:
        connection, _ = server.accept()
        connection.recv(10)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    threading.Thread(target=answer, daemon=True).start()


@pytest.mark.parametrize("url", ["http://x", "https://", "x", "https://x:0", "https://x:y", ""])
def test_a_url_that_is_no_https_is_refused(webhook: ScriptedWebhook, url: str) -> None:
    with pytest.raises(BadInput, match="as the webhook's URL"):
        Admission(url, str(webhook.ca))
