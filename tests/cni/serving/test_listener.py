"""The socket file: who may bind it, who removes it, what is never overwritten."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cni.serving.listener import Listener, listen, peer_uid
from planes.model.errors import PlanesError


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = listen(tmp_path / "run" / "s")
    yield made
    made.socket.close()


def test_socket_and_directory_are_for_root_alone_whatever_the_umask(listener: Listener) -> None:
    assert stat.S_IMODE(listener.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(listener.path.parent.stat().st_mode) == 0o700


def test_the_peer_is_known_by_its_uid(listener: Listener) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(listener.path))
        connection, _ = listener.socket.accept()
        with connection:
            assert peer_uid(connection) == os.geteuid()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listen(path).socket.close()
    assert path.exists()
    with listen(path).socket, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_that_another_process_serves_is_left_alone(listener: Listener) -> None:
    with pytest.raises(PlanesError, match="another daemon serves it"):
        listen(listener.path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(listener.path))


def test_a_busy_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as client:
        busy.bind(str(path))
        busy.listen(0)
        client.connect(str(path))
        with pytest.raises(PlanesError, match="another daemon serves it"):
            listen(path)


def test_a_file_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(PlanesError, match="no socket"):
        listen(path)
    assert path.read_text() == "precious"


def test_a_path_too_long_for_a_socket_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(PlanesError, match="longer than 107 bytes"):
        listen(tmp_path / ("x" * 200))


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlanesError, match="cannot listen on"):
        listen(tmp_path / "file" / "s")


def test_withdrawing_unlinks_our_socket(listener: Listener) -> None:
    listener.withdraw()
    assert not listener.path.exists()
    listener.withdraw()


def test_withdrawing_leaves_the_socket_of_a_successor(listener: Listener) -> None:
    listener.path.unlink()
    with listen(listener.path).socket:
        listener.withdraw()
        assert listener.path.exists()
