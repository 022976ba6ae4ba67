"""A tenant's NAD was written while no webhook ran: the node refuses it before it acts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from planes.model.errors import Denied, PlanesError
from planes.model.objects import Nad, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from tests.support.cni.runtime import Bench
from tests.support.model import pod_object
from tests.support.store import FakeStore

POLICY = NadPolicy(is_guarded=True, types=frozenset({"one", "two"}))
DEFAULT = {"cniVersion": "1.0.0", "name": "cluster", "plugins": [{"type": "one"}]}
OWN = {"cniVersion": "1.0.0", "name": "own", "plugins": [{"type": "two"}]}


async def bench(
    path: Path,
    config: Mapping[str, Any] | str,
    policy: NadPolicy = POLICY,
    annotations: Mapping[str, str] | None = None,
) -> Bench:
    path.mkdir(exist_ok=True)
    text = config if isinstance(config, str) else orjson.dumps(config).decode()
    networks = None if annotations else "own"
    pod = pod_object("web", networks=networks, annotations=annotations)
    store = FakeStore(
        nads=[Nad("shop", "own", text)],
        namespaces=[Namespace("shop")],
        pods=[Pod.from_object(pod)],
        nad_policy=policy,
    )
    return await Bench(path, store, DEFAULT, is_standalone=False).open()


async def test_a_nad_within_the_policy_is_attached(tmp_path: Path) -> None:
    made = await bench(tmp_path, OWN)
    await made.call("ADD")
    assert len(made.exec.attached) == 2


HOSTILE: Mapping[str, Mapping[str, Any] | str] = {
    "a binary that is not named": {**OWN, "plugins": [{"type": "meta"}]},
    "a file of the node": {
        **OWN,
        "plugins": [{"type": "two", "ipam": {"type": "host-local", "DataDir": "/etc"}}],
    },
    "a file of the node as config": "",
    "a chain beyond all bounds": {**OWN, "plugins": [{"type": "two"}] * 17},
}


@pytest.mark.parametrize("config", HOSTILE.values(), ids=HOSTILE)
async def test_tenant_s_nad_beyond_the_policy_is_refused_at_add(
    tmp_path: Path, config: Mapping[str, Any] | str
) -> None:
    made = await bench(tmp_path, config)
    before = made.leftovers()
    with pytest.raises(PlanesError, match="cannot use NAD shop/own") as caught:
        await made.call("ADD")
    assert caught.value.remedy
    assert made.leftovers() == before
    assert not made.exec.calls


async def test_tenant_s_nad_is_refused_as_the_default_network_too(tmp_path: Path) -> None:
    wish = {"v1.multus-cni.io/default-network": "shop/own"}
    made = await bench(tmp_path, {**OWN, "plugins": [{"type": "meta"}]}, annotations=wish)
    with pytest.raises(Denied, match="cannot use NAD shop/own"):
        await made.call("ADD")


async def test_tenant_s_refusal_is_an_event_of_the_pod(tmp_path: Path) -> None:
    made = await bench(tmp_path, {**OWN, "plugins": [{"type": "meta"}]})
    with pytest.raises(Denied):
        await made.call("ADD")
    telling = asyncio.create_task(made.reporter.run())
    await asyncio.sleep(0)
    telling.cancel()
    await asyncio.wait([telling])
    (event,) = made.store.events
    assert (event.reason, event.pod) == ("NetworkDenied", "web")
    assert "spec.config.plugins[0].type" in event.message


async def test_tenant_s_network_takes_no_name_of_a_network_of_the_node(tmp_path: Path) -> None:
    """host-local would hand the cluster network's addresses out to it, until none is left."""
    made = await bench(tmp_path, {**OWN, "name": "cluster"})
    with pytest.raises(Denied, match='"cluster" has the name of a network of this node'):
        await made.call("ADD")
    assert not made.exec.attached
    under_multus = await bench(tmp_path / "open", {**OWN, "name": "cluster"}, NadPolicy())
    await under_multus.call("ADD")
