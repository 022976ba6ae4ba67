"""Planes that an earlier definition stored, after the definition was upgraded: read and kept up."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from planes.model.errors import JsonObject
from planes.model.names import IN_USE_FINALIZER
from planes.model.spec.unenforced import outdated
from tests.cluster.apiserver import KubectlError
from tests.cluster.installed_webhook import Installed, namespace, pod, running_webhook, until
from tests.cluster.rest import PLANES, Rest, wait_for
from tests.support.plane_corpus import corpus_plane

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/planes.netplane.io"
FIELD = "conflictDetection"
LABEL = "plane.netplane.io/stored"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Installed]:
    with running_webhook(namespace("shop", **{LABEL: "enabled"})) as made:
        yield made


@pytest.fixture
def rest(cluster: Installed) -> Iterator[Rest]:
    made = Rest(cluster.server)
    yield made
    made.close()


def earlier(versions: list[JsonObject]) -> list[JsonObject]:
    """Return the definition as it was when conflictDetection was a boolean."""
    found = json.loads(json.dumps(versions))
    spec = found[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    ipam = spec["properties"]["ipam"]
    ipam["properties"][FIELD] = {"type": "boolean"}
    for schema in (spec, ipam):
        rules = schema["x-kubernetes-validations"]
        schema["x-kubernetes-validations"] = [one for one in rules if FIELD not in one["rule"]]
    return list(found)


@pytest.fixture
def stored(cluster: Installed, rest: Rest) -> Iterator[str]:
    """The path of a plane stored with `false`, the definition upgraded since.

    No webhook ran meanwhile: the definition comes first in an upgrade.
    """
    cluster.stop()
    served = rest.ask("GET", CRD).body["spec"]["versions"]
    obj = corpus_plane({"ipam": {FIELD: False}}, "stored")
    cluster.server.kubectl(
        "delete", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "--all"
    )
    assert rest.merge(CRD, {"spec": {"versions": earlier(served)}}).is_success
    try:
        wait_for(lambda: rest.create(PLANES, obj), lambda reply: reply.is_success)
    finally:
        assert rest.merge(CRD, {"spec": {"versions": served}}).is_success
    probe = corpus_plane(obj["spec"], "another")
    wait_for(lambda: rest.try_out(PLANES, probe), lambda reply: FIELD in reply.message)
    cluster.install(crds=False)
    cluster.start()
    cluster.ready()
    path = f"{PLANES}/stored"
    yield path
    # In this order: of a plane that is not being deleted the controller holds the finalizer.
    rest.ask("DELETE", path)
    rest.merge(path, {"metadata": {"finalizers": None}})
    wait_for(lambda: rest.ask("GET", path), lambda reply: reply.status == 404)


def test_it_is_in_force_and_its_status_and_finalizer_are_written(
    cluster: Installed, rest: Rest, stored: str
) -> None:
    """Nothing of its spec is written, so the API server does not ask for a change."""

    def found() -> Any:
        return rest.ask("GET", stored).body

    until(20, lambda: found().get("status", {}).get("namespaces") == 1)
    until(20, lambda: found()["metadata"].get("finalizers") == [IN_USE_FINALIZER])
    (accepted,) = [c for c in found()["status"]["conditions"] if c["type"] == "Accepted"]
    assert accepted["status"] == "True"
    assert "spec.ipam.conflictDetection: cannot stay false" in accepted["message"]
    assert found()["spec"]["ipam"][FIELD] is False
    cluster.server.apply(pod("web", "shop"))
    made = cluster.server.get("pod", "web", "-n", "shop")
    assert '"stored"' in made["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"]
    cluster.server.kubectl("delete", "pod", "web", "-n", "shop", "--now")


def test_it_can_be_changed_and_keeps_the_field(rest: Rest, stored: str) -> None:
    """The API server does not judge again what a request leaves as it was."""
    answer = rest.merge(stored, {"spec": {"mtu": 1400, "ipam": {"cooldownSeconds": 5}}})
    assert answer.message == ""
    assert answer.body["spec"]["ipam"] == {FIELD: False, "cooldownSeconds": 5}


def test_server_side_apply_fails_until_the_field_is_taken_out(
    cluster: Installed, rest: Rest, stored: str
) -> None:
    """By the command that the plane's condition names."""
    text = json.dumps(corpus_plane({"mtu": 1400}, "stored"))
    apply = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    with pytest.raises(KubectlError, match=f"spec.ipam.{FIELD}: expected string"):
        cluster.server.kubectl(*apply, text=text)
    (finding,) = outdated(rest.ask("GET", stored).body)
    program, *words = shlex.split(finding.remedy)
    assert program == "kubectl"
    cluster.server.kubectl(*words)
    cluster.server.kubectl(*apply, text=text)
    assert rest.ask("GET", stored).body["spec"]["ipam"] == {"cooldownSeconds": 0}


def test_a_manifest_that_has_the_field_still_is_refused(cluster: Installed, stored: str) -> None:
    """The answer names it."""
    text = json.dumps(corpus_plane({"ipam": {FIELD: False}}, "anew"))
    with pytest.raises(KubectlError, match=f"spec.ipam.{FIELD}"):
        cluster.server.kubectl("create", "-f", "-", text=text)
