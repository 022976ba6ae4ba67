"""A journal damaged on disk: the daemon goes on serving, and no address stays claimed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.node.daemon import Place
from tests.support.node.netns import Node, run

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

FAST_CLOCK = ("tests.support.node.fast_clock", "30")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other_version(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":7', 1))


def _flipped_digit(path: Path) -> None:
    path.write_bytes(re.sub(rb'"attempts":0', b'"attempts":1', path.read_bytes(), count=1))


def _wrong_types(path: Path) -> None:
    """A checksum that matches over what no daemon writes."""
    body = json.dumps({"containerID": 7, "attachments": {"a": None}, "cniArgs": 3}).encode()
    digest = hashlib.sha256(body).hexdigest().encode()
    path.write_bytes(b'{"version":1,"sha256":"%s","entry":%s}\n' % (digest, body))


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = [
    *(_cut, _empty, _other_version, _flipped_digit, _wrong_types),
    *(_directory, _dangling, _fifo),
]
Damage = Callable[[Path], None]


@pytest.fixture
def sandbox() -> Iterator[str]:
    """The path of a namespace that the test may delete."""
    name = f"np-t-gone-{os.getpid()}"
    run("ip", "netns", "add", name)
    yield f"/run/netns/{name}"
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def _delete(sandbox: str) -> None:
    run("ip", "netns", "delete", Path(sandbox).name)


def _attach_and_damage(daemon: Place, sandbox: str, damage: Damage) -> None:
    set_up(daemon)
    daemon.start()
    daemon.call("ADD", sandbox, pod="shop/web")
    daemon.kill()
    (path,) = (daemon.state / "journal").glob("*.json")
    damage(path)


def _held(daemon: Place) -> list[str]:
    roots = (daemon.directory / "host-local", daemon.state / "addresses")
    return sorted(
        path.name for root in roots for path in root.rglob("*") if path.name[:1].isdigit()
    )


def _eventually(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert holds()


@pytest.mark.parametrize("damage", DAMAGES)
def test_local_damage_of_an_entry_leaves_no_address_held_after_del(
    daemon: Place, here: Node, damage: Damage
) -> None:
    _attach_and_damage(daemon, here.sandbox.path, damage)
    daemon.start()
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert _held(daemon) == []
    assert leftovers(daemon, here)["sandbox"] == []


@pytest.mark.parametrize("damage", [_empty, _flipped_digit])
def test_local_damage_of_an_entry_leaves_no_address_held_when_no_del_comes(
    daemon: Place, sandbox: str, damage: Damage
) -> None:
    _attach_and_damage(daemon, sandbox, damage)
    _delete(sandbox)
    daemon.start(module=FAST_CLOCK)
    _eventually(lambda: _held(daemon) == [])


@pytest.mark.parametrize("damage", [_empty, _flipped_digit])
def test_local_damage_of_an_entry_frees_no_address_of_a_running_sandbox(
    daemon: Place, here: Node, damage: Damage
) -> None:
    _attach_and_damage(daemon, here.sandbox.path, damage)
    before = _held(daemon)
    daemon.start(module=FAST_CLOCK)
    time.sleep(6)  # three minutes of the daemon's
    assert _held(daemon) == before
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    assert _held(daemon) == []


def test_local_loss_of_the_whole_journal_frees_only_what_no_interface_has(
    daemon: Place, sandbox: str
) -> None:
    set_up(daemon)
    daemon.start()
    daemon.call("ADD", sandbox, pod="shop/web")
    daemon.kill()
    shutil.rmtree(daemon.state / "journal")
    daemon.start(module=FAST_CLOCK)
    time.sleep(6)
    planes = daemon.state / "addresses"
    assert [path.name for path in planes.rglob("*") if path.name[:1].isdigit()] != []
    _delete(sandbox)
    _eventually(lambda: not [p for p in planes.rglob("*") if p.name[:1].isdigit()])


def test_local_junk_in_every_directory_keeps_nobody_from_attaching(
    daemon: Place, here: Node
) -> None:
    """Directories, links to nowhere and pipes, under each name that the daemon looks for."""
    set_up(daemon)
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    daemon.kill()
    (plane,) = (daemon.state / "addresses").iterdir()
    network = daemon.directory / "host-local" / "store"
    for directory, names in {
        daemon.state / "journal": ("x@eth0.json", "y@eth0.tmp"),
        daemon.state / "spool": ("000.request", "001.request.tmp"),
        daemon.state / "status" / "shop": ("odd.json", "web2.json"),
        plane: ("10.9.9.9", "owner-odd", "cooling-10.9.9.8"),
        network: ("172.16.9.9", "last_reserved_ip.7"),
    }.items():
        directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            (directory / name).mkdir()
            (directory / f"0{name}").symlink_to("/nowhere")
            os.mkfifo(directory / f"1{name}")
    daemon.start()
    daemon.call("DEL", here.sandbox.path, pod="shop/web")
    daemon.call("ADD", here.sandbox.path, container="c2", pod="shop/web")
    daemon.call("DEL", here.sandbox.path, container="c2", pod="shop/web")
    left = leftovers(daemon, here)
    assert {key: left[key] for key in ("sandbox", "host", "rules")} == {
        key: NOTHING[key] for key in ("sandbox", "host", "rules")
    }
