"""Flannel's files: the node's lease, and the delegate configuration kept for each container.

Places, names and contents are the reference plugin's. Everything here blocks.
"""

from __future__ import annotations

import os

from cni.native.flannel_conf import Lease, parse_lease
from cni.rooted import resolve
from planes.model.decode import loads_object
from planes.model.errors import BadInput, Internal, NotFound
from planes.model.wire.netconf import NetConf


def read_lease(path: str, root: str = "") -> Lease:
    """Read subnet.env, where it is with `root` as root.

    Raises:
        NotFound: flanneld has not written it, or not all of it.
        BadInput: a value in it is wrong.
    """
    try:
        with open(resolve(root, path), encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as error:
        raise NotFound(
            f"cannot read flannel's lease {path}: {error.strerror}",
            remedy="see whether flanneld runs on this node",
        ) from error
    return parse_lease(text, path)


def save_state(data_dir: str, container_id: str, generated: NetConf) -> None:
    """Keep a delegate configuration, durably.

    Raises:
        Internal: it cannot be written.
    """
    path = os.path.join(data_dir, container_id)
    try:
        os.makedirs(data_dir, mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, generated.encode())
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise Internal(f"cannot keep {path}: {error.strerror}") from error


def load_state(data_dir: str, container_id: str) -> NetConf | None:
    """Give the kept configuration; None where there is none, or none that can be read."""
    path = os.path.join(data_dir, container_id)
    try:
        with open(path, "rb") as file:
            return NetConf(loads_object(file.read(), path))
    except (OSError, BadInput):
        return None


def drop_state(data_dir: str, container_id: str) -> None:
    """Forget a kept configuration; none there is fine."""
    try:
        os.unlink(os.path.join(data_dir, container_id))
    except FileNotFoundError:
        return
    except OSError as error:
        raise Internal(
            f"cannot drop flannel's state of {container_id}: {error.strerror}"
        ) from error
