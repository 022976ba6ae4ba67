"""What can never be detached: listed with age, attempts and cause, and dropped on request."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from cni.composition.metrics import LABEL_CHARACTERS, MOST_SHOWN, show_pending
from cni.host.exec import Completed
from cni.journal.entry import FAULT_LENGTH, Entry, Stage, decode, encode
from cni.journal.pending import pending_of, read_pending
from planes.model.errors import BadInput, Conflict, NotFound, Unavailable
from planes.run.metrics import Metrics
from tests.cni.runtime_scene import bench, shop_store
from tests.support.cni.exec import PluginCall, Script, failed, plain
from tests.support.cni.runtime import NOTHING, Bench

JsonObject = dict[str, Any]
MAPPED: JsonObject = {
    "cniVersion": "1.0.0",
    "name": "cluster",
    "plugins": [
        {"type": "one", "ip": "10.0.0.5/24", "ipMasq": True},
        {"type": "meta", "capabilities": {"portMappings": True}},
    ],
}
PORTS = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]


async def stuck(root: Path, *, network: str = "cluster", **options: Any) -> Bench:
    """Return a pod that is gone, whose chain's first plugin has vanished from the node."""
    default = {**MAPPED, "name": network}
    made = await bench(root, shop_store(networks=""), default=default, **options)
    await made.call("ADD", pod="plain/none", conf={"runtimeConfig": {"portMappings": PORTS}})
    del made.exec.scripts["one"]
    made.kernel.sandboxes.clear()
    await made.call("DEL")
    return made


async def test_an_entry_says_since_when_how_often_and_why_it_could_not_be_detached(
    tmp_path: Path,
) -> None:
    made = await stuck(tmp_path)
    began = made.clock.now()
    for _ in range(2):
        made.clock.advance(600)
        await made.reconciler.reconcile()
    (one,) = pending_of(made.journal.entries())
    assert (one.container_id, one.pod, one.networks) == ("c1", "plain/none", ("cluster",))
    assert (one.since, one.attempts) == (began, 3)
    assert 'network cluster): cannot find plugin "one"' in one.error
    assert read_pending(made.journal_dir) == (one,)


async def test_each_network_that_is_dropped_is_told_with_its_own_error(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks="chain"))
    await made.call("ADD")
    made.exec.scripts["macvlan"] = _refusing("no device")
    made.exec.scripts["two"] = _refusing("no pool")
    made.kernel.sandboxes.clear()
    await made.call("DEL")
    dropped = await made.pending_removal.forget("c1", is_forced=False)
    errors = {one["ifname"]: one["error"] for one in dropped}
    assert errors.keys() == {"net1", "net2"}
    assert "no pool" in errors["net1"]
    assert "no device" not in errors["net1"]
    assert errors["net2"].endswith("no device")
    assert "no pool" not in errors["net2"]


def _refusing(words: str) -> Script:
    async def refuse(call: PluginCall) -> Completed:
        return failed(words) if call.verb == "DEL" else await plain(call)

    return refuse


async def test_asking_what_is_pending_changes_nothing(tmp_path: Path) -> None:
    """It is asked beside a daemon that writes: its temporary files and damaged entries stay."""
    made = await stuck(tmp_path)
    (made.journal_dir / "c9@eth0.tmp").write_text("half")
    (made.journal_dir / "c8@eth0.json").write_text("damaged")
    before = sorted(path.name for path in made.journal_dir.rglob("*"))
    found = read_pending(made.journal_dir)
    assert [one.container_id for one in found] == ["c1", "c8"]
    assert "it is cut" in found[1].error
    assert sorted(path.name for path in made.journal_dir.rglob("*")) == before
    assert read_pending(tmp_path / "nothing") == ()


async def test_a_plugins_words_are_kept_short_and_on_one_line(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    await made.call("ADD", pod="plain/none")

    async def talks(_: PluginCall) -> Completed:
        return failed("no\n\x1b[31mway " * 500)

    made.exec.scripts["one"] = talks
    made.kernel.sandboxes.clear()
    await made.call("DEL")
    (entry,) = made.journal.entries()
    assert len(entry.fault) == FAULT_LENGTH
    (one,) = pending_of([entry])
    assert one.error.isprintable()


async def test_metrics_name_the_oldest_with_age_attempts_and_the_kind_of_error(
    tmp_path: Path,
) -> None:
    made = await stuck(tmp_path)
    metrics = Metrics()
    show_pending(metrics, made.journal, made.clock)
    made.clock.advance(100)
    labels = 'container="c1",interface="eth0",network="cluster",reason="no plugin"'
    text = metrics.render().decode()
    assert f"netplane_undetached_age_seconds{{{labels}}} 100.0" in text
    assert f"netplane_undetached_attempts{{{labels}}} 1.0" in text
    await made.pending_removal.forget("c1", is_forced=False)
    assert "netplane_undetached_age_seconds{" not in metrics.render().decode()


async def test_however_many_entries_there_are_metrics_stay_few(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    for number in range(MOST_SHOWN + 5):
        # As long as real ones, and alike where crictl cuts them.
        await made.call("ADD", container=f"{number // 2:013}-{number}", pod="plain/none")
    del made.exec.scripts["one"]
    made.kernel.sandboxes.clear()
    for entry in made.journal.entries():
        await made.call("DEL", container=entry.container_id)
    metrics = Metrics()
    show_pending(metrics, made.journal, made.clock)
    lines = metrics.render().decode().splitlines()
    shown = [line for line in lines if line.startswith("netplane_undetached_age_seconds{")]
    assert 0 < len(shown) <= MOST_SHOWN
    assert len(shown) == len({line.rpartition(" ")[0] for line in shown})


async def test_a_network_with_a_long_name_makes_no_long_label(tmp_path: Path) -> None:
    """Metrics are scraped within bounds: one name could have hidden all of a node's."""
    made = await stuck(tmp_path, network="n" * 200)
    metrics = Metrics()
    show_pending(metrics, made.journal, made.clock)
    text = metrics.render().decode()
    assert f'network="{"n" * LABEL_CHARACTERS}"' in text


async def test_forgetting_drops_the_entry_and_says_what_may_be_left(tmp_path: Path) -> None:
    made = await stuck(tmp_path)
    (dropped,) = await made.pending_removal.forget("c1", is_forced=False)
    assert (dropped["container_id"], dropped["pod"]) == ("c1", "plain/none")
    assert (dropped["network"], dropped["ifname"]) == ("cluster", "eth0")
    assert dropped["addresses"] == ["10.0.0.5/24"]
    assert dropped["rules"] == ["port 8080/tcp of the node", "masquerading"]
    assert 'cannot find plugin "one"' in dropped["error"]
    assert len(made.journal) == 0


async def test_forgetting_detaches_first_what_can_be_detached(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks="chain, inside"))
    await made.call("ADD")
    del made.exec.scripts["two"]
    made.kernel.sandboxes.clear()
    (dropped,) = await made.pending_removal.forget("c1", is_forced=False)
    assert dropped["network"] == "shop/chain"
    left = made.leftovers()
    assert [kind for kind, _, _ in left["plugins"]] == ["two"]
    assert left == {**NOTHING, "plugins": left["plugins"], "links": {}}


async def test_a_running_sandbox_is_forgotten_only_by_force(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    await made.call("ADD", pod="plain/none")
    del made.exec.scripts["one"]
    with pytest.raises(Conflict, match=r"its sandbox of pod plain/none still lives.*--force"):
        await made.pending_removal.forget("c1", is_forced=False)
    (entry,) = made.journal.entries()
    assert entry.stage is Stage.ATTACHED
    (dropped,) = await made.pending_removal.forget("c1", is_forced=True)
    assert dropped["network"] == "cluster"
    assert len(made.journal) == 0


async def test_a_container_may_be_named_by_how_it_begins(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    for name in ("0123456789abcdef", "0123456789abcdff"):
        await made.call("ADD", container=name, pod="plain/none")
    made.kernel.sandboxes.clear()
    with pytest.raises(BadInput, match="2 containers begin with that"):
        await made.pending_removal.forget("0123456789", is_forced=False)
    for unknown in ("fedcba9876543210", "012345", ""):
        with pytest.raises(NotFound, match="no such container") as raised:
            await made.pending_removal.forget(unknown, is_forced=False)
        assert "8 characters at least" in str(raised.value)
    assert await made.pending_removal.forget("0123456789abcde", is_forced=False) == []
    assert [one.container_id for one in made.journal.entries()] == ["0123456789abcdff"]


async def test_a_damaged_entry_can_be_forgotten_too(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    (made.journal_dir / "c8@eth0.json").write_text("damaged")
    await made.journal.open()
    assert await made.pending_removal.forget("c8", is_forced=False) == []
    assert made.journal.damaged() == ()
    await made.journal.open()
    assert made.journal.damaged() == ()


@pytest.mark.parametrize("is_live", [False, True])
async def test_a_planes_address_is_given_back_unless_an_interface_has_it(
    tmp_path: Path, is_live: bool
) -> None:
    """The plane's plugin has vanished: its binary would have been asked before the address."""
    made = await bench(tmp_path)
    await made.call("ADD")
    (held, *_) = [
        ip.address
        for entry in made.journal.entries()
        for one in entry.attachments
        if one.plane and one.result is not None
        for ip in one.result.ips
    ]
    address = ip_address(held.partition("/")[0])
    if is_live:
        made.kernel.live.add(address)
    del made.exec.scripts["macvlan"]
    made.kernel.sandboxes.clear()
    with suppress(Unavailable):
        await made.call("DEL")
    (dropped,) = await made.pending_removal.forget("c1", is_forced=False)
    assert dropped["addresses"] == [held]
    assert bool(made.leftovers()["addresses"]) is is_live


async def test_uninstalling_names_what_cannot_be_detached_and_release_drops_it(
    tmp_path: Path,
) -> None:
    made = await stuck(tmp_path)
    last = made.node_drain
    kept = await last.drain(is_forced=False)
    assert [one.container_id for one in kept.left] == ["c1"]
    assert kept.given_up == ()
    retired = await last.drain(is_forced=True)
    assert retired.left == ()
    assert [one.network for one in retired.given_up] == ["cluster"]
    assert len(made.journal) == 0


def test_an_entry_written_before_there_were_these_fields_is_read() -> None:
    entry = Entry("c1", "eth0", "", 0, "n", (), "", "", "", "", (), failed_since=9.5, fault="f")
    assert decode(encode(entry)) == entry
    body = json.loads(encode(entry))["entry"]
    older = {key: value for key, value in body.items() if key not in {"failedSince", "fault"}}
    data = json.dumps(older).encode()
    checksum = hashlib.sha256(data).hexdigest().encode()
    found = decode(b'{"version":1,"sha256":"%s","entry":%s}\n' % (checksum, data))
    assert found == replace(entry, failed_since=0.0, fault="")
