"""NADs that policy lets no pod use get an event, once and not too often."""

from __future__ import annotations

import orjson

from planes.kube.resources import EVENTS, NADS
from planes.model.errors import JsonObject, Unavailable
from planes.model.objects import Nad, Namespace
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane import parse_plane
from tests.support.planes import plane_object
from tests.webhook.controller.running_controller import RunningController
from webhook.controller.standing_nads import MOST_AT_ONCE, PERIOD_SECONDS

ON_ETH1 = {"cniVersion": "1.0.0", "type": "macvlan", "master": "eth1"}


def put(
    controller: RunningController, name: str = "own", namespace: str = "evil", **conf: object
) -> None:
    config = orjson.dumps({**ON_ETH1, **conf}).decode()
    obj = {
        "apiVersion": NADS.api_version,
        "kind": NADS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"config": config},
    }
    controller.kube.put_object(NADS, obj)
    controller.store.put_nad(Nad(namespace, name, config))


def set_up(controller: RunningController, **spec: object) -> None:
    controller.store.put_plane(parse_plane(plane_object("business", **spec)))
    controller.store.put_namespace(Namespace("evil"))
    controller.store.put_namespace(Namespace("shop", {"plane.netplane.io/business": "enabled"}))


def told(controller: RunningController, namespace: str = "evil") -> list[JsonObject]:
    found = controller.kube.objects(EVENTS, namespace)
    return [each for each in found if each["reason"] == "OnPlaneWire"]


async def test_a_nad_on_a_wire_that_its_namespace_has_not_joined_is_told_of(
    controller: RunningController,
) -> None:
    set_up(controller)
    put(controller)
    controller.start()
    await controller.settle(30)
    (event,) = told(controller)
    nad = controller.kube.object(NADS, "own", "evil")
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


async def test_a_nad_of_a_namespace_that_joined_is_told_of_for_its_addresses(
    controller: RunningController,
) -> None:
    set_up(controller)
    put(controller, "sound", "shop")
    put(controller, "pool", "shop", ipam={"type": "host-local", "subnet": "10.9.0.0/24"})
    ipam = {"type": "static", "addresses": [{"address": "10.9.0.1/24"}]}
    put(controller, "gateway", "shop", ipam=ipam)
    put(controller, "taking", "shop", type="ptp", ipam={"type": "plane", "plane": "business"})
    controller.start()
    await controller.settle(30)
    messages = {
        each["involvedObject"]["name"]: each["message"] for each in told(controller, "shop")
    }
    assert set(messages) == {"pool", "gateway", "taking"}
    assert "given out twice" in messages["pool"]
    assert "it is the gateway" in messages["gateway"]
    assert "not the plane's own NAD" in messages["taking"]


async def test_it_is_told_once_for_what_it_says_by_any_leader(
    controller: RunningController,
) -> None:
    set_up(controller)
    put(controller)
    controller.start()
    await controller.settle(PERIOD_SECONDS + 30)
    assert len(told(controller)) == 1
    await controller.stop()
    controller.start()
    await controller.settle(30)
    assert len(told(controller)) == 1
    put(controller, mtu=1400)
    await controller.settle(30)
    assert len(told(controller)) == 2


async def test_a_namespace_gets_so_many_at_a_time(controller: RunningController) -> None:
    set_up(controller)
    for number in range(MOST_AT_ONCE + 3):
        put(controller, f"own{number}")
    put(controller, namespace="also")
    controller.store.put_namespace(Namespace("also"))
    controller.start()
    await controller.settle(30)
    assert len(told(controller)) == MOST_AT_ONCE
    assert len(told(controller, "also")) == 1
    await controller.settle(PERIOD_SECONDS)
    assert len(told(controller)) == MOST_AT_ONCE + 3


async def test_nothing_is_told_on_a_shared_wire_or_off_all(controller: RunningController) -> None:
    set_up(controller, network={"type": "macvlan", "master": "eth1", "shared": True})
    put(controller)
    put(controller, "off", master="eth9")
    controller.start()
    await controller.settle(30)
    assert told(controller) == []


async def test_a_nad_that_says_more_than_its_namespace_may_is_told_of(
    controller: RunningController,
) -> None:
    """Without any plane: what is guarded is the node."""
    controller.store.guard_nads(NadPolicy(is_guarded=True))
    controller.store.put_namespace(Namespace("evil"))
    put(controller)
    controller.start()
    await controller.settle(30)
    (event,) = controller.kube.objects(EVENTS, "evil")
    assert event["reason"] == "NotPermitted"
    assert "tenants' NADs may stand on those of NETPLANE_NAD_INTERFACES only" in event["message"]


async def test_nothing_is_told_of_such_a_nad_where_nads_are_open(
    controller: RunningController,
) -> None:
    controller.store.put_namespace(Namespace("evil"))
    put(controller)
    controller.start()
    await controller.settle(30)
    assert controller.kube.objects(EVENTS, "evil") == []


async def test_what_could_not_be_told_while_the_api_server_was_away_is_told_later(
    controller: RunningController,
) -> None:
    set_up(controller)
    put(controller)
    away = Unavailable("cannot create Event: no answer in time")
    controller.kube.fail_next(away, verb="create", resource=EVENTS)
    controller.start()
    await controller.settle(30)
    assert len(told(controller)) == 1
