"""What decides about pods, read from a cluster: no more than concerns them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from planes.cli.console import Console
from planes.cli.explaining.files import explain_files, not_there
from planes.cli.inputs import Inputs
from planes.cli.reading.decision_state import DecisionState, decision_state
from planes.cli.reading.place import Place
from planes.kube.resources import NADS, NAMESPACES, PLANES, PODS
from planes.model.errors import Denied
from planes.model.objects import NadRef
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import plane_object

LABELS = {"plane.netplane.io/business": "enabled"}
ELEMENT = {"name": "business", "namespace": "netplane-system"}


@pytest.fixture
def kube() -> FakeKube:
    kube = FakeKube((PLANES, plane_object()))
    kube.put_object(NAMESPACES, {"metadata": {"name": "shop", "labels": LABELS}})
    return kube


def put_pod(kube: FakeKube, name: str, space: str, *ips: str) -> None:
    networks = json.dumps([{**ELEMENT, "ips": list(ips)} if ips else ELEMENT])
    meta = {"name": name, "namespace": space}
    kube.put_object(
        PODS, {"metadata": {**meta, "annotations": {"k8s.v1.cni.cncf.io/networks": networks}}}
    )


def nad(space: str, name: str) -> dict[str, Any]:
    config = json.dumps({"cniVersion": "1.0.0", "name": name, "type": "macvlan"})
    return {"metadata": {"name": name, "namespace": space}, "spec": {"config": config}}


async def state_of(kube: FakeKube, *namespaces: str, **more: Any) -> DecisionState:
    return await decision_state(Place(kube, FakeClock(), "the cluster"), namespaces, **more)


async def test_of_other_namespaces_pods_those_that_ask_for_addresses_count(kube: FakeKube) -> None:
    put_pod(kube, "plain", "other")
    put_pod(kube, "static", "other", "10.9.0.200")
    put_pod(kube, "own", "shop")
    claims = (await state_of(kube, "shop")).snapshot.catalog.claims
    pods = {pod for _, pod in claims.pods_on(NadRef("netplane-system", "business"))}
    assert pods == {"other/static", "shop/own"}


async def test_a_request_that_is_written_with_escapes_counts_too(kube: FakeKube) -> None:
    put_pod(kube, "static", "other", "10.9.0.200")
    obj = kube.object(PODS, "static", "other")
    assert obj is not None
    networks = obj["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"]
    escaped = networks.replace('"ips"', '"\\u0069ps"')
    obj["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] = escaped
    kube.put_object(PODS, obj)
    claims = (await state_of(kube, "shop")).snapshot.catalog.claims
    pods = {pod for _, pod in claims.pods_on(NadRef("netplane-system", "business"))}
    assert pods == {"other/static"}


async def test_nads_of_the_namespaces_in_question_alone_are_read(kube: FakeKube) -> None:
    for space in ("shop", "named", "other"):
        kube.put_object(NADS, nad(space, "n"))
    nads = (await state_of(kube, "shop", nads_of=["named"])).snapshot.catalog.nads
    assert NadRef("shop", "n") in nads
    assert NadRef("named", "n") in nads
    assert NadRef("other", "n") not in nads


async def test_a_plane_that_cannot_be_used_is_ignored_and_told(kube: FakeKube) -> None:
    kube.put_object(PLANES, plane_object("odd", network={"type": "macvlan", "mode": "odd"}))
    state = await state_of(kube, "shop")
    assert [one.where for one in state.ignored] == ["Plane/odd"]
    assert state.problems == ()


async def test_planes_that_may_not_be_read_end_it(kube: FakeKube) -> None:
    kube.fail_next(Denied("cannot list planes"), verb="list", resource=PLANES)
    with pytest.raises(Denied):
        await state_of(kube, "shop")


async def test_a_file_counts_as_if_it_were_applied(kube: FakeKube) -> None:
    unlabelled = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    broken = plane_object("odd", network={"type": "macvlan", "mode": "odd"})
    state = await state_of(kube, "shop", extra=[(unlabelled, "x.yaml:1"), (broken, "x.yaml:9")])
    assert state.snapshot.namespaces["shop"].labels.keys() == {"kubernetes.io/metadata.name"}
    assert [one.where for one in state.problems] == ["x.yaml:9"]


async def test_files_are_explained_against_the_planes_of_a_cluster(kube: FakeKube) -> None:
    put_pod(kube, "first", "other", "10.9.0.200")
    kube.put_object(NAMESPACES, {"metadata": {"name": "other", "labels": LABELS}})
    subnet = {"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.210"]}
    plane = plane_object(subnets=[subnet], staticIPs={"allow": "Any"})
    kube.put_object(PLANES, plane)
    asks = {"netplane.io/static-ips": '{"business": ["10.9.0.200"]}'}
    pod = {"metadata": {"name": "web", "namespace": "shop", "annotations": asks}, "spec": {}}
    inputs = Inputs(pods=[pod])
    state = await state_of(kube, "shop")
    out, err = io.StringIO(), io.StringIO()
    (entry,) = explain_files(
        Console(out, err, {}), inputs, state.snapshot, (), default="default", lacking=not_there
    )
    assert "other/first" in entry.errors[0].message
    assert "Attachments it would get:" in out.getvalue()
