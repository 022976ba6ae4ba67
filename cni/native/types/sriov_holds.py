"""Which sandbox has which virtual function, and what the function's settings were: files.

Paths and members are those of sriov-cni, so that a function that either attached is refused by the
other, and given back by the other. Invariant: a function is held by one sandbox at a time: the file
of its address is read and written under its lock, and holds the path of a network namespace that
exists. Nothing of it need survive a power cut, which ends all sandboxes. Everything here blocks.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from cni.host.unwritable import unwritable
from cni.net import namespaces
from cni.net.pci_functions import is_pci_address
from cni.net.vf_settings import NO_MAC, PROTO_8021Q, VfSettings
from cni.plugins.device_taken import DeviceTaken
from cni.plugins.plugin import Call
from planes.model.decode import Fields, loads_object
from planes.model.encode import dumps
from planes.model.errors import BadInput, Internal, JsonObject, Unavailable
from planes.run import files
from planes.run.file_lock import open_lock

_LARGEST: Final = 256 << 10
_LONGEST_PATH: Final = 4096
_MOST: Final = 4096  # files that are looked through


@dataclass(frozen=True, slots=True)
class VfRecord:
    """One attachment of a virtual function.

    Attributes:
        address: PCI address of the function.
        netns: path of the sandbox's namespace; "" in the files of sriov-cni.
        changed: the keys of the netconf that changed a setting.
        found: the settings before.
        name: of the function's link on the host, "" where it has none.
        mac: of that link before, "" where it was not changed.
        mtu: of that link before, 0 where not known.
    """

    address: str
    netns: str
    changed: frozenset[str]
    found: VfSettings
    name: str = ""
    mac: str = ""
    mtu: int = 0


class VfBusy(Unavailable):
    """Another process is at work on the function."""


class VfHolds:
    """The files.

    Args:
        folder: where they are; made when first written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def hold(self, call: Call, record: VfRecord, conf: JsonObject) -> None:
        """Record an attachment, and that its sandbox has the function.

        Args:
            call: the ADD.
            record: what is recorded.
            conf: the members of the netconf, for sriov-cni.

        Raises:
            VfBusy: another process is at work on the function.
            DeviceTaken: a sandbox that exists has it.
            Internal: the files cannot be written.
        """
        with self.locked(record.address):
            self.require_free(record.address)
            self._write(self._record(call), dumps({**conf, **_members(record)}, "the record"))
            self._write(self._allocation(record.address), record.netns.encode())

    def require_free(self, address: str) -> None:
        """Check that no sandbox that exists has a function.

        Raises:
            DeviceTaken: one has it.
        """
        holder = self._holder(address)
        if holder and _exists(holder):
            owners = (call for call, one in self._of(address) if one.netns in {holder, ""})
            owner = next(owners, None)
            raise DeviceTaken(address, holder if owner is None else owner.container_id)

    def load(self, call: Call) -> VfRecord | None:
        """Return the record of an attachment; None where there is none that can be read."""
        path = self._record(call)
        try:
            value = loads_object(files.read_regular(path, _LARGEST), str(path))
            return _read(Fields(value, str(path)))
        except (OSError, ValueError, BadInput):
            return None

    def stale(self, address: str) -> list[Call]:
        """Return the attachments of a function whose sandboxes are gone, as calls without one."""
        if (holder := self._holder(address)) and _exists(holder):
            return []
        return [
            call
            for call, record in self._of(address)
            if not (record.netns and _exists(record.netns))
        ]

    def _of(self, address: str) -> Iterator[tuple[Call, VfRecord]]:
        """Yield the attachments of a function, as calls without a sandbox, and their records."""
        with suppress(FileNotFoundError):
            for path in islice(self._folder.iterdir(), _MOST):
                container_id, _, ifname = path.name.rpartition("-")
                call = Call(container_id, "", ifname)
                record = self.load(call) if container_id and path.is_file() else None
                if record is not None and record.address == address:
                    yield call, record

    def is_holder(self, call: Call, record: VfRecord) -> bool:
        """Report whether no other sandbox has the function meanwhile."""
        holder = self._holder(record.address)
        return not holder or holder in {record.netns, call.netns} or not _exists(holder)

    def release(self, call: Call, record: VfRecord) -> None:
        """Remove the record, and the hold unless another sandbox has the function; repeatable.

        Raises:
            VfBusy: another process is at work on the function.
            Internal: a file cannot be removed.
        """
        with self.locked(record.address):
            if self.is_holder(call, record):
                _remove(self._allocation(record.address))
            _remove(self._record(call))

    def _holder(self, address: str) -> str:
        try:
            text = files.read_regular(self._allocation(address), _LONGEST_PATH)
        except OSError:
            return ""
        return text.decode("utf-8", "replace").strip()

    @contextmanager
    def locked(self, address: str) -> Iterator[None]:
        """Lock a function against other processes and threads; never waits.

        Raises:
            VfBusy: another one has the lock.
            Internal: the lock's file cannot be made.
        """
        path = self._folder / "pci" / "vf_lock" / f"{address}.lock"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = open_lock(path)
        except OSError as error:
            raise Internal(f"cannot lock {path}: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise VfBusy(
                f"cannot use virtual function {address}: another plugin is at work on it",
                remedy="see which process has the file of its lock open; it is tried again",
            ) from error
        finally:
            os.close(handle)

    def _record(self, call: Call) -> Path:
        return self._folder / f"{call.container_id}-{call.ifname}"

    def _allocation(self, address: str) -> Path:
        return self._folder / "pci" / address

    def _write(self, path: Path, data: bytes) -> None:
        try:
            files.replace(path, data, is_durable=False)
        except OSError as error:
            raise unwritable("who has a virtual function", path, error) from error


def _exists(path: str) -> bool:
    try:
        os.close(namespaces.open_netns(path))
    except BadInput:
        return False
    return True


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno != errno.ENOTDIR:
            raise Internal(f"cannot remove {path}: {error.strerror}") from error


def _members(record: VfRecord) -> JsonObject:
    """Return a record as members of sriov-cni's file; `netns` and `changed` are ours."""
    found = record.found
    return {
        "deviceID": record.address,
        "netns": record.netns,
        "changed": sorted(record.changed),
        "OrigVfState": {
            "HostIFName": record.name,
            "SpoofChk": found.spoofchk,
            "Trust": found.trust,
            "AdminMAC": found.mac,
            "EffectiveMAC": record.mac,
            "Vlan": found.vlan,
            "VlanQoS": found.vlan_qos,
            "VlanProto": found.vlan_proto,
            "MinTxRate": found.min_tx_rate,
            "MaxTxRate": found.max_tx_rate,
            "LinkState": found.link_state,
            "MTU": record.mtu,
        },
    }


_KEYS: Final = ("vlan", "mac", "spoofchk", "trust", "link_state", "min_tx_rate", "max_tx_rate")


def _read(fields: Fields) -> VfRecord | None:
    found = fields.child("OrigVfState")
    address = fields.string("deviceID")
    if found is None or not is_pci_address(address):
        return None
    has_changed = fields.has("changed")
    changed = fields.strings("changed") if has_changed else filter(fields.raw, _KEYS)
    keys = frozenset(changed) | (frozenset() if has_changed else {"vlan", "mac"})
    settings = VfSettings(
        mac=found.string("AdminMAC") or NO_MAC,
        vlan=found.integer("Vlan"),
        vlan_qos=found.integer("VlanQoS"),
        vlan_proto=found.integer("VlanProto") or PROTO_8021Q,
        min_tx_rate=found.integer("MinTxRate"),
        max_tx_rate=found.integer("MaxTxRate"),
        spoofchk=found.boolean("SpoofChk"),
        trust=found.boolean("Trust"),
        link_state=found.integer("LinkState"),
    )
    return VfRecord(
        address,
        fields.string("netns"),
        keys,
        settings,
        found.string("HostIFName"),
        found.string("EffectiveMAC"),
        found.integer("MTU"),
    )
