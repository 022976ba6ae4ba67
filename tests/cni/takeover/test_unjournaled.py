"""The DEL of a pod attached before Netplane goes to the default network's own plugin.

Once that network is gone, its DEL waits in the spool: the pod must not, and no address may leak.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni.host.exec import Completed
from cni.journal.entry import Stage
from cni.serving.protocol import Postponed
from cni.serving.spool import Replay, Spool
from cni.serving.spool_first import SpoolFirst
from planes.model.errors import NotFound, PlanesError, Unavailable
from tests.support.cni.exec import PluginCall, failed
from tests.support.cni.runtime import NETNS, NOTHING, Bench
from tests.support.store import FakeStore

JsonObject = dict[str, Any]
DEFAULT: JsonObject = {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [{"type": "one"}]}
RESULT: JsonObject = {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.7/24"}]}
CACHED: JsonObject = {"cniVersion": "1.0.0", "prevResult": RESULT}
CHECKED: JsonObject = {"cniVersion": "1.1.0", "prevResult": RESULT}


async def busy(_: PluginCall) -> Completed:
    return failed("busy")


async def bench(root: Path, default: JsonObject | None, *, is_standalone: bool = False) -> Bench:
    return await Bench(root, FakeStore(), default, is_standalone=is_standalone).open()


async def test_the_plugin_gets_the_del_with_the_cached_result(tmp_path: Path) -> None:
    made = await bench(tmp_path, DEFAULT)
    assert await made.call("DEL", conf=CACHED) == {}
    (called,) = made.exec.calls
    assert (called.kind, called.verb, called.key[1]) == ("one", "DEL", "c1")
    assert called.conf["name"] == "cbr0"
    assert called.conf["prevResult"]["ips"] == [{"address": "10.1.0.7/24"}]
    assert made.leftovers() == NOTHING


async def test_what_the_plugin_cannot_do_is_journaled_and_tried_again(tmp_path: Path) -> None:
    made = await bench(tmp_path, {**DEFAULT, "plugins": [{"type": "missing"}]})
    await made.call("DEL", netns="")
    assert len(made.journal) == 1


@pytest.mark.parametrize(
    "said",
    ["neither iptables nor ip6tables is usable", "could not run nftables: permission denied"],
)
async def test_a_dnat_rule_from_before_us_is_not_forgotten_for_want_of_a_program(
    tmp_path: Path, said: str
) -> None:
    """Its chain's later plugins are passed over without a namespace, but not what they keep."""
    ports = {"type": "ports", "capabilities": {"portMappings": True}}
    made = await bench(tmp_path, {**DEFAULT, "plugins": [{"type": "one"}, ports]})

    async def unable(_: PluginCall) -> Completed:
        return failed(said)

    made.exec.scripts["ports"] = unable
    mapping = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}
    await made.call("DEL", netns="", conf={**CACHED, "runtimeConfig": {"portMappings": [mapping]}})
    (kept,) = made.journal.entries()
    assert kept.attempts == 1
    made.exec.scripts["ports"] = made.exec.scripts["one"]
    made.clock.advance(600)
    await made.reconciler.reconcile()
    assert made.exec.one("DEL ports eth0").conf["runtimeConfig"] == {"portMappings": [mapping]}
    assert made.leftovers() == NOTHING


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


async def test_without_one_the_del_of_what_was_attached_is_never_told_done(tmp_path: Path) -> None:
    made = await bench(tmp_path, None)
    with pytest.raises(Postponed) as caught:
        await made.call("DEL", conf=CACHED)
    assert caught.value.cni_code == 11
    assert made.leftovers() == NOTHING


async def test_it_waits_in_the_spool_until_the_default_network_is_back(tmp_path: Path) -> None:
    made = await bench(tmp_path, None)
    spool = Spool(tmp_path / "state" / "spool", made.runtime, made.clock)
    assert await made.call("DEL", conf=CACHED, args={"A": "b=c"}, through=SpoolFirst) == {}
    assert await spool.replay() == Replay(failed=1)
    made.put_default(DEFAULT)
    made.clock.advance(10)
    assert await spool.replay() == Replay(done=1)
    (called,) = made.exec.calls
    assert called.conf["prevResult"]["ips"] == [{"address": "10.1.0.7/24"}]
    assert called.env["CNI_NETNS"] == NETNS
    assert "A=b=c" in called.env["CNI_ARGS"].split(";")
    assert made.leftovers() == NOTHING


async def test_a_spool_that_cannot_be_written_fails_the_del(tmp_path: Path) -> None:
    made = await bench(tmp_path, None)
    (tmp_path / "state" / "spool").write_text("a file")
    with pytest.raises(Unavailable, match="cannot write to the spool"):
        await made.call("DEL", conf=CACHED, through=SpoolFirst)


async def test_one_from_before_us_is_checked_by_the_default_network(tmp_path: Path) -> None:
    made = await bench(tmp_path, {**DEFAULT, "cniVersion": "1.1.0"})
    await made.call("CHECK", conf=CHECKED)
    assert made.exec.one("CHECK one eth0").conf["prevResult"]["ips"][0]["address"] == "10.1.0.7/24"
    assert len(made.journal) == 0


async def test_without_a_cached_result_nothing_was_attached(tmp_path: Path) -> None:
    made = await bench(tmp_path, DEFAULT)
    with pytest.raises(NotFound) as caught:
        await made.call("CHECK")
    assert (caught.value.cni_code, made.exec.calls) == (3, [])


async def test_check_without_a_default_network_says_so(tmp_path: Path) -> None:
    made = await bench(tmp_path, None)
    with pytest.raises(PlanesError) as caught:
        await made.call("CHECK", conf=CHECKED)
    assert caught.value.cni_code == 50


async def test_a_retry_of_ours_finds_the_sandbox_again_that_the_runtime_named(
    tmp_path: Path,
) -> None:
    """Else it would give an address back while the interface still has it."""
    made = await bench(tmp_path, {**DEFAULT, "plugins": [{"type": "one"}]})
    made.exec.scripts["one"] = busy
    with pytest.raises(Unavailable):
        await made.call("DEL", conf=CACHED)
    (entry,) = made.journal.entries()
    assert (entry.netns, entry.netns_inode, entry.stage) == (NETNS, 42, Stage.LEAVING)
    made.clock.advance(60)
    await made.reconciler.reconcile()
    assert made.exec.calls[-1].env["CNI_NETNS"] == NETNS
