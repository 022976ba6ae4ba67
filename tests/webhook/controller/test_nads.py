"""NADs of planes: created, repaired, deleted; NADs of others are left alone."""

from __future__ import annotations

from planes.kube.resources import EVENTS, NADS, PLANES
from planes.model.errors import Unavailable
from planes.model.names import NETPLANE_NAMESPACE, RENDERED_LABEL
from planes.model.objects import Nad
from planes.model.spec.plane import parse_plane
from planes.model.spec.render import plane_nad
from tests.support.planes import plane_object
from tests.webhook.controller.running_controller import RunningController


def rendered(**spec: object) -> str:
    nad = plane_nad(parse_plane(plane_object("business", **spec)))
    assert nad is not None
    return nad.config


def reasons(controller: RunningController) -> list[str]:
    return [each["reason"] for each in controller.kube.objects(EVENTS, "default")]


async def test_a_typed_plane_gets_its_nad_owned_by_it(controller: RunningController) -> None:
    plane = controller.put_plane()
    controller.start()
    await controller.settle()
    nad = controller.nad()
    assert nad is not None
    assert nad["spec"]["config"] == rendered()
    assert nad["metadata"]["labels"] == {RENDERED_LABEL: "business"}
    assert nad["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "netplane.io/v1alpha1",
            "kind": "Plane",
            "name": "business",
            "uid": plane["metadata"]["uid"],
        }
    ]
    assert controller.condition("NADReady") == ("True", "Rendered")


async def test_an_edited_nad_is_written_again_and_told_of(controller: RunningController) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle()
    nad = controller.nad()
    assert nad is not None
    nad["spec"]["config"] = "{}"
    nad["metadata"]["annotations"] = {"team": "net", "k8s.v1.cni.cncf.io/resourceName": "odd"}
    nad["metadata"]["labels"]["colour"] = "blue"
    controller.kube.put_object(NADS, nad)
    await controller.settle()
    mended = controller.nad()
    assert mended is not None
    assert mended["spec"]["config"] == rendered()
    assert mended["metadata"]["annotations"] == {"team": "net"}
    assert mended["metadata"]["labels"]["colour"] == "blue"
    assert reasons(controller) == ["NADRepaired"]


async def test_a_nad_removed_before_it_is_mended_is_made_anew(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle()
    nad = controller.nad()
    assert nad is not None
    controller.kube.before_next(
        lambda: controller.kube.remove_object(NADS, "business", NETPLANE_NAMESPACE),
        verb="patch",
        resource=NADS,
    )
    controller.kube.put_object(NADS, {**nad, "spec": {"config": "{}"}})
    await controller.settle(2)
    made = controller.nad()
    assert made is not None
    assert made["spec"]["config"] == rendered()
    assert reasons(controller) == []
    assert controller.failures() == 0


async def test_a_lost_owner_is_not_taken_back(controller: RunningController) -> None:
    """Whoever takes our owner or label off has taken the NAD over."""
    controller.put_plane()
    controller.start()
    await controller.settle()
    controller.put_nad("business", spec={"config": "{}"})
    await controller.settle()
    assert controller.condition("NADReady") == ("False", "NameTaken")


async def test_a_plane_made_again_takes_over_the_nad_of_the_old_one(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle()
    await controller.stop()
    controller.kube.remove_object(PLANES, "business")
    again = controller.put_plane()
    controller.start()
    await controller.settle()
    nad = controller.nad()
    assert nad is not None
    (owner,) = nad["metadata"]["ownerReferences"]
    assert owner["uid"] == again["metadata"]["uid"]


async def test_a_changed_plane_changes_its_nad(controller: RunningController) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle()
    controller.put_plane(network={"type": "ipvlan", "master": "eth2"})
    await controller.settle()
    nad = controller.nad()
    assert nad is not None
    assert '"eth2"' in nad["spec"]["config"]


async def test_a_deleted_nad_comes_back(controller: RunningController) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle()
    controller.kube.remove_object(NADS, "business", NETPLANE_NAMESPACE)
    await controller.settle()
    assert controller.nad() is not None


async def test_the_nad_goes_with_its_plane(controller: RunningController) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle()
    controller.kube.remove_object(PLANES, "business")
    await controller.settle()
    assert controller.nad() is None


async def test_the_nad_goes_when_the_plane_names_another(controller: RunningController) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle()
    reference = {"nadRef": {"namespace": "infra", "name": "lan"}}
    controller.put_plane(network=reference, subnets=None, ipam={"mode": "NAD"})
    await controller.settle()
    assert controller.nad() is None
    assert controller.condition("NADReady") == ("False", "NADMissing")


async def test_what_a_leader_before_left_is_removed_at_the_start(
    controller: RunningController,
) -> None:
    owner = {"apiVersion": "netplane.io/v1alpha1", "kind": "Plane", "name": "old", "uid": "1"}
    labels = {RENDERED_LABEL: "old"}
    place = {"name": "old", "namespace": NETPLANE_NAMESPACE}
    controller.put_nad("old", metadata={**place, "labels": labels, "ownerReferences": [owner]})
    controller.start()
    await controller.settle()
    assert controller.nad("old") is None


async def test_somebody_else_s_nad_is_neither_taken_nor_removed(
    controller: RunningController,
) -> None:
    controller.put_nad("business")
    controller.put_nad("other")
    controller.put_plane()
    controller.start()
    await controller.settle(30)
    assert controller.writes("network-attachment-definitions") == 0
    assert controller.condition("NADReady") == ("False", "NameTaken")
    assert reasons(controller) == ["NADNameTaken"]
    controller.kube.remove_object(NADS, "business", NETPLANE_NAMESPACE)
    await controller.settle()
    assert controller.condition("NADReady") == ("True", "Rendered")


async def test_a_plane_whose_nad_needs_a_device_and_names_no_resource_is_not_accepted(
    controller: RunningController,
) -> None:
    controller.store.put_nad(Nad("infra", "vf", '{"cniVersion":"1.0.0","type":"sriov","name":"v"}'))
    reference = {"nadRef": {"namespace": "infra", "name": "vf"}}
    controller.put_plane(network=reference, subnets=None, ipam={"mode": "NAD"})
    controller.start()
    await controller.settle(30)
    assert controller.condition("Accepted") == ("False", "NeedsDevice")
    assert controller.condition("NADReady") == ("False", "NeedsDevice")
    controller.put_plane(network={"type": "sriov", "resourceName": "example.com/vfs"})
    await controller.settle()
    assert controller.condition("Accepted") == ("True", "Valid")


async def test_a_faulty_plane_keeps_the_nad_it_has(controller: RunningController) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle()
    before = controller.nad()
    controller.put_plane(network={"type": "macvlan", "master": "eth2", "mode": "odd"})
    await controller.settle()
    assert controller.nad() == before
    assert controller.condition("Accepted") == ("False", "Invalid")


async def test_a_race_for_an_edit_is_decided_by_looking_again(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle()

    def annotate() -> None:
        nad = controller.nad()
        assert nad is not None
        nad["metadata"]["annotations"] = {"late": "write"}
        controller.kube.put_object(NADS, nad)

    controller.kube.before_next(annotate, verb="patch", resource=NADS)
    controller.put_plane(network={"type": "ipvlan", "master": "eth2"})
    await controller.settle(2)
    nad = controller.nad()
    assert nad is not None
    assert '"eth2"' in nad["spec"]["config"]
    assert nad["metadata"]["annotations"]["late"] == "write"


async def test_what_fails_is_done_later(controller: RunningController) -> None:
    controller.put_plane()
    controller.kube.fail_next(Unavailable("cannot create"), verb="create", resource=NADS, times=3)
    controller.start()
    await controller.settle()
    assert controller.nad() is None
    await controller.settle(5)
    assert controller.nad() is not None


async def test_a_nad_that_is_changed_back_each_time_is_written_ever_less_often(
    controller: RunningController,
) -> None:
    """Somebody writes their own config whenever ours is seen, for ten minutes."""
    controller.put_plane()
    controller.start()
    await controller.settle(20)
    before = controller.writes("network-attachment-definitions")
    for _ in range(600):
        nad = controller.nad()
        assert nad is not None
        if nad["spec"]["config"] != "{}":
            nad["spec"]["config"] = "{}"
            controller.kube.put_object(NADS, nad)
        await controller.settle(1)
    assert controller.writes("network-attachment-definitions") - before <= 25
    assert len(reasons(controller)) <= 25
    await controller.settle(90)
    assert controller.nad() != nad


async def test_a_taken_name_is_told_of_again_for_a_new_plane(controller: RunningController) -> None:
    controller.put_nad("business")
    controller.put_plane()
    controller.start()
    await controller.settle(1)
    controller.kube.remove_object(PLANES, "business")
    await controller.settle(1)
    controller.put_plane()
    await controller.settle(1)
    assert reasons(controller) == ["NADNameTaken", "NADNameTaken"]
