"""How each Multus setting is treated is reported once: in the log, and in an event of the node."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from cni.attaching.status_reports import StatusReporter
from cni.confdir.default_network import LOOK_SECONDS, ConfDir
from cni.takeover.multus_notice import MultusNotice
from planes.model.events import Event, to_object
from tests.cni.confdir.conf_dir import BRIDGE, shim_conf
from tests.cni.confdir.multus_files import put, thin
from tests.support.clock import FakeClock
from tests.support.store import FakeStore

JsonObject = dict[str, Any]
SECOND: JsonObject = {"cniVersion": "1.0.0", "name": "second", "type": "macvlan"}


class Scene:
    """A conf dir, and the notice about its Multus settings."""

    def __init__(self, root: Path, own: frozenset[str] | None = None) -> None:
        self.path, self.clock, self.store = root, FakeClock(), FakeStore()
        self.reporter = StatusReporter(self.store)
        conf_dir = ConfDir(root, self.clock)
        self.notice = MultusNotice(conf_dir, self.reporter, "node-a", self.clock, own)

    async def look(self) -> list[Event]:
        """Look; return the events so far."""
        self.clock.advance(LOOK_SECONDS)
        await self.notice.check()
        writing = asyncio.create_task(self.reporter.run())
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        return self.store.events


async def said(root: Path, conf: JsonObject, caplog: pytest.LogCaptureFixture) -> JsonObject:
    """Return what the block of the log has."""
    put(root, conf)
    with caplog.at_level(logging.INFO):
        await Scene(root).look()
    (block,) = [one for one in caplog.records if one.message == "settings of Multus' file"]
    return block.__dict__


def of(lines: list[str], key: str) -> str:
    """Return the one line about a key."""
    (line,) = [one for one in lines if one.partition(":")[0].partition(" ")[0] == key]
    return line


async def test_every_setting_of_multus_is_named_exactly_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All members of Multus 4.3.0's file and of its daemon's own (pkg/types, pkg/server)."""
    values: JsonObject = {
        **dict.fromkeys(("confDir", "cniDir", "binDir", "readinessindicatorfile"), "/x"),
        **dict.fromkeys(("kubeconfig", "logFile", "logLevel", "auxiliaryCNIChainName"), "x"),
        **dict.fromkeys(("multusNamespace", "globalNamespaces", "chrootDir", "socketDir"), "x"),
        **dict.fromkeys(("daemonSocketDir", "multusConfigFile", "multusMasterCNI"), "x"),
        **dict.fromkeys(("multusAutoconfigDir", "cniConfigDir"), "x"),
        **dict.fromkeys(("retryDeleteOnError", "logToStderr", "enablePprof"), True),
        **dict.fromkeys(("forceCNIVersion", "overrideNetworkName"), True),
        **dict.fromkeys(("metricsPort", "connectionLimit"), 9),
        "systemNamespaces": ["x"],
        "defaultNetworks": ["n"],
        "capabilities": {"ips": True},
        "logOptions": {},
        "perNodeCertificate": {},
        "clusterNetwork": "c",
    }
    block = await said(tmp_path, thin(**values), caplog)
    lines = [*block["to_do"], *block["followed"], *block["without_effect"]]
    for key in values.keys() - {"multusNamespace"}:
        assert of(lines, key), key
    # Followed for what the file names, not for what pods name without a namespace.
    assert "v1.multus-cni.io/default-network" in of(block["to_do"], "multusNamespace")
    assert of(block["followed"], "multusNamespace")


async def test_what_is_followed_is_told_with_its_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    block = await said(tmp_path, thin(BRIDGE, SECOND, confDir="/etc/other"), caplog)
    assert of(block["followed"], "delegates").startswith("delegates (more: second): ")
    assert of(block["followed"], "confDir").startswith("confDir (/etc/other): ")
    assert block["to_do"] == []


async def test_isolation_tells_what_admission_needs(tmp_path: Path) -> None:
    put(tmp_path, thin(BRIDGE, namespaceIsolation=True, globalNamespaces="shared"))
    (event,) = await Scene(tmp_path).look()
    assert event.type == "Warning"
    assert "NETPLANE_NAMESPACE_ISOLATION=true" in event.message
    assert "NETPLANE_GLOBAL_NAMESPACES=shared" in event.message


async def test_with_netplanes_own_isolation_only_another_list_is_told(tmp_path: Path) -> None:
    put(tmp_path, thin(BRIDGE, namespaceIsolation=True, globalNamespaces="shared"))
    (event,) = await Scene(tmp_path, frozenset({"shared"})).look()
    assert (event.type, "to do" in event.message) == ("Normal", False)
    (other,) = await Scene(tmp_path, frozenset({"default"})).look()
    assert "globalNamespaces (shared): not followed" in other.message


async def test_a_member_that_nobody_knows_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    block = await said(tmp_path, thin(BRIDGE, futureSetting=1), caplog)
    assert "does not know it" in of(block["to_do"], "futureSetting")


async def test_a_thick_form_without_its_daemons_file_says_where_to_put_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, BRIDGE, "10-cluster.conflist")
    block = await said(tmp_path, shim_conf("cbr0"), caplog)
    assert "multus.d/daemon-config.json" in of(block["to_do"], "daemon-config.json")


async def test_the_event_is_about_the_node_and_bounded(tmp_path: Path) -> None:
    put(tmp_path, thin(BRIDGE, **{f"unknown{number}": 1 for number in range(200)}))
    (event,) = await Scene(tmp_path).look()
    assert len(event.message) == 1024
    obj = to_object(event, name="x", now_rfc3339="2026-11-21T08:23:36Z", host="node-a")
    assert obj["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Node",
        "name": "node-a",
        "uid": "node-a",
    }
    assert obj["metadata"]["namespace"] == "default"


async def test_it_is_said_again_only_when_it_changes(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    assert await scene.look() == []
    put(tmp_path, thin(BRIDGE))
    assert len(await scene.look()) == 1
    assert len(await scene.look()) == 1
    put(tmp_path, thin(BRIDGE, SECOND))
    assert len(await scene.look()) == 2
