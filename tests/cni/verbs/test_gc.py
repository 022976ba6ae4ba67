"""GC: which attachments plugins are told are valid; they release all others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cni.call import parse_call
from cni.serving.multus_protocol import InterfaceAttributes
from planes.model.objects import Nad
from tests.cni.runtime_scene import CHAIN, DEFAULT, bench, shop_store
from tests.support.cni.runtime import Bench

JsonObject = dict[str, Any]
KEY = "cni.dev/valid-attachments"
NEWER = {**DEFAULT, "cniVersion": "1.1.0"}
TWO = "/run/netns/two"


def listed(*containers: str) -> JsonObject:
    return {KEY: [{"containerID": c, "ifname": "eth0"} for c in containers]}


def one(container: str, ifname: str) -> JsonObject:
    return {"containerID": container, "ifname": ifname}


def chain(**changes: Any) -> JsonObject:
    return {**CHAIN, "cniVersion": "1.1.0", **changes}


async def scene(root: Path, default: JsonObject | None = None, **changes: Any) -> Bench:
    """Pod shop/web asks for NAD `chain`; there are two sandboxes."""
    store = shop_store(networks="chain")
    store.put_nad(Nad("shop", "chain", json.dumps(chain(**changes))))
    made = await bench(root, store, default=default or NEWER)
    made.kernel.sandboxes[TWO] = (43, {"lo"})
    return made


async def hot_plug(made: Bench, conf: JsonObject, container: str = "c2") -> None:
    variables = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": container,
        "CNI_NETNS": TWO,
        "CNI_IFNAME": "net9",
        "CNI_PATH": "/opt/cni/bin",
    }
    await made.hotplug.delegate(
        parse_call(variables, json.dumps(conf).encode()), InterfaceAttributes()
    )


async def test_a_plane_of_the_default_networks_name_stays_in_use(tmp_path: Path) -> None:
    made = await scene(tmp_path, name=DEFAULT["name"])
    await made.call("ADD")
    await made.call("GC", conf=listed("c1"))
    wanted = [one("c1", "eth0"), one("c1", "net1")]
    assert made.exec.one("GC one ").conf[KEY] == wanted
    assert made.exec.one("GC two ").conf[KEY] == wanted


async def test_it_does_so_beside_a_sandbox_from_before_us(tmp_path: Path) -> None:
    made = await scene(tmp_path, name=DEFAULT["name"])
    await made.call("ADD")
    await made.call("GC", conf=listed("before-us", "c1"))
    wanted = [one("c1", "eth0"), one("c1", "net1"), one("before-us", "eth0")]
    assert made.exec.one("GC one ").conf[KEY] == wanted


async def test_what_was_hot_plugged_stays_in_use(tmp_path: Path) -> None:
    """It is journaled under its own network's name, which no GC of the runtime names."""
    made = await scene(tmp_path)
    await made.call("ADD")
    await hot_plug(made, {"type": "two", "cniVersion": "1.1.0", "name": CHAIN["name"]})
    await made.call("GC", conf=listed("c1"))
    assert made.exec.one("GC two ").conf[KEY] == [one("c1", "net1"), one("c2", "net9")]


async def test_sandboxes_of_before_the_default_network_was_renamed_stay_in_use(
    tmp_path: Path,
) -> None:
    made = await scene(tmp_path)
    await made.call("ADD", container="c1")
    made.put_default({**NEWER, "name": "renamed"})
    made.clock.advance(1)
    await made.call("ADD", container="c2", netns=TWO, conf={"name": "renamed"})
    await made.call("GC", conf={**listed("c2"), "name": "renamed"})
    assert made.exec.one("GC two ").conf[KEY] == [one("c2", "net1"), one("c1", "net1")]
    assert len(made.journal) == 2


async def test_two_configurations_of_one_name_are_both_collected(tmp_path: Path) -> None:
    """Each may keep its addresses in a place of its own."""
    made = await scene(tmp_path)
    await made.call("ADD", container="c1")
    made.store.put_nad(Nad("shop", "chain", json.dumps(chain(plugins=[{"type": "meta"}]))))
    await made.call("ADD", container="c2", netns=TWO)
    await made.call("GC", conf=listed("c1", "c2"))
    collected = [c for c in made.exec.calls if c.verb == "GC" and c.conf["name"] == CHAIN["name"]]
    assert [call.kind for call in collected] == ["two", "meta", "meta"]
    assert all(call.conf[KEY] == [one("c1", "net1"), one("c2", "net1")] for call in collected)


async def test_the_default_network_is_collected_as_it_is_configured_now(tmp_path: Path) -> None:
    """The plugin it had when a pod was attached may be gone."""
    made = await scene(tmp_path)
    await made.call("ADD")
    made.put_default({**NEWER, "plugins": [{"type": "meta"}]})
    made.clock.advance(1)
    await made.call("GC", conf=listed("c1"))
    collected = [c for c in made.exec.calls if c.verb == "GC" and c.conf["name"] == DEFAULT["name"]]
    assert [call.kind for call in collected] == ["meta"]
