"""DEL: works from the journal alone, may be repeated, and reports what is left."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from cni.attaching.teardown import TRIES_OF_RUNTIME
from cni.host.exec import Completed
from planes.model.errors import Internal, PlanesError, Unavailable
from planes.model.objects import Nad
from planes.model.wire.status import parse_status
from tests.cni.runtime_scene import bench, shop_store
from tests.support.cni.exec import PluginCall, failed, ok, plain
from tests.support.cni.runtime import NETNS, NOTHING


async def test_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    await made.call("DEL")
    assert made.leftovers() == NOTHING
    assert await made.call("DEL") == {}


async def test_of_a_sandbox_nobody_knows_succeeds(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    assert await made.call("DEL", container="never-seen") == {}


async def test_needs_neither_pod_nor_nad_nor_conf_dir_nor_namespace(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    made.store.remove_pod("shop", "web")
    for name in ("chain", "inside"):
        made.store.remove_nad(Nad("shop", name))
    (made.conf_dir / "10-default.conflist").unlink()
    made.kernel.sandboxes.clear()
    await made.restart()
    await made.call("DEL")
    assert made.leftovers() == {**NOTHING, "links": {}}


async def test_without_netns_uses_the_recorded_one_only_if_it_is_the_same(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    made.kernel.sandboxes[NETNS] = (99, {"lo", "eth0", "net2"})
    await made.call("DEL", netns="")
    assert made.kernel.sandboxes[NETNS][1] == {"lo", "eth0", "net2"}
    assert made.exec.one("DEL one eth0").env["CNI_NETNS"] == ""
    assert made.leftovers()["calls"] == 0


async def test_chains_run_backwards_with_the_final_result(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    added = await made.call("ADD", pod="plain/none", uid="")
    await made.call("DEL")
    assert made.exec.names("DEL") == ["DEL meta eth0", "DEL one eth0"]
    for call in made.exec.calls[-2:]:
        assert call.conf["prevResult"]["ips"] == added["ips"]
        assert call.conf["name"] == "cluster"


async def test_older_lists_get_no_result_on_del(tmp_path: Path) -> None:
    made = await bench(tmp_path, default={"cniVersion": "0.3.1", "name": "n", "type": "one"})
    await made.call("ADD", pod="plain/none")
    await made.call("DEL")
    assert "prevResult" not in made.exec.one("DEL one eth0").conf


async def test_links_of_native_types_go_as_one_group_and_addresses_after_them(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path, shop_store(networks="inside, inside@x1"))
    await made.call("ADD")
    made.log.clear()
    await made.call("DEL")
    assert made.kernel.removals == [("x1", "net1")]
    assert sorted(made.log) == ["release net1", "release x1"]


async def test_a_group_that_cannot_be_removed_keeps_its_addresses(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    made.kernel.error = Internal("cannot remove net2: busy")
    with pytest.raises(Unavailable, match="busy"):
        await made.call("DEL")
    assert made.native.held == {("c1", "net2")}
    made.kernel.error = None
    await made.call("DEL")
    assert made.leftovers() == NOTHING


async def _stuck(call: PluginCall) -> Completed:
    return failed("stuck") if call.verb == "DEL" else await plain(call)


async def test_one_failing_chain_does_not_keep_the_others(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.exec.scripts["two"] = _stuck
    await made.call("ADD")
    with pytest.raises(Unavailable) as caught:
        await made.call("DEL")
    assert caught.value.cni_code == 11
    assert "stuck" in caught.value.message
    assert made.leftovers()["plugins"] == {("two", "c1", "net1")}
    assert made.leftovers()["statuses"] == {}


async def test_a_chain_stops_at_its_first_failing_plugin(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    made.exec.scripts["meta"] = _stuck
    await made.call("ADD", pod="plain/none")
    with pytest.raises(Unavailable):
        await made.call("DEL")
    assert "DEL one eth0" not in made.exec.names()


async def test_the_runtime_is_asked_to_try_again_twice_then_we_go_on_alone(
    tmp_path: Path,
) -> None:
    """Its retries keep the sandbox alive; beyond that its pod would hang in Terminating."""
    made = await bench(tmp_path)
    made.exec.scripts["two"] = _stuck
    await made.call("ADD")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await made.call("DEL")
    assert await made.call("DEL") == {}
    assert made.leftovers()["calls"] == 1
    made.exec.scripts["two"] = plain
    made.clock.advance(3600)
    await made.reconciler.reconcile()
    assert made.leftovers() == NOTHING


async def test_a_failing_release_of_addresses_is_ours_to_retry(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    made.native.release_error = Unavailable("cannot reach the address book")
    assert await made.call("DEL") == {}
    assert made.leftovers()["calls"] == 1
    made.native.release_error = None
    made.clock.advance(3600)
    await made.reconciler.reconcile()
    assert made.leftovers() == NOTHING


async def test_a_plugin_that_wants_no_path_where_there_is_none_gets_none(tmp_path: Path) -> None:
    """Some refuse a path that is gone, others an empty one: each is tried with both."""
    made = await bench(tmp_path)

    async def picky(call: PluginCall) -> Completed:
        if call.verb == "DEL" and call.env["CNI_NETNS"]:
            return failed("no such namespace")
        return await plain(call) if call.verb == "ADD" else ok()

    made.exec.scripts["two"] = picky
    await made.call("ADD")
    made.kernel.sandboxes.clear()
    await made.call("DEL")
    assert made.leftovers() == {**NOTHING, "links": {}}


async def test_without_namespace_a_later_plugin_does_not_keep_the_first_from_its_turn(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path)
    made.exec.scripts["meta"] = _stuck
    await made.call("ADD")
    made.kernel.sandboxes.clear()
    await made.call("DEL")
    assert {kind for kind, _, _ in made.exec.attached} == {"meta"}
    assert made.leftovers()["calls"] == 0


async def test_the_status_of_the_pods_next_sandbox_stays(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    made.kernel.sandboxes["/run/netns/next"] = (43, {"lo"})
    await made.call("ADD", container="c2", netns="/run/netns/next")
    await made.call("DEL")
    assert ("shop", "web") in made.store.statuses


async def test_a_journal_that_cannot_be_written_is_the_runtimes_to_repeat(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    made.journal_dir.rename(tmp_path / "away")
    made.journal_dir.write_text("in the way")
    with pytest.raises(PlanesError, match="journal"):
        await made.call("DEL")


async def test_a_store_that_is_away_fails_no_del(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    for ifname in ("eth0", "eth1"):
        await made.call("ADD", pod="plain/pod", ifname=ifname)
    made.store.status_error = Unavailable("cannot write status")
    for ifname in ("eth0", "eth1"):  # the status is to be reduced, then to be dropped
        assert await made.call("DEL", pod="plain/pod", ifname=ifname) == {}
    assert made.store.dropped == []
    assert {**made.leftovers(), "statuses": {}} == NOTHING


async def test_waits_for_the_add_of_its_sandbox(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    adding = asyncio.create_task(made.call("ADD"))
    await asyncio.sleep(0)
    await made.call("DEL")
    assert adding.done()
    assert made.leftovers() == NOTHING


async def test_status_tells_of_all_networks_of_a_sandbox_and_of_what_is_left(
    tmp_path: Path,
) -> None:
    """As podman does it: one container on two networks of our type, two calls."""
    made = await bench(tmp_path)
    whole = {"namespace": "plain", "name": "second"}
    await made.call("ADD", pod="plain/pod")
    await made.call("ADD", pod="plain/pod", ifname="eth1", conf=whole)
    interfaces = [one.interface for one in parse_status(made.store.statuses["plain", "pod"])]
    assert interfaces == ["eth0", "eth1"]
    await made.call("DEL", pod="plain/pod")
    interfaces = [one.interface for one in parse_status(made.store.statuses["plain", "pod"])]
    assert interfaces == ["eth1"]
    await made.call("DEL", pod="plain/pod", ifname="eth1", conf=whole)
    assert made.leftovers() == NOTHING


MISSING = {
    "the plugin's own binary": None,
    "a program, as go-iptables says": (
        'failed to locate iptables: exec: "iptables": executable file not found in $PATH'
    ),
    "a program, as the reference portmap says": "neither iptables nor ip6tables is usable",
    "permission": "fork/exec /usr/sbin/iptables: permission denied",
    "a lock": "Another app is currently holding the xtables lock",
}


@pytest.mark.parametrize("why", MISSING)
@pytest.mark.parametrize("has_netns", [True, False])
async def test_what_could_not_run_is_kept_and_tried_until_it_can(
    tmp_path: Path, why: str, has_netns: bool
) -> None:
    """Its rules are still there, even where the chain's first plugin gave its address back."""
    made = await bench(tmp_path, shop_store(networks=""))
    await made.call("ADD", pod="plain/none")
    text = MISSING[why]

    async def unable(call: PluginCall) -> Completed:
        return failed(text or "")

    works = made.exec.scripts.pop("meta")
    if text is not None:
        made.exec.scripts["meta"] = unable
    if not has_netns:
        made.kernel.sandboxes.clear()
    for _ in range(TRIES_OF_RUNTIME - 1 if has_netns else 1):
        with suppress(Unavailable):
            await made.call("DEL")
    await made.call("DEL")
    assert ("meta", "c1", "eth0") in made.leftovers()["plugins"]
    assert made.leftovers()["calls"] == 1
    made.exec.scripts["meta"] = works
    made.clock.advance(600)
    await made.reconciler.reconcile()
    assert made.leftovers()["plugins"] == set()
    assert made.leftovers()["calls"] == 0
