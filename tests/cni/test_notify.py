"""The daemon tells its service manager that it serves, that it lives, and that it stops."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cni.scene import set_up
from tests.support.node.daemon import Place
from tests.support.node.netns import Node
from tests.support.service_manager import ManagerSocket

pytestmark = pytest.mark.kernel


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagerSocket]:
    made = ManagerSocket(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", made.name)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    yield made
    made.close()


def test_it_is_ready_when_its_socket_accepts_calls(daemon: Place, manager: ManagerSocket) -> None:
    set_up(daemon)
    daemon.launch()
    assert "STATUS=serving" in manager.until("READY=1")
    with socket.socket(socket.AF_UNIX) as probe:
        assert probe.connect_ex(str(daemon.socket)) == 0
    manager.until("WATCHDOG=1")


def test_it_gives_signs_of_life_until_its_calls_have_drained(
    daemon: Place, here: Node, manager: ManagerSocket
) -> None:
    set_up(daemon)
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    assert daemon.stop() == 0
    told = manager.until("STOPPING=1")
    assert told.index("READY=1") < told.index("STOPPING=1")
    assert "STATUS=finishing the calls in flight" in told
    daemon.start()
    daemon.call("DEL", here.sandbox.path, pod="shop/web")


def test_a_plugin_that_is_executed_does_not_know_the_manager(
    daemon: Place, here: Node, manager: ManagerSocket
) -> None:
    """The plugin is started by a real call, with what the daemon gives every plugin."""
    told = daemon.directory / "told"
    plugin = daemon.directory / "bin" / "spy"
    plugin.parent.mkdir()
    plugin.write_text(f'#!/bin/sh\nenv >> {told}\necho \'{{"cniVersion": "1.0.0"}}\'\n')
    plugin.chmod(0o755)
    daemon.default_network({"cniVersion": "1.0.0", "name": "spied", "plugins": [{"type": "spy"}]})
    daemon.start("--cni-bin-dir", str(plugin.parent))
    manager.until("READY=1")
    daemon.call("ADD", here.sandbox.path)
    daemon.call("DEL", here.sandbox.path)
    assert "CNI_COMMAND=ADD" in told.read_text()
    assert manager.name not in told.read_text()
    assert "WATCHDOG" not in told.read_text()
