"""On a cluster the DEL of a pod from before us goes to the default network's own plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.runtime import NOTHING, Bench
from tests.support.store import FakeStore

JsonObject = dict[str, Any]
DEFAULT: JsonObject = {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [{"type": "one"}]}


async def bench(root: Path, default: JsonObject | None, *, is_standalone: bool = False) -> Bench:
    return await Bench(root, FakeStore(), default, is_standalone=is_standalone).open()


async def test_the_plugin_gets_the_del_with_the_cached_result(tmp_path: Path) -> None:
    made = await bench(tmp_path, DEFAULT)
    cached = {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.7/24"}]}
    assert await made.call("DEL", conf={"cniVersion": "1.0.0", "prevResult": cached}) == {}
    (called,) = made.exec.calls
    assert (called.kind, called.verb, called.key[1]) == ("one", "DEL", "c1")
    assert called.conf["name"] == "cbr0"
    assert called.conf["prevResult"]["ips"] == [{"address": "10.1.0.7/24"}]
    assert made.leftovers() == NOTHING


async def test_what_the_plugin_cannot_do_is_journaled_and_tried_again(tmp_path: Path) -> None:
    made = await bench(tmp_path, {**DEFAULT, "plugins": [{"type": "missing"}]})
    await made.call("DEL", netns="")
    assert len(made.journal) == 1


async def test_without_a_default_network_the_del_succeeds(tmp_path: Path) -> None:
    made = await bench(tmp_path, None)
    assert await made.call("DEL") == {}
    assert made.leftovers() == NOTHING


@pytest.mark.parametrize("conf", [{}, {"delegate": DEFAULT}])
async def test_on_one_machine_every_network_is_called_by_its_own_name(
    tmp_path: Path, conf: JsonObject
) -> None:
    made = await bench(tmp_path, DEFAULT, is_standalone=True)
    assert await made.call("DEL", conf=conf) == {}
    assert made.exec.calls == []
