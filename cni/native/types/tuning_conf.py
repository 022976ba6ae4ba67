"""The netconf of `tuning`, checked: sysctls of the sandbox, and settings of its interface.

Invariant: a sysctl's path is below /proc/sys/net of the sandbox, with no part `.` or `..` and no
empty one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cni.native.interface import MacSources, chosen_mac
from cni.net.link_settings import LinkSettings
from cni.plugins.plugin import Call
from planes.model.decode import Fields
from planes.model.errors import BadInput
from planes.model.names import shown
from planes.model.wire.netconf import NetConf

DATA_DIR: Final = "/run/cni/tuning"
"""Where the reference plugin keeps the values before the change."""

_MOST: Final = 256
_LONGEST_KEY: Final = 256
_LONGEST_VALUE: Final = 4095  # a page without the final NUL: the kernel takes no more at once
_MAX_MTU: Final = (1 << 31) - 1
_MAX_QUEUE: Final = (1 << 32) - 1
_NOT_IN_A_NAME: Final = re.compile(r"[\x00-\x20\x7f]")
_ROOT: Final = "net"
_REMEDY: Final = "correct sysctl in the network's configuration"


@dataclass(frozen=True, slots=True)
class Sysctl:
    """One sysctl to write.

    Attributes:
        key: as the netconf names it.
        path: below /proc/sys/net.
    """

    key: str
    path: str
    value: str


@dataclass(frozen=True, slots=True)
class TuningConf:
    """What a netconf of `tuning` asks for.

    Attributes:
        sysctls: in the order of the netconf.
        settings: what is to be changed; promiscuous mode is only ever switched on.
        data_dir: "" for the reference plugin's own.
    """

    sysctls: tuple[Sysctl, ...]
    settings: LinkSettings
    data_dir: str = ""


def read_tuning_conf(call: Call, conf: NetConf) -> TuningConf:
    """Read a netconf; `args.cni` comes before everything else, as in the reference plugin.

    Raises:
        BadInput: a key has a wrong type, or a value out of bounds.
    """
    fields = conf.fields()
    args = fields.child("args")
    inner = args.child("cni") if args is not None else None
    asked = [fields] if inner is None else [inner, fields]
    sources = MacSources.of(call, conf)
    is_promiscuous = _boolean(asked, "promisc")
    return TuningConf(
        sysctls=_sysctls(asked, call.ifname),
        settings=LinkSettings(
            mac=chosen_mac(sources.args, sources.runtime, sources.cni_args, sources.conf),
            mtu=_integer(asked, "mtu", _MAX_MTU) or 0,
            is_promiscuous=True if is_promiscuous else None,
            is_all_multicast=_boolean(asked, "allmulti"),
            queue_length=_integer(asked, "txQLen", _MAX_QUEUE),
        ),
        data_dir=data_dir(conf),
    )


def data_dir(conf: NetConf) -> str:
    """Return the directory of kept values that a netconf names, "" for the default.

    Raises:
        BadInput: it is no text.
    """
    return conf.fields().string("dataDir")


def sysctl_path(key: str, ifname: str) -> str:
    """Return the path of a sysctl below /proc/sys/net; `IFNAME` in it is the interface.

    Raises:
        BadInput: it is no sysctl below net.
    """
    if len(key) > _LONGEST_KEY:
        raise _refused(key, f"its name is longer than {_LONGEST_KEY} characters")
    if _NOT_IN_A_NAME.search(key):
        raise _refused(key, "its name has a space or control character")
    # The interface is put in after the dots are replaced: its own are part of its name.
    parts = [
        part
        for part in key.replace(".", "/").replace("IFNAME", ifname, 1).split("/")
        if part not in {"", "."}
    ]
    if ".." in parts or len(parts) < 2 or parts[0] != _ROOT:
        raise _refused(key, "it is not below net")
    return "/".join(parts[1:])


def _sysctls(asked: list[Fields], ifname: str) -> tuple[Sysctl, ...]:
    merged: dict[str, str] = {}
    for fields in reversed(asked):
        found = fields.object("sysctl") or {}
        if len(found) + len(merged) > _MOST:
            raise BadInput(f"cannot set more than {_MOST} sysctls of one interface", remedy=_REMEDY)
        merged.update(_texts(found))
    return tuple(Sysctl(key, sysctl_path(key, ifname), value) for key, value in merged.items())


def _texts(found: Mapping[str, object]) -> dict[str, str]:
    read: dict[str, str] = {}
    for key, value in found.items():
        if not isinstance(value, str):
            raise _refused(key, "its value is no text")
        if len(value) > _LONGEST_VALUE or "\0" in value:
            raise _refused(key, f"its value has a NUL, or more than {_LONGEST_VALUE} characters")
        read[key] = value
    return read


def _boolean(asked: list[Fields], key: str) -> bool | None:
    return next((one.boolean(key) for one in asked if one.has(key)), None)


def _integer(asked: list[Fields], key: str, most: int) -> int | None:
    found = next((one.integer(key) for one in asked if one.has(key)), None)
    if found is not None and not 0 <= found <= most:
        raise BadInput(
            f"cannot use {key} {found}: it is not from 0 to {most}",
            remedy=f"correct {key} in the network's configuration",
        )
    return found


def _refused(key: str, reason: str) -> BadInput:
    return BadInput(f"cannot set sysctl {shown(key)}: {reason}", remedy=_REMEDY)
