"""Binaries of plugins that are executed: missing, not executable, not readable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from shlex import quote
from typing import Final

from planes.cli.doctor.diagnosis import Diagnosis, error
from planes.cli.doctor.facts.plugin_files import ExecutedPlugin, PluginFile
from planes.model.lines import first_few
from planes.model.names import shown

_MOST_NAMED: Final = 4
SHIM: Final = "netplane"
_USUAL: Final = "/opt/cni/bin"
_REFERENCE: Final = frozenset(
    {
        *("bandwidth", "bridge", "dhcp", "dummy", "firewall", "host-device", "host-local"),
        *("ipvlan", "loopback", "macvlan", "portmap", "ptp", "sbr", "static", "tap", "tuning"),
        *("vlan", "vrf"),
    }
)
"""Plugins of github.com/containernetworking/plugins."""


def judge_plugins(
    executed: Iterable[ExecutedPlugin], directories: Sequence[str]
) -> Iterator[Diagnosis]:
    """Yield what is wrong with the binaries that networks need.

    Args:
        executed: plugin types that are executed, with their files.
        directories: where they were looked up.
    """
    where = " and ".join(directories)
    for plugin in executed:
        users = first_few(plugin.users, _MOST_NAMED)
        why = f"{users}: ADD fails; it is executed, as {plugin.why}"
        if not plugin.files:
            yield error(
                f"there is no plugin {shown(plugin.type)} in {where}",
                why,
                _install(plugin.type, directories[0] if directories else _USUAL),
            )
        else:
            yield from _unusable(plugin.files[0], why)


def _install(kind: str, directory: str) -> str:
    if kind in _REFERENCE:
        copy = f"install -m 755 /usr/lib/cni/{kind} {directory}"
        return f"apt-get install containernetworking-plugins; {copy}"
    return f"install it into {directory}; it comes with the network that names it"


def judge_shim(
    files: Sequence[PluginFile], directories: Sequence[str], *, is_cluster: bool
) -> Iterator[Diagnosis]:
    """Yield what is wrong with our own shim, which container runtimes execute.

    Args:
        files: that are found, in the order of the directories.
        directories: where it was looked up.
        is_cluster: whether the daemon's pod puts it there.
    """
    where, why = " and ".join(directories), "container runtimes cannot call Netplane: no pod starts"
    if not files:
        mend = (
            "netplane-cni install, in the daemon's container; or kubectl -n netplane-system delete "
            "pod of this node's netplane-cni"
            if is_cluster
            else f"install -D -m 755 build/netplane {directories[0] if directories else _USUAL}/"
            f"{SHIM}, in the checkout; or install Netplane anew (make install, or its package)"
        )
        yield error(f"there is no plugin {SHIM} in {where}", why, mend)
    else:
        yield from _unusable(files[0], why)


def _unusable(file: PluginFile, why: str) -> Iterator[Diagnosis]:
    if not file.is_regular:
        yield error(f"{file.path} is no file", why, f"rm -r {quote(file.path)}; install the plugin")
    elif not file.is_executable:
        yield error(f"{file.path} is not executable", why, f"chmod 0755 {quote(file.path)}")
    elif not file.is_readable:
        yield error(f"{file.path} cannot be read", why, f"chmod a+r {quote(file.path)}")
