"""Which plugins the daemon of these settings carries out itself."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.host.data_dirs import DataDirs
from cni.ipam.ipams import Ipams
from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.plugins.plugin import BinaryPlugin
from planes.model.errors import NotFound
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import NetConf
from planes.run.clock import SystemClock
from planes.store.address_book import LocalAddressBook

_CLOSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class NativeRule:
    """How plugins and IPAM types are carried out.

    Attributes:
        why_executed: returns why a plugin is left to its binary, "" where it is not.
        handles_ipam: reports whether an IPAM type is carried out in the daemon.
    """

    why_executed: Callable[[NetConf], str]
    handles_ipam: Callable[[str], bool]


def native_rule(
    disabled: Container[str], data_dirs: Sequence[str], root: str, state_dir: Path
) -> NativeRule:
    """Return the rule of a daemon; nothing is carried out by it.

    Args:
        disabled: types that are left to their binaries.
        data_dirs: as the daemon has them.
        root: the node's root directory as this process sees it.
        state_dir: of the daemon.

    Raises:
        PlanesError: this process has no descriptors left.
    """
    dirs = DataDirs(data_dirs)
    addresses = LocalAddressBook(state_dir, SystemClock())
    ipams = Ipams(addresses, Catalog, _no_binary, disabled=disabled, dirs=dirs, root=root)
    kernel = Kernel(threads=1)
    try:
        native = native_plugins(kernel, ipams, _no_binary, disabled=disabled, dirs=dirs, root=root)
    finally:
        kernel.close(_CLOSE_SECONDS)

    def why(conf: NetConf) -> str:
        found = native.get(conf.type)
        if found is not None:
            return found.unsupported(conf)
        is_known = conf.type in disabled
        return "the settings leave it to its binary" if is_known else "it has no native form"

    return NativeRule(why, ipams.handles)


def _no_binary(kind: str) -> BinaryPlugin:
    raise NotFound(f"cannot run {kind}: nothing is run here")
