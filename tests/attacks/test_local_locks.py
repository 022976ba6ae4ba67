"""An ordinary user of the node locks every file that the user may open."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cni.serving.listener import listen, lock_of
from planes.model.errors import PlanesError
from tests.attacks.local import NOBODY
from tests.cni.scene import set_up
from tests.support.node.daemon import Place
from tests.support.node.netns import Node

_LOCK = """
import fcntl, os, sys
for path in sys.argv[1:]:
    try:
        fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        print("refused", path, flush=True)
    else:
        print("locked", path, flush=True)
print("done", flush=True)
sys.stdin.read()
"""


@contextmanager
def _locked(*paths: Path) -> Iterator[list[str]]:
    """Lock files or directories as user nobody; yield those that were locked."""
    command = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    with subprocess.Popen(
        [*command, sys.executable, "-c", _LOCK, *map(str, paths)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as user:
        assert user.stdout is not None
        got = []
        while (line := user.stdout.readline().strip()) != "done":
            assert line, "the user has ended"
            verdict, _, path = line.partition(" ")
            if verdict == "locked":
                got.append(path)
        yield got


def _below(directory: Path) -> list[Path]:
    return [directory, *sorted(directory.rglob("*"))]


@pytest.mark.kernel
def test_local_user_who_locks_what_he_may_open_keeps_no_daemon_from_starting(
    daemon: Place, here: Node
) -> None:
    """On a cluster kubelet makes /run/netplane and /var/lib/netplane, which all may read."""
    set_up(daemon)
    daemon.directory.chmod(0o755)
    daemon.state.mkdir(mode=0o755)
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    with _locked(*_below(daemon.directory)) as got:
        assert {str(daemon.directory), str(daemon.state)} <= set(got)
        daemon.kill()
        daemon.start()
        daemon.call("DEL", here.sandbox.path, pod="shop/web")
        daemon.call("ADD", here.sandbox.path, container="c2", pod="shop/web")
        daemon.call("DEL", here.sandbox.path, container="c2", pod="shop/web")
        assert daemon.stop() == 0


def test_local_user_cannot_open_the_lock_of_the_socket(tmp_path: Path) -> None:
    """Nor have another file opened in its place."""
    path = tmp_path / "s"
    listen(path).socket.close()
    assert lock_of(path).stat().st_mode & 0o777 == 0o600
    lock_of(path).unlink()
    lock_of(path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlanesError, match="cannot listen on"):
        listen(path)
    assert not (tmp_path / "elsewhere").exists()
