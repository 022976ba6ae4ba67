"""Records of the host's devices that are in sandboxes: what each had, and who has it.

A record is written before its device is moved and removed after it is back, so that DEL finds what
to give back after a kill of the daemon, and with the sandbox gone. It need not survive a power cut,
which puts every device back by itself: a record of an earlier boot counts as none. Everything here
blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from cni.host.unwritable import unwritable
from cni.net.device_links import DeviceLink
from cni.net.found_state import FoundState
from cni.net.pci_functions import PciFunctions
from cni.plugins.plugin import Call
from planes.model.decode import Fields, loads_object
from planes.model.encode import dumps
from planes.model.errors import BadInput, Internal
from planes.run import files

DEVICE_RECORDS: Final = "devices"
"""The folder of the state directory."""
_LARGEST: Final = 256 << 10
_MOST: Final = 4096  # records that are looked through
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """One device in a sandbox.

    Attributes:
        hardware: see `DeviceLink.hardware`; of kernels that do not show it as /sys does.
        is_shown: whether the kernel shows the hardware, in the sandbox too.
        kind: of the link, "" for hardware.
        origin: see `DeviceLink.origin`; as the link has it in the sandbox, "" where that is not
            known yet.
        index: of the link in the sandbox, 0 where that is not known yet.
        container_id: of the sandbox.
    """

    found: FoundState
    hardware: str = ""
    index: int = 0
    container_id: str = ""
    is_shown: bool = False
    kind: str = ""
    origin: str = ""

    def is_of(self, link: DeviceLink) -> bool:
        """Report whether a link of the sandbox may be the device; index and name can be forged."""
        if not self.origin:
            return self.kind == link.kind and link.may_be_of_host
        return self.origin == link.origin


class DeviceRecords:
    """The records, a file each.

    Args:
        folder: where they are; made when first written.
        boot: path of the file with the machine's boot ID.
        functions: finds the hardware of links; None for this machine's.
    """

    def __init__(
        self, folder: Path, boot: Path = _BOOT_ID, functions: PciFunctions | None = None
    ) -> None:
        self._folder = folder
        self._boot = boot
        self._functions = functions or PciFunctions()

    def hardware_of(self, link: DeviceLink) -> str:
        """Return the hardware of a link of the host, on kernels that do not show it too."""
        return link.hardware or self._functions.hardware_of(link.name, link.index)

    def begin(self, call: Call, link: DeviceLink, found: FoundState) -> DeviceRecord:
        """Write the record of a device that is about to be moved; return it.

        A device that came back to the host by itself, because its sandbox is gone, still has the
        record of that sandbox: that one says what the device had, and is replaced.

        Raises:
            Internal: it cannot be written.
        """
        hardware = self.hardware_of(link)
        earlier = [one for one in self._all() if hardware and one[1].hardware == hardware]
        state = earlier[0][1].found if earlier else found
        record = DeviceRecord(
            state, hardware, 0, call.container_id, bool(link.hardware), kind=link.kind
        )
        self.save(call, record)
        own = self._path(call)
        for path, _record in earlier:
            if path != own:
                _remove(path)
        return record

    def save(self, call: Call, record: DeviceRecord) -> None:
        """Write a record.

        Raises:
            Internal: it cannot be written.
        """
        value = {
            "boot": self._boot_id(),
            "hardware": record.hardware,
            "index": record.index,
            "container": record.container_id,
            "shown": record.is_shown,
            "kind": record.kind,
            "origin": record.origin,
            "found": asdict(record.found),
        }
        path = self._path(call)
        try:
            files.replace(path, dumps(value, str(path)), is_durable=False)
        except OSError as error:
            raise unwritable("the record of a device", path, error) from error

    def set_index(self, call: Call, record: DeviceRecord, index: int, origin: str = "") -> None:
        """Add the index and the origin that a device has in its sandbox.

        Raises:
            Internal: it cannot be written.
        """
        self.save(call, replace(record, index=index, origin=origin))

    def load(self, call: Call) -> DeviceRecord | None:
        """Return the record of an attachment; None without one of this boot."""
        return self._read(self._path(call))

    def container_of(self, device: str) -> str:
        """Return the container that has a device, by its name or address; "" for none known."""
        found = (
            record.container_id
            for _path, record in self._all()
            if device in {record.found.name, record.hardware, record.hardware.partition(" ")[0]}
        )
        return next(found, "") if device else ""

    def drop(self, call: Call) -> None:
        """Remove the record of an attachment; none is fine.

        Raises:
            Internal: it cannot be removed.
        """
        _remove(self._path(call))

    def _path(self, call: Call) -> Path:
        # No container ID has a colon, so the name is that of one attachment.
        return self._folder / files.file_name(f"{call.container_id}:{call.ifname}")

    def _all(self) -> Iterator[tuple[Path, DeviceRecord]]:
        with suppress(FileNotFoundError):
            for path in islice(self._folder.iterdir(), _MOST):
                record = None if files.is_temporary(path.name) else self._read(path)
                if record is not None:
                    yield path, record

    def _read(self, path: Path) -> DeviceRecord | None:
        try:
            value = Fields(loads_object(files.read_regular(path, _LARGEST), str(path)), str(path))
            found = value.child("found")
            if found is None or value.string("boot") != self._boot_id():
                return None
            return DeviceRecord(
                _state(found),
                value.string("hardware"),
                value.integer("index"),
                value.string("container"),
                value.boolean("shown"),
                value.string("kind"),
                value.string("origin"),
            )
        except (OSError, ValueError, BadInput):
            return None

    def _boot_id(self) -> str:
        try:
            return self._boot.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""


def _state(found: Fields) -> FoundState:
    payloads = {key: found.strings(key) for key in ("addresses", "routes")}
    for one in (each for every in payloads.values() for each in every):
        bytes.fromhex(one)
    return FoundState(
        name=found.string("name"),
        mac=found.string("mac"),
        mtu=found.integer("mtu"),
        is_up=found.boolean("is_up"),
        alias=found.string("alias"),
        master=found.string("master"),
        addresses=payloads["addresses"],
        routes=payloads["routes"],
    )


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Internal(f"cannot remove {path}: {error.strerror}") from error
