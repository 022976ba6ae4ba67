"""NADs that policy lets nobody use: their authors are told, once and not too often."""

from __future__ import annotations

import orjson

from planes.kube.resources import EVENTS, NADS
from planes.model.errors import JsonObject
from planes.model.objects import Nad, Namespace
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane import parse_plane
from tests.support.planes import plane_object
from tests.webhook.controller.reign import Reign
from webhook.controller.standing_nads import MOST_AT_ONCE, PERIOD_SECONDS

ON_ETH1 = {"cniVersion": "1.0.0", "type": "macvlan", "master": "eth1"}


def put(reign: Reign, name: str = "own", namespace: str = "evil", **conf: object) -> None:
    config = orjson.dumps({**ON_ETH1, **conf}).decode()
    obj = {
        "apiVersion": NADS.api_version,
        "kind": NADS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"config": config},
    }
    reign.kube.put_object(NADS, obj)
    reign.store.put_nad(Nad(namespace, name, config))


def set_up(reign: Reign, **spec: object) -> None:
    reign.store.put_plane(parse_plane(plane_object("business", **spec)))
    reign.store.put_namespace(Namespace("evil"))
    reign.store.put_namespace(Namespace("shop", {"plane.netplane.io/business": "enabled"}))


def told(reign: Reign, namespace: str = "evil") -> list[JsonObject]:
    found = reign.kube.objects(EVENTS, namespace)
    return [each for each in found if each["reason"] == "OnPlaneWire"]


async def test_a_nad_on_a_wire_that_its_namespace_has_not_joined_is_told_of(reign: Reign) -> None:
    set_up(reign)
    put(reign)
    reign.start()
    await reign.settle(30)
    (event,) = told(reign)
    nad = reign.kube.object(NADS, "own", "evil")
    assert nad is not None
    assert event["involvedObject"] == {
        "apiVersion": NADS.api_version,
        "kind": NADS.kind,
        "name": "own",
        "namespace": "evil",
        "uid": nad["metadata"]["uid"],
    }
    assert event["type"] == "Warning"
    assert "the wire of plane business, which namespace evil has not joined" in event["message"]


async def test_a_nad_of_a_namespace_that_joined_is_told_of_for_its_addresses(reign: Reign) -> None:
    set_up(reign)
    put(reign, "sound", "shop")
    put(reign, "pool", "shop", ipam={"type": "host-local", "subnet": "10.9.0.0/24"})
    ipam = {"type": "static", "addresses": [{"address": "10.9.0.1/24"}]}
    put(reign, "gateway", "shop", ipam=ipam)
    put(reign, "taking", "shop", type="ptp", ipam={"type": "plane", "plane": "business"})
    reign.start()
    await reign.settle(30)
    messages = {each["involvedObject"]["name"]: each["message"] for each in told(reign, "shop")}
    assert set(messages) == {"pool", "gateway", "taking"}
    assert "given out twice" in messages["pool"]
    assert "it is the gateway" in messages["gateway"]
    assert "not the plane's own NAD" in messages["taking"]


async def test_it_is_told_once_for_what_it_says_whoever_leads(reign: Reign) -> None:
    set_up(reign)
    put(reign)
    reign.start()
    await reign.settle(PERIOD_SECONDS + 30)
    assert len(told(reign)) == 1
    await reign.stop()
    reign.start()
    await reign.settle(30)
    assert len(told(reign)) == 1
    put(reign, mtu=1400)
    await reign.settle(30)
    assert len(told(reign)) == 2


async def test_a_namespace_gets_so_many_at_a_time(reign: Reign) -> None:
    set_up(reign)
    for number in range(MOST_AT_ONCE + 3):
        put(reign, f"own{number}")
    put(reign, namespace="also")
    reign.store.put_namespace(Namespace("also"))
    reign.start()
    await reign.settle(30)
    assert len(told(reign)) == MOST_AT_ONCE
    assert len(told(reign, "also")) == 1
    await reign.settle(PERIOD_SECONDS)
    assert len(told(reign)) == MOST_AT_ONCE + 3


async def test_nothing_is_told_on_a_shared_wire_or_off_all(reign: Reign) -> None:
    set_up(reign, network={"type": "macvlan", "master": "eth1", "shared": True})
    put(reign)
    put(reign, "off", master="eth9")
    reign.start()
    await reign.settle(30)
    assert told(reign) == []


async def test_a_nad_that_says_more_than_its_namespace_may_is_told_of(reign: Reign) -> None:
    """Without any plane: what is guarded is the node."""
    reign.store.guard_nads(NadPolicy(is_guarded=True))
    reign.store.put_namespace(Namespace("evil"))
    put(reign)
    reign.start()
    await reign.settle(30)
    (event,) = reign.kube.objects(EVENTS, "evil")
    assert event["reason"] == "NotPermitted"
    assert "tenants' NADs may stand on those of nad-interfaces only" in event["message"]


async def test_nothing_is_told_of_such_a_nad_where_nads_are_open(reign: Reign) -> None:
    reign.store.put_namespace(Namespace("evil"))
    put(reign)
    reign.start()
    await reign.settle(30)
    assert reign.kube.objects(EVENTS, "evil") == []
