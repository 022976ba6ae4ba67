"""Our text of the kind NetworkAttachmentDefinition serves what Multus' users have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from planes.kube.resources import NADS
from tests.cluster.apiserver import ApiServer
from tests.cluster.rest import MANIFESTS, Reply, Rest, wait_for

CRD = yaml.safe_load((MANIFESTS / "nad-kind.yaml").read_text())


@pytest.fixture(scope="module")
def rest(api_server: ApiServer) -> Iterator[Rest]:
    rest = Rest(api_server)
    rest.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CRD)
    path = NADS.path("default")
    wait_for(lambda: rest.ask("GET", path), lambda reply: reply.is_success)
    yield rest
    rest.close()


def create(rest: Rest, **spec: object) -> Reply:
    obj = {
        "apiVersion": NADS.api_version,
        "kind": NADS.kind,
        "metadata": {"generateName": "nad-", "namespace": "default"},
        "spec": spec,
    }
    return rest.create(NADS.path("default") + "?fieldValidation=Strict", obj)


def test_it_is_the_kind_that_we_ask_for() -> None:
    spec = CRD["spec"]
    assert CRD["metadata"]["name"] == f"{NADS.plural}.{NADS.group}"
    assert (spec["group"], spec["names"]["kind"]) == (NADS.group, NADS.kind)
    assert [version["name"] for version in spec["versions"]] == [NADS.version]
    assert spec["scope"] == "Namespaced"


def test_a_nad_keeps_its_configuration(rest: Rest) -> None:
    answer = create(rest, config='{"type": "macvlan"}')
    assert answer.body["spec"] == {"config": '{"type": "macvlan"}'}


def test_a_nad_may_leave_its_configuration_to_the_node(rest: Rest) -> None:
    assert create(rest).is_success


def test_a_configuration_that_is_no_text_is_refused(rest: Rest) -> None:
    assert "spec.config" in create(rest, config={"type": "macvlan"}).message


@pytest.mark.parametrize("name", ["net-attach-def", "nad", "network-attachment-definitions"])
def test_kubectl_knows_its_short_names(rest: Rest, api_server: ApiServer, name: str) -> None:
    assert create(rest).is_success
    assert "networkattachmentdefinition.k8s.cni.cncf.io/nad-" in api_server.kubectl(
        "get", name, "-o", "name"
    )
