"""Read the files that Multus keeps of a sandbox, to tear it down.

`DIR/<containerID>` lists the delegates in order; `DIR/results/<network>-<containerID>-<ifname>` is
libcni's record of each attachment (`cniCacheV1`). The records take precedence, because the list may
have a configuration without any plugin key (Multus 4.2.1 to 4.3.0, #1449, #1454; fixed in 4.3.1
according to its notes, but the lists of running pods stay as written): DEL with that configuration
reports success and leaks the address. The container runtime's own record of its call has the
network name of Multus, which the runtime no longer looks up: it is removed with the others.

Invariant: reading never fails a DEL; what cannot be read is logged.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cni.confdir.files import is_multus
from cni.plugins.attachment import PlannedAttachment
from planes.model.decode import Fields, loads, loads_object
from planes.model.errors import JsonObject, PlanesError
from planes.model.names import check_ifname
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.model.wire.result import parse_result
from planes.run.files import read_regular

_log = logging.getLogger(__name__)

_MAX_BYTES: Final = 4 << 20
_CACHE_KIND: Final = "cniCacheV1"


@dataclass(frozen=True, slots=True)
class CachedSandbox:
    """What Multus cached of one sandbox.

    Attributes:
        attachments: in the order of the list; the default network first.
        files: the files to remove after teardown.
    """

    attachments: tuple[PlannedAttachment, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Delegate:
    """One element of the list: name, interface, and a configuration that may lack plugin keys."""

    name: str
    ifname: str
    conflist: ConfList


def read_cached(directory: Path, container_id: str, ifname: str) -> CachedSandbox | None:
    """Read what Multus cached of a sandbox; None where there is nothing.

    Args:
        directory: Multus' `cniDir`, by default `/var/lib/cni/multus`.
        container_id: checked already, so it is a safe file name.
        ifname: the interface of the default network, CNI_IFNAME.
    """
    path = directory / container_id
    records = _records(directory / "results", container_id)
    is_listed = path.is_file()
    if not is_listed and not records:
        return None
    files = (
        *([path] if is_listed else []),
        *(file for file, _ in records),
        *_of_runtime(directory.parent / "results", container_id),
    )
    delegates = _delegates(path, ifname) if is_listed else []
    known = sorted((one for _, one in records), key=lambda one: one.ifname != ifname)
    attachments = _joined(delegates, known, ifname)
    return CachedSandbox(attachments, files)


def remove_cached(cached: CachedSandbox) -> None:
    """Remove the files, the list last: while it exists, the rest is found again."""
    for path in reversed(cached.files):
        with suppress(FileNotFoundError):
            path.unlink()


def _joined(
    delegates: Sequence[_Delegate], records: list[PlannedAttachment], ifname: str
) -> tuple[PlannedAttachment, ...]:
    """Return the attachments: delegates with their records, then records without a delegate."""
    found: list[PlannedAttachment] = []
    for delegate in delegates:
        record = _record_of(delegate, records)
        if record is not None:
            records.remove(record)
        found.append(_attachment(delegate, record, is_default=not found))
    if not found:
        records = [replace(one, is_default=one.ifname == ifname) for one in records]
    return (*found, *records)


def _record_of(
    delegate: _Delegate, records: Sequence[PlannedAttachment]
) -> PlannedAttachment | None:
    same = [record for record in records if record.conflist.name == delegate.conflist.name]
    exact = [record for record in same if record.ifname == delegate.ifname]
    return next(iter((*exact, *same)), None)


def _attachment(
    delegate: _Delegate, record: PlannedAttachment | None, *, is_default: bool
) -> PlannedAttachment:
    return PlannedAttachment(
        network=delegate.name,
        conflist=delegate.conflist if record is None else record.conflist,
        ifname=delegate.ifname if record is None else record.ifname,
        cni_args=() if record is None else record.cni_args,
        capability_args={} if record is None else record.capability_args,
        is_default=is_default,
        result=None if record is None else record.result,
    )


def _delegates(path: Path, first: str) -> list[_Delegate]:
    """Read the list; a malformed element is logged and skipped."""
    try:
        listed = loads(_bytes(path), "Multus' list of delegates")
    except (OSError, PlanesError) as error:
        _log.warning("list of Multus is not readable", extra=_cause(path, error))
        return []
    found: list[_Delegate] = []
    for index, element in enumerate(listed if isinstance(listed, list) else []):
        try:
            found.append(_delegate(element, f"net{index}" if index else first))
        except (PlanesError, binascii.Error) as error:
            _log.warning("delegate of Multus is not readable", extra=_cause(path, error))
    return found


def _delegate(element: Any, ifname: str) -> _Delegate:
    fields = Fields(element if isinstance(element, dict) else {}, "a delegate of Multus")
    whole = Fields(fields.object("CNINetworkConfigList") or {}, "its conflist").string("Bytes")
    data = base64.b64decode(whole or fields.string("Bytes"))
    conflist = parse_conflist(data, default_name=fields.string("Name"), what="a delegate of Multus")
    ifname = check_ifname(fields.string("ifnameRequest") or ifname)
    return _Delegate(fields.string("Name") or conflist.name, ifname, conflist)


def _records(directory: Path, container_id: str) -> list[tuple[Path, PlannedAttachment]]:
    found: list[tuple[Path, PlannedAttachment]] = []
    try:
        paths = sorted(directory.glob(f"*-{container_id}-*"))
    except OSError:
        return []
    for path in paths:
        try:
            cached = loads_object(_bytes(path), "libcni's record")
            if cached.get("kind") == _CACHE_KIND and cached.get("containerId") == container_id:
                found.append((path, _recorded(cached)))
        except (OSError, PlanesError, ValueError, TypeError) as error:
            _log.warning("record of libcni is not readable", extra=_cause(path, error))
    return found


def _of_runtime(directory: Path, container_id: str) -> list[Path]:
    """Return the container runtime's own records of its calls to Multus."""
    return [
        path
        for path, record in _records(directory, container_id)
        if any(is_multus(plugin.type) for plugin in record.conflist.plugins)
    ]


def _recorded(cached: JsonObject) -> PlannedAttachment:
    fields = Fields(cached, "libcni's record")
    result = fields.object("result")
    conflist = parse_conflist(
        base64.b64decode(fields.string("config")),
        default_name=fields.string("networkName"),
        what="libcni's record",
    )
    return PlannedAttachment(
        network=conflist.name,
        conflist=conflist,
        ifname=check_ifname(fields.string("ifName")),
        cni_args=tuple((str(key), str(value)) for key, value in fields.raw("cniArgs") or ()),
        capability_args=fields.object("capabilityArgs") or {},
        result=None if result is None else parse_result(result, default_version="1.0.0"),
    )


def _bytes(path: Path) -> bytes:
    return read_regular(path, _MAX_BYTES, follows=True)


def _cause(path: Path, error: Exception) -> dict[str, str]:
    return {"file": str(path), "cause": str(error)}
