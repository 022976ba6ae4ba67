"""Flannel's files: the node's lease, and the delegate configuration kept for each container.

Places, names and contents are the reference plugin's. Everything here blocks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cni.native.flannel_conf import Lease, parse_lease
from cni.rooted import resolve
from planes.model.decode import loads_object
from planes.model.errors import BadInput, Internal, NotFound
from planes.model.names import shown
from planes.model.wire.netconf import NetConf
from planes.store.files import read_regular, replace

_LARGEST: Final = 64 << 10  # a lease has a few hundred bytes, a generated configuration a few more


def read_lease(path: str, root: str = "") -> Lease:
    """Read subnet.env, where it is with `root` as root.

    Raises:
        NotFound: flanneld has not written it, or not all of it.
        BadInput: a value in it is wrong.
    """
    try:
        text = read_regular(resolve(root, path), _LARGEST, follows=True).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "it is no path"
        raise NotFound(
            f"cannot read flannel's lease {shown(path)}: {cause}",
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
        replace(Path(path), generated.encode())
    except OSError as error:
        raise Internal(f"cannot keep {path}: {error.strerror}") from error


def load_state(data_dir: str, container_id: str) -> NetConf | None:
    """Give the kept configuration; None where there is none, or none that can be read."""
    path = os.path.join(data_dir, container_id)
    try:
        return NetConf(loads_object(read_regular(path, _LARGEST), path))
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
