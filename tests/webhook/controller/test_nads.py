"""NADs of planes: made, mended, removed; somebody else's left alone."""

from __future__ import annotations

from planes.kube.resources import EVENTS, NADS, PLANES
from planes.model.errors import Unavailable
from planes.model.names import NETPLANE_NAMESPACE, RENDERED_LABEL
from planes.model.spec.plane import parse_plane
from planes.model.spec.render import plane_nad
from tests.support.planes import plane_object
from tests.webhook.controller.reign import Reign


def rendered(**spec: object) -> str:
    nad = plane_nad(parse_plane(plane_object("business", **spec)))
    assert nad is not None
    return nad.config


def reasons(reign: Reign) -> list[str]:
    return [each["reason"] for each in reign.kube.objects(EVENTS, "default")]


async def test_a_typed_plane_gets_its_nad_owned_by_it(reign: Reign) -> None:
    plane = reign.put_plane()
    reign.start()
    await reign.settle()
    nad = reign.nad()
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
    assert reign.condition("NADReady") == ("True", "Rendered")


async def test_an_edited_nad_is_written_again_and_told_of(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle()
    nad = reign.nad()
    assert nad is not None
    nad["spec"]["config"] = "{}"
    nad["metadata"]["annotations"] = {"team": "net", "k8s.v1.cni.cncf.io/resourceName": "odd"}
    nad["metadata"]["labels"]["colour"] = "blue"
    reign.kube.put_object(NADS, nad)
    await reign.settle()
    mended = reign.nad()
    assert mended is not None
    assert mended["spec"]["config"] == rendered()
    assert mended["metadata"]["annotations"] == {"team": "net"}
    assert mended["metadata"]["labels"]["colour"] == "blue"
    assert reasons(reign) == ["NADRepaired"]


async def test_a_nad_removed_before_it_is_mended_is_made_anew(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle()
    nad = reign.nad()
    assert nad is not None
    reign.kube.before_next(
        lambda: reign.kube.remove_object(NADS, "business", NETPLANE_NAMESPACE),
        verb="patch",
        resource=NADS,
    )
    reign.kube.put_object(NADS, {**nad, "spec": {"config": "{}"}})
    await reign.settle(2)
    made = reign.nad()
    assert made is not None
    assert made["spec"]["config"] == rendered()
    assert reasons(reign) == []
    assert reign.failures() == 0


async def test_a_lost_owner_is_not_taken_back(reign: Reign) -> None:
    """Whoever takes our owner or label off has taken the NAD over."""
    reign.put_plane()
    reign.start()
    await reign.settle()
    reign.put_nad("business", spec={"config": "{}"})
    await reign.settle()
    assert reign.condition("NADReady") == ("False", "NameTaken")


async def test_a_plane_made_again_takes_over_the_nad_of_the_old_one(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle()
    await reign.stop()
    reign.kube.remove_object(PLANES, "business")
    again = reign.put_plane()
    reign.start()
    await reign.settle()
    nad = reign.nad()
    assert nad is not None
    (owner,) = nad["metadata"]["ownerReferences"]
    assert owner["uid"] == again["metadata"]["uid"]


async def test_a_changed_plane_changes_its_nad(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle()
    reign.put_plane(network={"type": "ipvlan", "master": "eth2"})
    await reign.settle()
    nad = reign.nad()
    assert nad is not None
    assert '"eth2"' in nad["spec"]["config"]


async def test_a_deleted_nad_comes_back(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle()
    reign.kube.remove_object(NADS, "business", NETPLANE_NAMESPACE)
    await reign.settle()
    assert reign.nad() is not None


async def test_the_nad_goes_with_its_plane(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle()
    reign.kube.remove_object(PLANES, "business")
    await reign.settle()
    assert reign.nad() is None


async def test_the_nad_goes_when_the_plane_names_another(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle()
    reference = {"nadRef": {"namespace": "infra", "name": "lan"}}
    reign.put_plane(network=reference, subnets=None, ipam={"mode": "NAD"})
    await reign.settle()
    assert reign.nad() is None
    assert reign.condition("NADReady") == ("False", "NADMissing")


async def test_what_a_leader_before_left_is_removed_at_the_start(reign: Reign) -> None:
    owner = {"apiVersion": "netplane.io/v1alpha1", "kind": "Plane", "name": "old", "uid": "1"}
    labels = {RENDERED_LABEL: "old"}
    place = {"name": "old", "namespace": NETPLANE_NAMESPACE}
    reign.put_nad("old", metadata={**place, "labels": labels, "ownerReferences": [owner]})
    reign.start()
    await reign.settle()
    assert reign.nad("old") is None


async def test_somebody_else_s_nad_is_neither_taken_nor_removed(reign: Reign) -> None:
    reign.put_nad("business")
    reign.put_nad("other")
    reign.put_plane()
    reign.start()
    await reign.settle(30)
    assert reign.writes("network-attachment-definitions") == 0
    assert reign.condition("NADReady") == ("False", "NameTaken")
    assert reasons(reign) == ["NADNameTaken"]
    reign.kube.remove_object(NADS, "business", NETPLANE_NAMESPACE)
    await reign.settle()
    assert reign.condition("NADReady") == ("True", "Rendered")


async def test_a_faulty_plane_keeps_the_nad_it_has(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle()
    before = reign.nad()
    reign.put_plane(network={"type": "macvlan", "master": "eth2", "mode": "odd"})
    await reign.settle()
    assert reign.nad() == before
    assert reign.condition("Accepted") == ("False", "Invalid")


async def test_a_race_for_an_edit_is_decided_by_looking_again(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle()

    def annotate() -> None:
        nad = reign.nad()
        assert nad is not None
        nad["metadata"]["annotations"] = {"late": "write"}
        reign.kube.put_object(NADS, nad)

    reign.kube.before_next(annotate, verb="patch", resource=NADS)
    reign.put_plane(network={"type": "ipvlan", "master": "eth2"})
    await reign.settle(2)
    nad = reign.nad()
    assert nad is not None
    assert '"eth2"' in nad["spec"]["config"]
    assert nad["metadata"]["annotations"]["late"] == "write"


async def test_what_fails_is_done_later(reign: Reign) -> None:
    reign.put_plane()
    reign.kube.fail_next(Unavailable("cannot create"), verb="create", resource=NADS, times=3)
    reign.start()
    await reign.settle()
    assert reign.nad() is None
    await reign.settle(5)
    assert reign.nad() is not None


async def test_a_quarrel_about_a_nad_becomes_no_flood(reign: Reign) -> None:
    """Somebody writes their own config whenever ours is seen, for ten minutes."""
    reign.put_plane()
    reign.start()
    await reign.settle(20)
    before = reign.writes("network-attachment-definitions")
    for _ in range(600):
        nad = reign.nad()
        assert nad is not None
        if nad["spec"]["config"] != "{}":
            nad["spec"]["config"] = "{}"
            reign.kube.put_object(NADS, nad)
        await reign.settle(1)
    assert reign.writes("network-attachment-definitions") - before <= 25
    assert len(reasons(reign)) <= 25
    await reign.settle(90)
    assert reign.nad() != nad


async def test_a_taken_name_is_told_of_again_for_a_new_plane(reign: Reign) -> None:
    reign.put_nad("business")
    reign.put_plane()
    reign.start()
    await reign.settle(1)
    reign.kube.remove_object(PLANES, "business")
    await reign.settle(1)
    reign.put_plane()
    await reign.settle(1)
    assert reasons(reign) == ["NADNameTaken", "NADNameTaken"]
