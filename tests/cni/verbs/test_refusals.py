"""The text of a refused ADD: each remedy beside its finding, and whether a plane is the cause."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from planes.model.errors import PlanesError
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.objects import Pod
from tests.cni.runtime_scene import bench, shop_store

_BUSINESS = {"name": "business", "namespace": "netplane-system"}
_NOWHERE = {"name": "nowhere"}


async def refused(root: Path, pod: Pod) -> tuple[PlanesError, list[str]]:
    """Return the error of an ADD, and the reasons of its events."""
    store = shop_store()
    store.put_pod(pod)
    made = await bench(root, store)
    with pytest.raises(PlanesError) as caught:
        await made.call("ADD", pod=pod.key)
    events = asyncio.create_task(made.reporter.run())
    await asyncio.sleep(0)
    events.cancel()
    await asyncio.wait([events])
    return caught.value, [event.reason for event in made.store.events]


def asking(namespace: str, *elements: dict[str, str]) -> Pod:
    return Pod(namespace, "odd", annotations={NETWORKS_ANNOTATION: json.dumps(elements)})


async def test_each_remedy_has_the_number_of_its_finding(tmp_path: Path) -> None:
    error, _ = await refused(tmp_path, asking("plain", _BUSINESS, _NOWHERE))
    first, second = error.message.index("(1) "), error.message.index("(2) ")
    assert first < error.message.index("plane business") < second
    assert second < error.message.index("nowhere")
    assert "label namespace plain" in error.remedy.partition("(2) ")[0]
    assert "create the NAD" in error.remedy.partition("(2) ")[2]


async def test_one_finding_has_no_number(tmp_path: Path) -> None:
    error, _ = await refused(tmp_path, asking("plain", _NOWHERE))
    assert "(1)" not in error.message + error.remedy


@pytest.mark.parametrize(
    ("namespace", "element", "reason"),
    [("plain", _BUSINESS, "PlaneDenied"), ("shop", _NOWHERE, "NetworkDenied")],
)
async def test_the_event_speaks_of_a_plane_only_where_one_has_to_do_with_it(
    tmp_path: Path, namespace: str, element: dict[str, str], reason: str
) -> None:
    _, reasons = await refused(tmp_path, asking(namespace, element))
    assert reasons[0] == reason
