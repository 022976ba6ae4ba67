"""A NAD that names its device serves one pod of a node, unless a resource gives each its own."""

from __future__ import annotations

import json

import pytest

from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad
from planes.model.state.nad_facts import nad_facts
from planes.model.state.nad_lint import lint_nad


def told(key: str, nad: Nad) -> list[str]:
    return [found.remedy for found in lint_nad(nad, nad_facts(nad)) if found.path.endswith(key)]


@pytest.mark.parametrize(
    ("key", "config", "remedy"),
    [
        ("deviceID", {"type": "sriov", "deviceID": "0000:03:00.0"}, "name a device plugin's"),
        ("device", {"type": "host-device", "device": "eth2"}, "never name the node's own uplink"),
    ],
)
def test_a_fixed_device_is_told_where_no_resource_gives_one(
    key: str, config: dict[str, str], remedy: str
) -> None:
    text = json.dumps({"cniVersion": "1.0.0", "name": "x", **config})
    (found,) = told(f" {key}", Nad("ops", "x", text))
    assert remedy in found
    of_resource = {RESOURCE_NAME_ANNOTATION: "example.com/nics"}
    assert told(f" {key}", Nad("ops", "x", text, of_resource)) == []
