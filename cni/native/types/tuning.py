"""Type `tuning`: sysctls of the sandbox, and settings of the interface that the chain made.

Results, files and kernel state are the reference plugin's: settings are restored at DEL, sysctls
are not. A failed ADD restores both.

Invariant: only the interface CNI_IFNAME is changed, and its values are kept in a file before.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from cni.host.chroot import resolve
from cni.host.data_dirs import DataDirs
from cni.native import checks
from cni.native.chained import ChainedType, chained_result
from cni.native.interface import require_netns
from cni.native.steps import KernelStep, StepContext, Steps
from cni.native.types import tuning_files
from cni.native.types.tuning_conf import DATA_DIR, Sysctl, TuningConf, data_dir, read_tuning_conf
from cni.net import sysctls
from cni.net.errors import MissingNetns
from cni.net.link_settings import LinkSettings, change_settings, read_settings
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckAllowed(KernelStep[None]):
    """Check sysctls by the list of the node's administrator; a step, as it reads a file."""

    keys: Sequence[str]
    root: str

    def do(self, context: StepContext) -> None:
        """See `tuning_files.check_allowed`."""
        tuning_files.check_allowed(self.keys, self.root)


@dataclass(frozen=True, slots=True)
class WriteSysctls(KernelStep[list[tuple[str, str]]]):
    """Write sysctls in the sandbox; results in paths and former values of those that have one."""

    wanted: Sequence[Sysctl]

    def do(self, context: StepContext) -> list[tuple[str, str]]:
        """Write them in order.

        Raises:
            PlanesError: the kernel refuses one; those before it are restored.
        """
        before: list[tuple[str, str]] = []
        with context.sandbox.inside():
            try:
                for one in self.wanted:
                    with suppress(PlanesError):  # some can be written only (route/flush)
                        before.append((one.path, sysctls.read(one.path)))
                    sysctls.write(one.path, one.value)
            except PlanesError:
                _write_back(before)
                raise
        return before

    def undo(self, context: StepContext, done: list[tuple[str, str]]) -> None:
        """Write the former values."""
        with context.sandbox.inside():
            _write_back(done)


def _write_back(before: Sequence[tuple[str, str]]) -> None:
    for path, value in reversed(before):
        sysctls.try_write(path, value)


@dataclass(frozen=True, slots=True)
class KeepSettings(KernelStep[LinkSettings]):
    """Keep the settings that are to be changed in a file, for DEL; results in them."""

    file: str
    ifname: str
    wanted: LinkSettings

    def do(self, context: StepContext) -> LinkSettings:
        """Keep them.

        Raises:
            NotFound: there is no such interface.
            Internal: the file cannot be written.
        """
        _index, now = read_settings(context.sandbox.channel, self.ifname)
        before = now.only(self.wanted)
        tuning_files.keep(self.file, before)
        return before

    def undo(self, context: StepContext, done: LinkSettings) -> None:
        """Remove the file."""
        tuning_files.drop(self.file)


@dataclass(frozen=True, slots=True)
class ChangeSettings(KernelStep[None]):
    """Change the settings of the interface.

    Attributes:
        before: what to restore.
    """

    ifname: str
    wanted: LinkSettings
    before: LinkSettings

    def do(self, context: StepContext) -> None:
        """Change them.

        Raises:
            PlanesError: the kernel refuses one; the others are restored.
        """
        try:
            _apply(context, self.ifname, self.wanted)
        except PlanesError:
            with suppress(PlanesError):
                _apply(context, self.ifname, self.before)
            raise

    def undo(self, context: StepContext, done: None) -> None:
        """Restore them."""
        with suppress(NotFound):
            _apply(context, self.ifname, self.before)


def _apply(context: StepContext, ifname: str, wanted: LinkSettings) -> None:
    channel = context.sandbox.channel
    index, _now = read_settings(channel, ifname)
    channel.batch(change_settings(index, ifname, wanted))


@dataclass(frozen=True, slots=True)
class RestoreSettings(KernelStep[None]):
    """Restore the settings that a file has, then remove it; no file, or no interface, is fine."""

    file: str
    ifname: str

    def do(self, context: StepContext) -> None:
        """Restore them; a refusal is logged, as DEL must not fail for it.

        Raises:
            Internal: the file cannot be removed.
        """
        before = tuning_files.kept(self.file)
        if before is not None:
            try:
                _apply(context, self.ifname, before)
            except (NotFound, MissingNetns):
                pass
            except PlanesError as error:
                _log.warning(
                    "cannot restore an interface",
                    extra={"interface": self.ifname, "error": str(error)},
                )
        tuning_files.drop(self.file)


@dataclass(frozen=True, slots=True)
class ReadTuned(KernelStep[tuple[list[str], LinkSettings]]):
    """Read the values of sysctls, and all settings of the interface."""

    paths: Sequence[str]
    ifname: str

    def do(self, context: StepContext) -> tuple[list[str], LinkSettings]:
        """Return them.

        Raises:
            PlanesError: a sysctl or the interface is gone.
        """
        sandbox = context.sandbox
        with sandbox.inside():
            values = [sysctls.read(path) for path in self.paths]
        _index, settings = read_settings(sandbox.channel, self.ifname)
        return values, settings


class Tuning(ChainedType):
    """Plugin type `tuning`.

    Args:
        dirs: below which a tenant's netconf may keep values.
        root: path of the host's root directory; "" where it is ours.
    """

    def __init__(self, dirs: DataDirs, root: str = "") -> None:
        self._dirs = dirs
        self._root = root

    def attach(self, call: Call, conf: NetConf) -> Steps[Result]:
        """Write sysctls, keep the settings of the interface, change them.

        Raises:
            PlanesError: it cannot be done.
        """
        wanted = read_tuning_conf(call, conf)
        previous = chained_result(conf)
        require_netns(call)
        settings = wanted.settings
        if wanted.sysctls:
            yield from CheckAllowed([one.key for one in wanted.sysctls], self._root)
            yield from WriteSysctls(wanted.sysctls)
        if settings.is_empty:
            return previous
        file = self._file(call, wanted.data_dir)
        before = yield from KeepSettings(file, call.ifname, settings)
        yield from ChangeSettings(call.ifname, settings, before)
        if not settings.mac:
            return previous
        interfaces = (
            replace(one, mac=settings.mac) if one.name == call.ifname else one
            for one in previous.interfaces
        )
        return replace(previous, interfaces=tuple(interfaces))

    def check(self, call: Call, conf: NetConf) -> Steps[None]:
        """Compare sysctls and settings with those of the netconf.

        Raises:
            PlanesError: one differs.
        """
        wanted = read_tuning_conf(call, conf)
        checks.previous_result(conf)
        require_netns(call)
        values, now = yield from ReadTuned([one.path for one in wanted.sysctls], call.ifname)
        for sysctl, value in zip(wanted.sysctls, values, strict=True):
            # The kernel separates numbers by tabs, netconfs by spaces.
            if sysctl.value.split() != value.split():
                raise Conflict(f"cannot confirm sysctl {sysctl.key}: it is {value!r} now")
        _check_settings(call.ifname, wanted, now)

    def leaves(self, call: Call, conf: NetConf) -> bool:
        """Report whether settings were changed; sysctls stay as they are."""
        try:
            return not read_tuning_conf(call, conf).settings.is_empty
        except PlanesError:  # its ADD was refused
            return False

    def detach(self, call: Call, conf: NetConf) -> Steps[None]:
        """Restore the settings that were kept.

        Raises:
            Internal: the file cannot be removed.
        """
        if not self.leaves(call, conf):
            return
        try:
            file = self._file(call, data_dir(conf))
        except BadInput:  # its ADD was refused
            return
        yield from RestoreSettings(file, call.ifname)

    def _file(self, call: Call, directory: str) -> str:
        if directory and call.is_confined:
            place = self._dirs.confined(directory)
        else:
            place = resolve(self._root, directory or DATA_DIR)
        return tuning_files.kept_path(place, call.container_id, call.ifname)


def _check_settings(ifname: str, wanted: TuningConf, now: LinkSettings) -> None:
    # Promiscuous mode that nobody asked for is a difference, too, as in the reference plugin.
    expected = replace(wanted.settings, is_promiscuous=bool(wanted.settings.is_promiscuous))
    found = now.only(expected)
    for name, one, other in (
        ("MAC", expected.mac, found.mac),
        ("promiscuous mode", expected.is_promiscuous, found.is_promiscuous),
        ("MTU", expected.mtu, found.mtu),
        ("all-multicast mode", expected.is_all_multicast, found.is_all_multicast),
        ("txQLen", expected.queue_length, found.queue_length),
    ):
        if one != other:
            raise Conflict(f"cannot confirm {ifname}: its {name} is {other}, not {one}")
