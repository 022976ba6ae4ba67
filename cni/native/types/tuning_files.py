"""The files of `tuning`: the administrator's list of allowed sysctls, and the values kept for DEL.

Paths and contents are the reference plugin's, so either side restores what the other one kept.
Everything here blocks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cni.host.chroot import resolve
from cni.host.unwritable import unwritable
from cni.net.link_settings import LinkSettings
from planes.model.decode import Fields, loads_object
from planes.model.errors import BadInput, Denied, Internal, JsonObject
from planes.model.mac import ETHERNET_BYTES, format_mac, parse_mac
from planes.model.names import shown
from planes.run.files import read_regular, replace

ALLOW_LIST: Final = "/etc/cni/tuning/allowlist.conf"
_LARGEST_LIST: Final = 64 << 10
_LARGEST_KEPT: Final = 4 << 10
_MAX_NUMBER: Final = (1 << 32) - 1
# Go's regular expressions name character classes as POSIX does; Python's have no such names.
_POSIX_CLASSES: Final = {
    "[:alnum:]": "0-9A-Za-z",
    "[:alpha:]": "A-Za-z",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:upper:]": "A-Z",
    "[:word:]": r"\w",
}


def check_allowed(keys: Sequence[str], root: str = "") -> None:
    """Check sysctls by the administrator's list: one regular expression a line, found anywhere.

    Without the list every sysctl is allowed.

    Args:
        keys: names as in the netconf.
        root: path of the host's root directory; "" where it is ours.

    Raises:
        Denied: none of the expressions allows one of them.
        Internal: the list cannot be read, or has a line that is no expression.
    """
    if not keys:
        return
    try:
        data = read_regular(resolve(root, ALLOW_LIST), _LARGEST_LIST, follows=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Internal(f"cannot read {ALLOW_LIST}: {error.strerror}") from error
    lines = [line.strip() for line in data.decode("utf-8", "replace").split("\n")]
    allowed = [_expression(line) for line in lines if line]
    for key in keys:
        if not any(one.search(key) for one in allowed):
            raise Denied(
                f"cannot set sysctl {shown(key)}: {ALLOW_LIST} does not allow it",
                remedy="leave it out, or have an administrator of the node add it there",
            )


def _expression(line: str) -> re.Pattern[str]:
    text = line.replace(r"\z", r"\Z")
    for name, characters in _POSIX_CLASSES.items():
        text = text.replace(name, characters)
    try:
        return re.compile(text, re.ASCII)
    except (re.error, RecursionError, OverflowError) as error:
        raise Internal(
            f"cannot use {ALLOW_LIST}: {shown(line)} is no regular expression",
            remedy="have an administrator of the node correct it",
        ) from error


def kept_path(directory: str, container_id: str, ifname: str) -> str:
    """Return the file with the values of an interface before it was changed."""
    return f"{directory}/{container_id}_{ifname}.json"


def keep(path: str, before: LinkSettings) -> None:
    """Keep values for DEL. A power cut may take the file: it takes the sandbox, too.

    Raises:
        Internal: it cannot be written.
    """
    members: JsonObject = {
        "mac": before.mac or None,
        "promisc": before.is_promiscuous,
        "mtu": before.mtu or None,
        "allmulti": before.is_all_multicast,
        "txQLen": before.queue_length,
    }
    known = {key: value for key, value in members.items() if value is not None}
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        replace(Path(path), json.dumps(known, indent=1).encode(), is_durable=False)
    except OSError as error:
        raise unwritable("the settings of an interface", path, error) from error


def kept(path: str) -> LinkSettings | None:
    """Return the values that were kept; None where there are none that can be read."""
    try:
        fields = Fields(loads_object(read_regular(path, _LARGEST_KEPT), path), path)
        mac = fields.string("mac")
        packed = parse_mac(mac) if mac else b""
        return LinkSettings(
            mac=format_mac(packed) if len(packed) == ETHERNET_BYTES else "",
            mtu=_number(fields, "mtu") or 0,
            is_promiscuous=_boolean(fields, "promisc"),
            is_all_multicast=_boolean(fields, "allmulti"),
            queue_length=_number(fields, "txQLen"),
        )
    except (OSError, BadInput):
        return None


def _boolean(fields: Fields, key: str) -> bool | None:
    return fields.boolean(key) if fields.has(key) else None


def _number(fields: Fields, key: str) -> int | None:
    found = fields.optional_integer(key)
    return found if found is not None and 0 <= found <= _MAX_NUMBER else None


def drop(path: str) -> None:
    """Remove kept values; none there is fine.

    Raises:
        Internal: they cannot be removed.
    """
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise Internal(f"cannot remove {path}: {error.strerror}") from error
