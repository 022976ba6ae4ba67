"""Uninstalling after a takeover: only a Multus that runs gets its file back."""

from __future__ import annotations

import json
import logging
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.confdir.files import FILE_NAME, SAVED
from cni.confdir.restore import WRITTEN, restore_conf_dir
from planes.model.objects import NadRef
from planes.model.wire.netconf import parse_conflist
from tests.cni.confdir.conf_dir import BRIDGE, shim_conf
from tests.cni.confdir.multus_files import NAME, put, thin
from tests.support.node.multus_daemon import multus_daemon

JsonObject = dict[str, Any]
OURS: JsonObject = {"cniVersion": "1.0.0", "name": "cbr0", "plugins": [{"type": "netplane"}]}
PATH = "/host/etc/cni/net.d/10-cluster.conflist"


class Taken:
    """A node after a takeover.

    Attributes:
        path: the CNI conf dir.
        bin: the bin dir.
        run: where the daemon of Multus has its socket; short, as paths of sockets are bounded.
    """

    def __init__(self, root: Path, run: Path) -> None:
        self.path, self.bin, self.run = root / "net.d", root / "bin", run
        self.path.mkdir()
        self.bin.mkdir()
        put(self.path, OURS, FILE_NAME)

    def saved(self, obj: JsonObject) -> None:
        put(self.path, {**obj, "daemonSocketDir": str(self.run)}, NAME + SAVED)

    def program(self, name: str) -> None:
        (self.bin / name).write_text("#!/bin/sh\n")
        (self.bin / name).chmod(0o755)

    def give_back(self) -> list[str]:
        """Uninstall; return the names of what runtimes find then."""
        restore_conf_dir(self.path, ("/nowhere", str(self.bin)))
        return sorted(one.name for one in self.path.iterdir() if not one.name.endswith(SAVED))

    def first(self) -> str:
        """Return the name of the network that a runtime takes."""
        files = sorted(one for one in self.path.iterdir() if not one.name.endswith(SAVED))
        return parse_conflist(files[0].read_bytes()).name


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[Taken]:
    with tempfile.TemporaryDirectory(prefix="np-") as run:
        yield Taken(tmp_path, Path(run))


def test_a_thick_multus_that_answers_gets_its_file_back(taken: Taken) -> None:
    taken.saved(shim_conf(PATH))
    taken.program("multus-shim")
    put(taken.path, BRIDGE, "10-cluster.conflist")
    with multus_daemon(taken.run):
        assert taken.give_back() == [NAME, "10-cluster.conflist"]


@pytest.mark.parametrize("what", ["no program", "no socket", "a socket that nobody answers on"])
def test_a_thick_multus_that_is_gone_does_not(
    taken: Taken, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    taken.saved(shim_conf(PATH))
    if what != "no program":
        taken.program("multus-shim")
    if what.startswith("a socket"):  # as one that ended without cleaning up leaves it
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(taken.run / "multus.sock"))
    put(taken.path, BRIDGE, "10-cluster.conflist")
    with caplog.at_level(logging.WARNING):
        assert taken.give_back() == ["10-cluster.conflist"]
    assert (taken.path / f"{NAME}{SAVED}").exists()
    (told,) = [one for one in caplog.records if "stays set aside" in one.message]
    assert told.__dict__["reason"].startswith(("its daemon does not answer", "there is no program"))


def test_the_socket_is_where_the_daemons_own_file_says(taken: Taken) -> None:
    taken.saved({**shim_conf(PATH), "daemonSocketDir": "/nowhere"})
    put(taken.path, {"socketDir": str(taken.run)}, "multus.d/daemon-config.json")
    taken.program("multus-shim")
    put(taken.path, BRIDGE, "10-cluster.conflist")
    with multus_daemon(taken.run):
        assert NAME in taken.give_back()


def test_a_thin_multus_without_a_kubeconfig_runs_where_its_program_is(taken: Taken) -> None:
    """Then it attaches its delegates and asks nobody."""
    taken.saved(thin(BRIDGE))
    taken.program("multus")
    assert taken.give_back() == [NAME]


@pytest.mark.parametrize("content", [None, "no: kubeconfig", "{"])
def test_a_thin_multus_whose_kubeconfig_is_of_no_use_does_not(
    taken: Taken, content: str | None
) -> None:
    kubeconfig = taken.path / "multus.kubeconfig"
    if content is not None:
        kubeconfig.write_text(content)
    taken.saved(thin(BRIDGE, kubeconfig=str(kubeconfig)))
    taken.program("multus")
    assert NAME not in taken.give_back()
    assert taken.first() == "cbr0"


def test_a_cluster_network_that_only_multus_file_had_gets_a_file(taken: Taken) -> None:
    taken.saved(thin(BRIDGE, kubeconfig="/nowhere"))
    assert taken.give_back() == [WRITTEN]
    written = json.loads((taken.path / WRITTEN).read_text())
    assert written == {**BRIDGE, "loadOnlyInlinedPlugins": True}


def test_the_cluster_network_stays_the_first_where_another_file_would_be(taken: Taken) -> None:
    put(taken.path, {**BRIDGE, "name": "other"}, "05-other.conflist")
    elsewhere = put(taken.path.parent / "else", {**BRIDGE, "name": "lab"}, "10-lab.conflist")
    taken.saved(shim_conf(str(elsewhere)))
    assert WRITTEN in taken.give_back()
    assert taken.first() == "lab"


def test_plugins_of_the_cluster_networks_folder_stay_in_it(taken: Taken) -> None:
    elsewhere = put(taken.path.parent / "else", {**BRIDGE, "name": "lab"}, "10-lab.conflist")
    put(elsewhere.parent, {"type": "tuning"}, "lab/10-tuning.conf")
    taken.saved(shim_conf(str(elsewhere)))
    taken.give_back()
    found = parse_conflist((taken.path / WRITTEN).read_bytes())
    assert [one.type for one in found.plugins] == ["bridge", "portmap", "tuning"]
    assert found.load_only_inlined_plugins


def test_a_file_that_names_us_goes_with_a_multus_that_is_gone(taken: Taken) -> None:
    taken.saved(shim_conf(PATH))
    put(taken.path, shim_conf(FILE_NAME))
    put(taken.path, BRIDGE, "10-cluster.conflist")
    assert taken.give_back() == ["10-cluster.conflist"]


def test_it_may_be_done_again(taken: Taken) -> None:
    taken.saved(thin(BRIDGE, kubeconfig="/nowhere"))
    assert taken.give_back() == taken.give_back() == [WRITTEN]


def test_without_a_takeover_no_file_of_others_is_touched(taken: Taken) -> None:
    put(taken.path, {**BRIDGE, "name": "other"}, "05-other.conflist")
    put(taken.path, shim_conf("gone"))
    assert taken.give_back() == [NAME, "05-other.conflist"]


def test_a_cluster_network_that_is_a_nad_gets_a_file(taken: Taken) -> None:
    taken.saved({**shim_conf("of-a-nad"), "multusNamespace": "ops"})
    nads = {NadRef("ops", "of-a-nad"): parse_conflist({**BRIDGE, "name": "lab"})}
    restore_conf_dir(taken.path, nads=nads.get)
    assert taken.first() == "lab"


def test_a_cluster_network_in_multus_own_directory_gets_a_file(taken: Taken) -> None:
    folder = taken.path.parent / "multus.net.d"
    put(folder, {**BRIDGE, "name": "lab"}, "lab.conflist")
    taken.saved({**shim_conf("lab"), "confDir": str(folder)})
    taken.give_back()
    assert taken.first() == "lab"


def test_a_cluster_network_that_is_nowhere_is_told(
    taken: Taken, caplog: pytest.LogCaptureFixture
) -> None:
    taken.saved(shim_conf("of-a-nad"))
    with caplog.at_level(logging.ERROR):
        assert taken.give_back() == []
    assert "cannot find the cluster network" in caplog.text
