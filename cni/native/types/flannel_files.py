"""Flannel's files: the node's lease, and the delegate's netconf kept for each container.

Paths and contents are the reference plugin's, with the interface besides. Invariant: a kept netconf
is replaced at once, so a kill leaves the old one or the new one. Everything here blocks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.host.chroot import resolve
from cni.host.unwritable import unwritable
from cni.native.types.flannel_conf import Lease, parse_lease
from planes.model.decode import loads_object
from planes.model.errors import BadInput, Internal, NotFound
from planes.model.names import shown
from planes.model.wire.netconf import NetConf
from planes.run.files import read_regular, replace

_OWNER: Final = "netplane.io/interface"
_LARGEST: Final = 64 << 10  # a lease has a few hundred bytes, a netconf a few more


def read_lease(path: str, root: str = "") -> Lease:
    """Read subnet.env below the root directory `root`.

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


@dataclass(frozen=True, slots=True)
class KeptNetConf:
    """The file with the delegate's netconf of one attachment; every method blocks.

    The first flannel attachment of a container has the reference plugin's file, which says whose it
    is. Others have files of their own: with one for all, the DEL of one would leave the addresses
    of the others.

    Attributes:
        network: the network's name.
    """

    data_dir: str
    container_id: str
    ifname: str
    network: str

    def save(self, generated: NetConf) -> None:
        """Keep a netconf; a power cut, which may take it, ends the sandbox too.

        Raises:
            Internal: it cannot be written.
        """
        found = self._find()
        path = self._first if found is None else found[0]
        if found is None and os.path.lexists(path):
            path = self._own
        owned = NetConf({**generated.raw, _OWNER: self.ifname})
        try:
            os.makedirs(self.data_dir, mode=0o700, exist_ok=True)
            replace(Path(path), owned.encode(), is_durable=False)
        except OSError as error:
            raise unwritable("the configuration of a delegate", path, error) from error

    def load(self) -> NetConf | None:
        """Return the kept netconf; None where there is none that can be read."""
        found = self._find()
        return None if found is None else found[1]

    def drop(self) -> None:
        """Remove it; none there is fine.

        Raises:
            Internal: it cannot be removed.
        """
        found = self._find()
        if found is None:
            return
        try:
            os.unlink(found[0])
        except FileNotFoundError:
            return
        except OSError as error:
            raise Internal(
                f"cannot drop flannel's state of {self.container_id}: {error.strerror}"
            ) from error

    @property
    def _first(self) -> str:
        return os.path.join(self.data_dir, self.container_id)

    @property
    def _own(self) -> str:
        return os.path.join(self.data_dir, f"{self.container_id}:{self.ifname}")

    def _find(self) -> tuple[str, NetConf] | None:
        """Return the attachment's file and what is in it."""
        for path in (self._own, self._first):
            try:
                raw = dict(loads_object(read_regular(path, _LARGEST), path))
            except (OSError, BadInput):
                continue
            owner = raw.pop(_OWNER, None)
            # The reference plugin's files have no owner.
            if owner == self.ifname or (owner is None and raw.get("name") == self.network):
                return path, NetConf(raw)
        return None
