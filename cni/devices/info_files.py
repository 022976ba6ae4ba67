"""Device information files (NPWG device information specification 1.1.0, §4).

Device plugins write `dp/<resource>-<device>-device.json`. For each attachment its content is copied
to `cni/<network>-<containerID>_<interface>`, whose path plugins get as `CNIDeviceInfoFile`. Where
there is none, a plugin may write that file itself. It is read back for network-status, and removed
at DEL.

Invariant: only files in these two directories are read or written, and no symbolic link is followed
there.
"""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Final

from cni.host.chroot import resolve
from planes.model.errors import JsonObject, PlanesError
from planes.model.wire.device_info import MOST_BYTES, encode_device_info, parse_device_info
from planes.run.files import read_regular, remove, replace

_LONGEST_NAME: Final = 255  # NAME_MAX
_DIRECTORY_MODE: Final = 0o755
_FILE_MODE: Final = 0o444  # as Multus

_log = logging.getLogger(__name__)


class DeviceInfoFiles:
    """The files of this node; every method but `path` blocks.

    Args:
        directory: the directory of `dp` and `cni`, as the node has it.
        root: where the node's root is mounted, "" for our own.
    """

    def __init__(self, directory: str, root: str = "") -> None:
        self._directory = directory
        self._root = root

    def path(self, network: str, container_id: str, ifname: str) -> str:
        """Return the file of an attachment, as plugins see it: Multus' name, cut where too long."""
        end = f"-{container_id}_{ifname}"
        name = network.replace("/", "-")[: _LONGEST_NAME - len(end)]
        return f"{self._directory}/cni/{name}{end}"

    def copy(self, resource: str, device: str, path: str) -> None:
        """Copy what a device plugin says of a device to an attachment's file.

        Where there is none, or it cannot be copied, the attachment's file is absent afterwards.
        """
        name = f"{resource}-{device}-device.json".replace("/", "-")
        self.remove(path)
        info = self._read(f"{self._directory}/dp/{name}")
        if info is None:
            return
        try:
            target = self._local(path)
            target.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
            replace(target, encode_device_info(info), is_durable=False, mode=_FILE_MODE)
        except OSError as error:
            _log.warning("cannot write device information", extra=_facts(path, error))

    def read(self, path: str) -> JsonObject | None:
        """Return the device information of an attachment; None where there is none to be read."""
        return self._read(path)

    def remove(self, path: str) -> None:
        """Remove an attachment's file; a missing one is fine."""
        try:
            remove(self._local(path))
        except OSError as error:
            _log.warning("cannot remove device information", extra=_facts(path, error))

    def _read(self, path: str) -> JsonObject | None:
        try:
            return parse_device_info(read_regular(self._local(path), MOST_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, PlanesError) as error:
            if getattr(error, "errno", None) not in {errno.ENOTDIR, errno.ENAMETOOLONG}:
                _log.warning("cannot read device information", extra=_facts(path, error))
            return None

    def _local(self, path: str) -> Path:
        """Return a path as this process sees it; the last part is not followed."""
        directory, _, name = path.rpartition("/")
        return Path(resolve(self._root, directory)) / name


def _facts(path: str, error: Exception) -> dict[str, str]:
    return {"path": path, "error": str(error)}
