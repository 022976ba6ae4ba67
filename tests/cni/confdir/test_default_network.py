"""The default network: the first config of the CNI conf dir that is not ours, read anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni.confdir.default_network import LOOK_SECONDS, ConfDir
from cni.planning.networks import Networks
from planes.model.errors import BadInput, NotFound, PlanesError, Unavailable
from planes.model.objects import Nad, NadRef
from tests.support.clock import FakeClock
from tests.support.store import FakeStore

JsonObject = dict[str, Any]
BRIDGE: JsonObject = {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [{"type": "bridge"}]}


class Dir:
    """A conf dir and its reader."""

    def __init__(self, root: Path) -> None:
        self.path = root
        self.clock = FakeClock()
        self.conf = ConfDir(root, self.clock)

    def write(self, name: str, obj: JsonObject | str) -> None:
        text = obj if isinstance(obj, str) else json.dumps(obj)
        (self.path / name).write_text(text)

    async def name(self) -> str:
        """Return the name of the default network, looked at anew."""
        self.clock.advance(LOOK_SECONDS)
        return (await self.conf.default()).name


@pytest.fixture
def there(tmp_path: Path) -> Dir:
    return Dir(tmp_path)


async def test_the_first_file_by_name_counts(there: Dir) -> None:
    there.write("20-late.conflist", {**BRIDGE, "name": "late"})
    there.write("10-early.conf", {"cniVersion": "1.0.0", "name": "early", "type": "bridge"})
    there.write("05-note.txt", "not a config")
    assert await there.name() == "early"


@pytest.mark.parametrize("kind", ["netplane", "multus", "multus-shim"])
async def test_we_and_multus_are_never_the_cluster_network_whatever_the_file_is_called(
    there: Dir, kind: str
) -> None:
    there.write("00-innocent.conf", {"cniVersion": "1.0.0", "name": "x", "type": kind})
    there.write("01-list.conflist", {**BRIDGE, "plugins": [{"type": "tuning"}, {"type": kind}]})
    there.write("10-cluster.conflist", BRIDGE)
    assert await there.name() == "cbr0"


@pytest.mark.parametrize(
    "lo",
    [
        {"cniVersion": "1.0.0", "name": "lo", "type": "loopback"},
        {"cniVersion": "1.0.0", "name": "lo", "plugins": [{"type": "loopback"}]},
    ],
)
async def test_a_file_for_lo_alone_is_never_the_cluster_network(there: Dir, lo: JsonObject) -> None:
    """Runtimes keep it beside the cluster network, under a name of anybody's choice."""
    name = "05-lo.conflist" if "plugins" in lo else "05-lo.conf"
    there.write(name, lo)
    with pytest.raises(Unavailable, match=f"{name} is no default network: it brings up lo") as told:
        await there.name()
    assert told.value.cni_code == 50
    there.write("10-cluster.conflist", BRIDGE)
    assert await there.name() == "cbr0"
    assert (await there.conf.named("lo")).plugins[0].type == "loopback"


async def test_a_list_that_brings_up_lo_and_more_is_a_network(there: Dir) -> None:
    plugins = [{"type": "loopback"}, {"type": "bridge"}]
    there.write("05-odd.conflist", {"cniVersion": "1.0.0", "name": "odd", "plugins": plugins})
    assert await there.name() == "odd"


async def test_the_delegate_of_a_multus_file_is_taken(there: Dir) -> None:
    delegate = {"name": "k8s-pod-network", "plugins": [{"type": "calico", "mtu": 0}]}
    multus = {"cniVersion": "0.3.1", "name": "m", "type": "multus", "delegates": [delegate]}
    there.write("00-multus.conf", multus)
    there.write("10-other.conflist", BRIDGE)
    assert await there.name() == "k8s-pod-network"
    assert (await there.conf.default()).cni_version == "0.3.1"


async def test_the_cluster_network_of_a_multus_daemon_file_is_followed(
    there: Dir, tmp_path: Path
) -> None:
    """Its path may be one inside Multus' own container."""
    there.write("30-lab.conflist", {**BRIDGE, "name": "lab"})
    there.write("20-other.conflist", {**BRIDGE, "name": "other"})
    shim = {
        "cniVersion": "0.3.1",
        "name": "m",
        "type": "multus-shim",
        "clusterNetwork": "/host/etc/cni/net.d/30-lab.conflist",
    }
    there.write("00-multus.conf", shim)
    assert await there.name() == "lab"


async def test_changes_renames_and_removals_are_followed(there: Dir) -> None:
    there.write("10-a.conflist", {**BRIDGE, "name": "a"})
    assert await there.name() == "a"
    there.write("10-a.conflist", {**BRIDGE, "name": "another"})
    assert await there.name() == "another"
    there.write("05-b.conflist", {**BRIDGE, "name": "b"})
    assert await there.name() == "b"
    (there.path / "05-b.conflist").rename(there.path / "90-b.conflist")
    assert await there.name() == "another"
    (there.path / "10-a.conflist").unlink()
    assert await there.name() == "b"


async def test_a_broken_file_is_named_and_does_not_hide_the_next(there: Dir) -> None:
    there.write("10-broken.conflist", '{"name": ')
    with pytest.raises(Unavailable, match=r"10-broken\.conflist") as caught:
        await there.name()
    assert caught.value.cni_code == 50
    there.write("20-good.conflist", BRIDGE)
    assert await there.name() == "cbr0"


async def test_an_empty_or_missing_directory_is_code_50(there: Dir, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        await there.name()
    assert caught.value.cni_code == 50
    with pytest.raises(Unavailable):
        await ConfDir(tmp_path / "absent", there.clock).default()


async def test_plugins_of_the_lists_folder_are_chained(there: Dir) -> None:
    there.write("10-cluster.conflist", BRIDGE)
    (there.path / "cbr0").mkdir()
    there.write("cbr0/20-sbr.conf", {"type": "sbr"})
    there.write("cbr0/10-tuning.conf", {"type": "tuning"})
    there.clock.advance(1)
    found = await there.conf.default()
    assert [plugin.type for plugin in found.plugins] == ["bridge", "tuning", "sbr"]


def networks(there: Dir, *nads: Nad, is_standalone: bool = True) -> Networks:
    return Networks(FakeStore(nads=nads), there.conf, is_standalone=is_standalone)


async def test_a_plugin_of_the_folder_that_cannot_be_read_is_named(there: Dir) -> None:
    """A half of the chain is not the network: better none for a moment."""
    there.write("10-cluster.conflist", BRIDGE)
    (there.path / "cbr0").mkdir()
    (there.path / "cbr0" / "gone.conf").symlink_to("nowhere")
    with pytest.raises(Unavailable, match=r"gone\.conf"):
        await there.name()


async def test_the_netconfs_delegate_wins_in_standalone_mode(there: Dir) -> None:
    there.write("10-cluster.conflist", BRIDGE)
    conf = {"name": "mine", "delegate": {"cniVersion": "1.0.0", "type": "ptp"}}
    found = await networks(there).default(conf)
    assert found is not None
    assert (found.name, found.conflist.plugins[0].type) == ("mine", "ptp")
    elsewhere = await networks(there, is_standalone=False).default(conf)
    assert elsewhere is not None
    assert elsewhere.name == "cbr0"


async def test_an_empty_delegate_means_no_default_network(there: Dir) -> None:
    there.write("10-cluster.conflist", BRIDGE)
    assert await networks(there).default({"name": "mine", "delegate": {}}) is None


async def test_behind_another_plugin_of_a_chain_there_is_no_default_network(there: Dir) -> None:
    there.write("10-cluster.conflist", BRIDGE)
    assert await networks(there).default({"name": "mine", "prevResult": {"ips": []}}) is None


async def test_a_delegate_that_would_call_us_again_is_refused(there: Dir) -> None:
    conf = {"name": "mine", "delegate": {"cniVersion": "1.0.0", "type": "netplane"}}
    with pytest.raises(BadInput, match="call us again"):
        await networks(there).default(conf)


async def test_a_nad_without_configuration_stands_for_the_file_of_its_name(there: Dir) -> None:
    there.write("10-cluster.conflist", BRIDGE)
    there.write("20-store.conflist", {**BRIDGE, "name": "store"})
    found = networks(there, Nad("shop", "store", ""), Nad("shop", "lost", " "))
    assert (await found.nad(NadRef("shop", "store"))).name == "store"
    with pytest.raises(NotFound, match="lost"):
        await found.nad(NadRef("shop", "lost"))


async def test_a_nad_without_a_name_inside_has_its_own(there: Dir) -> None:
    found = networks(there, Nad("shop", "store", '{"cniVersion":"1.0.0","type":"bridge"}'))
    assert (await found.nad(NadRef("shop", "store"))).name == "store"


@pytest.mark.parametrize(
    "config", ["{", '{"type":"multus","name":"x"}', '{"cniVersion":"9.0.0","type":"x"}']
)
async def test_a_nad_that_cannot_be_used_is_one_clear_error(there: Dir, config: str) -> None:
    with pytest.raises(PlanesError, match="cannot"):
        await networks(there, Nad("shop", "store", config)).nad(NadRef("shop", "store"))
