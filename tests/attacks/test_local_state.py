"""An operator puts foreign files where the daemon keeps its state."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cni.uninstall import STILL_IN_USE
from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.node.daemon import ROOT, Place
from tests.support.node.netns import CNI_BIN_DIR, Node, namespace
from tests.support.node.node import eventually
from tests.support.node.scripts import RESULT, write_plugin

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

SOON = 20.0


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("put", [_fifo, _directory])
def test_local_replacement_of_the_events_file_does_not_stop_the_daemon(
    daemon: Place, here: Node, put: Callable[[Path], None]
) -> None:
    """It takes calls, writes events, and ends in time: no thread waits for a reader."""
    set_up(daemon)
    daemon.state.mkdir()
    put(daemon.state / "events.jsonl")
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    eventually((daemon.state / "events.jsonl").is_file)
    begun = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun < SOON
    assert leftovers(daemon, here) == NOTHING


def test_local_uninstall_leaves_no_state_of_plugins_that_were_executed(
    daemon: Place, here: Node
) -> None:
    """What names the plugins that run is state as well."""
    set_up(daemon)
    _execute(daemon)
    daemon.start("--cni-bin-dir", f"{daemon.directory}/bin:{CNI_BIN_DIR}")
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert daemon.stop() == 0
    assert _uninstall(daemon) == 0
    assert not daemon.state.exists()


def test_local_uninstall_forgets_no_pod_that_runs_and_whose_entry_is_damaged(
    daemon: Place, here: Node
) -> None:
    """It is named as every other, and the state stays until it is gone."""
    set_up(daemon)
    daemon.start()
    with namespace("other") as other:
        daemon.call("ADD", here.sandbox.path, pod="shop/web")
        daemon.call("ADD", other.path, container="c2", pod="shop/web")
        daemon.kill()
        for path in (daemon.state / "journal").glob("*.json"):
            path.write_bytes(path.read_bytes()[:-40])
        assert _uninstall(daemon) == STILL_IN_USE
        assert _uninstall(daemon) == STILL_IN_USE
        assert _held(daemon) == 2
    assert _uninstall(daemon) == STILL_IN_USE
    assert _held(daemon) == 1
    assert _uninstall(daemon, "--release") == 0
    assert not daemon.state.exists()
    assert [link["ifname"] for link in here.sandbox.ip_json("link")] == ["lo"]


def _held(daemon: Place) -> int:
    """Count the addresses of planes that are held."""
    return len(list((daemon.state / "addresses").glob("business/10.*")))


def _uninstall(daemon: Place, *flags: str) -> int:
    options = [
        *("--standalone", str(daemon.directory / "manifests"), "--socket", str(daemon.socket)),
        *("--state-dir", str(daemon.state), "--cni-conf-dir", str(daemon.directory / "net.d")),
        *("--data-dirs", f"/var/lib/cni:{daemon.directory}"),
        *("--cni-bin-dir", str(daemon.directory / "bin"), "--node", "node-a", *flags),
    ]
    command = ["ip", "netns", "exec", daemon.host.name, sys.executable, "-m", "cni", "uninstall"]
    return subprocess.run([*command, *options], cwd=ROOT, check=False).returncode


def _execute(daemon: Place) -> None:
    """Have a program for the default network."""
    write_plugin(daemon.directory / "bin", "works", RESULT)
    daemon.default_network({"cniVersion": "1.0.0", "name": "cluster", "type": "works"})


@contextmanager
def _frozen(path: Path) -> Iterator[None]:
    """Freeze a file system: whoever writes waits, and cannot be killed."""
    subprocess.run(["fsfreeze", "--freeze", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", path], check=True)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    image = path.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(16 << 20)
    path.mkdir()
    make, mount = f"mkfs.ext4 -q {image}", f"mount -o loop {image} {path}"
    for command in (make.split(), mount.split()):
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("may not mount a disk")
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_local_disk_that_hangs_stops_no_more_than_what_needs_it(daemon: Place, here: Node) -> None:
    """The daemon answers meanwhile, says what hangs, and ends when it is asked to."""
    set_up(daemon)
    _execute(daemon)
    with _disk(daemon.state), namespace("other") as other:
        daemon.start("--cni-bin-dir", f"{daemon.directory}/bin:{CNI_BIN_DIR}")
        daemon.call("ADD", here.sandbox.path, pod="shop/web")
        assert list((daemon.state / "journal").glob("*.json"))
        with _frozen(daemon.state):
            calls = [
                threading.Thread(target=_quietly, args=(daemon, *call), daemon=True)
                for call in (("DEL", here.sandbox, "c1"), ("ADD", other, "c2"))
            ]
            for one in calls:
                one.start()
            time.sleep(2)
            daemon.call("STATUS", "", container="", ifname="")
            assert daemon.process is not None
            daemon.process.send_signal(signal.SIGTERM)
            eventually(lambda: "stopping" in json.dumps(daemon.log), SOON)
        assert daemon.process.wait(60) in {0, 1}
        daemon.start("--cni-bin-dir", f"{daemon.directory}/bin:{CNI_BIN_DIR}")
        for sandbox, container in ((here.sandbox, "c1"), (other, "c2")):
            daemon.call("DEL", sandbox.path, container=container, pod="shop/web")
        daemon.kill()
        assert leftovers(daemon, here) == NOTHING


def _quietly(daemon: Place, verb: str, sandbox: object, container: str) -> None:
    path = getattr(sandbox, "path", "")
    try:
        daemon.call(verb, path, container=container, pod="shop/web")
    except Exception:
        return
