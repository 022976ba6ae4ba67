"""A pod lacks a plane that its namespace's labels ask for: its node publishes an event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node
from tests.support.planes import plane_object


def events(place: Place) -> list[dict[str, Any]]:
    lines = (place.state / "events.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["reason"] == "PlaneMissing"]


def relabelled(place: Place, **labels: str) -> None:
    """Put other labels on namespace shop than `set_up` does."""
    found = {f"plane.netplane.io/{plane}": value for plane, value in labels.items()}
    metadata = {"name": "shop", "labels": found}
    place.manifest("0-first", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


@pytest.mark.kernel
def test_a_label_that_joins_nothing_becomes_an_event_of_the_pod(daemon: Place, here: Node) -> None:
    set_up(daemon)
    relabelled(daemon, busines="enabled")
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert daemon.stop() == 0
    (event,) = events(daemon)
    assert event["type"] == "Warning"
    assert event["involvedObject"]["name"] == "web"
    assert 'there is no plane "busines"; did you mean business?' in event["message"]
    assert leftovers(daemon, here) == NOTHING


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"busines": "enabled"}, 'there is no plane "busines"; did you mean business?'),
        ({"business": "Enabled"}, '"Enabled" is neither enabled nor required'),
    ],
)
def test_so_does_a_container_that_is_no_pod_of_its_netconfs_namespace(
    daemon: Place, here: Node, labels: dict[str, str], told: str
) -> None:
    set_up(daemon)
    relabelled(daemon, **labels)
    daemon.start()
    daemon.call("ADD", here.sandbox.path, conf={"namespace": "shop"})
    daemon.call("DEL", here.sandbox.path, conf={"namespace": "shop"})
    assert daemon.stop() == 0
    (event,) = events(daemon)
    assert event["involvedObject"]["name"] == "c1"
    assert told in event["message"]


@pytest.mark.kernel
def test_a_container_without_a_namespace_gets_no_event_about_labels(
    daemon: Place, here: Node
) -> None:
    set_up(daemon)
    relabelled(daemon, busines="enabled")
    daemon.start()
    for conf in ({}, {"planes": ["business"]}):
        daemon.call("ADD", here.sandbox.path, conf=conf)
        daemon.call("DEL", here.sandbox.path, conf=conf)
    assert daemon.stop() == 0
    assert events(daemon) == []


@pytest.mark.kernel
def test_a_pod_of_a_plane_not_in_force_gets_the_name_of_the_other_plane(
    daemon: Place, here: Node
) -> None:
    set_up(daemon)
    relabelled(daemon, late="enabled")
    daemon.manifest("late", plane_object("late"))
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert daemon.stop() == 0
    (event,) = events(daemon)
    assert "plane late is not in force: it would hand out 10.9.0." in event["message"]
    assert "plane business" in event["message"]


@pytest.mark.kernel
def test_where_a_plane_not_in_force_is_required_no_pod_starts(daemon: Place, here: Node) -> None:
    set_up(daemon)
    relabelled(daemon, late="required")
    daemon.manifest("late", plane_object("late"))
    daemon.start()
    with pytest.raises(CniError) as caught:
        daemon.call("ADD", here.sandbox.path, pod="shop/web")
    assert "cannot attach plane late, which is not in force" in caught.value.msg
    assert "plane business" in caught.value.msg
    assert leftovers(daemon, here) == NOTHING


@pytest.mark.kernel
def test_right_labels_make_no_such_event(daemon: Place, here: Node) -> None:
    set_up(daemon)
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert daemon.stop() == 0
    assert events(daemon) == []
